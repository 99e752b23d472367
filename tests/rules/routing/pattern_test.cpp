#include "rules/routing/pattern.h"

#include <doctest/doctest.h>

#include <string>

using namespace railhead::routing;

TEST_CASE("device globs match whole names") {
  struct Row {
    const char* glob;
    const char* name;
    bool matches;
  };
  for (const Row& row : {
           Row{"boiler-*", "boiler-1", true},
           Row{"boiler-*", "boiler-", true},
           Row{"boiler-*", "the-boiler-1", false},
           Row{"*", "", true},
           Row{"?", "", false},
           Row{"b?iler", "boiler", true},
           Row{"*-1", "a-1-1", true},
           Row{"*a*b*c", "xxaxxbxxbc", true},
           Row{"*a*b*c", "xxaxxbxxbcd", false},
           Row{"meter-1", "meter-1", true},
           Row{"meter-1", "meter-10", false},
           Row{"a[1]", "a[1]", true},
       }) {
    CAPTURE(row.glob);
    CAPTURE(row.name);
    CHECK(glob_matches(row.glob, row.name) == row.matches);
  }
}

TEST_CASE("a hostile glob ends quickly") {
  const std::string name(20'000, 'a');
  CHECK_FALSE(glob_matches("*a*a*a*a*a*a*a*a*a*a*b", name));
}

TEST_CASE("topic filters follow the MQTT standard") {
  struct Row {
    const char* filter;
    const char* topic;
    bool matches;
  };
  for (const Row& row : {
           Row{"plant/+/telemetry", "plant/boiler/telemetry", true},
           Row{"plant/+/telemetry", "plant/boiler/x/telemetry", false},
           Row{"plant/+", "plant", false},
           Row{"plant/+", "plant/", true},
           Row{"plant/#", "plant", true},
           Row{"plant/#", "plant/a/b", true},
           Row{"plant/#", "plants", false},
           Row{"#", "a/b", true},
           Row{"#", "$SYS/uptime", false},
           Row{"+/uptime", "$SYS/uptime", false},
           Row{"$SYS/#", "$SYS/uptime", true},
           Row{"+/+", "/finance", true},
           Row{"/+", "/finance", true},
           Row{"+", "/finance", false},
       }) {
    CAPTURE(row.filter);
    CAPTURE(row.topic);
    CHECK(topic_matches(row.filter, row.topic) == row.matches);
  }
  CHECK(topic_filter_fault("a/#").empty());
  CHECK(topic_filter_fault("+/b").empty());
  CHECK_FALSE(topic_filter_fault("").empty());
  CHECK_FALSE(topic_filter_fault("a/#/b").empty());
  CHECK_FALSE(topic_filter_fault("a/b#").empty());
  CHECK_FALSE(topic_filter_fault("a+/b").empty());
}
