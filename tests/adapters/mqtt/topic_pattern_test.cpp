#include "adapters/mqtt/topic_pattern.h"

#include <doctest/doctest.h>

namespace railhead::mqtt {
namespace {

// "no" or "yes" and the captures.
std::string match(const char* pattern, const char* topic) {
  const Result<TopicPattern> parsed = TopicPattern::parse(pattern);
  REQUIRE(parsed);
  std::vector<std::string_view> captures;
  if (!parsed->match(topic, captures)) return "no";
  REQUIRE(captures.size() <= parsed->names().size());
  std::string text = "yes";
  for (std::size_t i = 0; i < captures.size(); ++i) text += " " + parsed->names()[i] + "=" + std::string(captures[i]);
  return text;
}

TEST_CASE("a pattern subscribes with wildcards and captures named levels") {
  CHECK(TopicPattern::parse("plant/{area}/{device}/telemetry")->filter() == "plant/+/+/telemetry");
  CHECK(TopicPattern::parse("$share/gw/plant/{device}/#")->filter() == "$share/gw/plant/+/#");
  struct Row {
    const char* pattern;
    const char* topic;
    const char* outcome;
  };
  for (const Row& row :
       {Row{"plant/{area}/{device}/telemetry", "plant/north/pump-1/telemetry", "yes area=north device=pump-1"},
        Row{"plant/{area}/{device}/telemetry", "plant/north/pump-1", "no"},
        Row{"plant/{area}/{device}/telemetry", "plant/north/pump-1/telemetry/x", "no"},
        Row{"{device}/status/switch:0", "shelly-1/status/switch:0", "yes device=shelly-1"},
        Row{"+/{device}", "a/b", "yes device=b"}, Row{"a/#", "a", "yes"}, Row{"a/#", "a/b/c", "yes"},
        Row{"a/#", "ab", "no"}, Row{"#", "a/b", "yes"}, Row{"#", "$SYS/x", "no"}, Row{"+/x", "$SYS/x", "no"},
        Row{"{d}/x", "$SYS/x", "no"}, Row{"$SYS/#", "$SYS/x", "yes"}, Row{"a/{d}", "a/", "yes d="},
        Row{"a/+/b", "a//b", "yes"}, Row{"$share/gw/a/{d}", "a/1", "yes d=1"}, Row{"a", "A", "no"}}) {
    CAPTURE(row.pattern);
    CAPTURE(row.topic);
    CHECK(match(row.pattern, row.topic) == row.outcome);
  }
}

TEST_CASE("a wrong pattern says what is wrong") {
  for (const char* bad : {"", "a/{b", "a/x{b}", "a/{b}{c}", "{a}/{a}", "{}", "{1a}", "{a b}", "a/#/b", "a#", "a+/b",
                          "$share/g", "$share/{g}/a", "a/}"}) {
    CAPTURE(bad);
    const Result<TopicPattern> parsed = TopicPattern::parse(bad);
    REQUIRE_FALSE(parsed);
    CHECK_FALSE(parsed.error().what.empty());
  }
}

TEST_CASE("overlapping patterns are those that one topic can match") {
  struct Row {
    const char* a;
    const char* b;
    bool overlap;
  };
  for (const Row& row : {Row{"a/#", "a/b", true}, Row{"a/+", "{x}/b", true}, Row{"a/+", "b/+", false},
                         Row{"a/b", "a/b/c", false}, Row{"a/#", "a", true}, Row{"#", "$SYS/x", false},
                         Row{"+/x", "$SYS/x", false}, Row{"a/+/c", "a/b/+", true}, Row{"a/+", "a/b/c", false}}) {
    CAPTURE(row.a);
    CAPTURE(row.b);
    CHECK(TopicPattern::parse(row.a)->overlaps(*TopicPattern::parse(row.b)) == row.overlap);
    CHECK(TopicPattern::parse(row.b)->overlaps(*TopicPattern::parse(row.a)) == row.overlap);
  }
}

TEST_CASE("a topic beginning with $ is matched by no wildcard in the first level") {
  std::vector<std::string_view> captures;
  for (const char* pattern : {"#", "+/x", "{d}/x"}) {
    CAPTURE(pattern);
    CHECK_FALSE(TopicPattern::parse(pattern)->match("$SYS/x", captures));
    CHECK(TopicPattern::parse(pattern)->match("SYS/x", captures));
  }
  CHECK(TopicPattern::parse("$SYS/#")->match("$SYS/x", captures));
}

}  // namespace
}  // namespace railhead::mqtt
