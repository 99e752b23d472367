#include "rules/routing/rule_index.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace railhead;
using namespace railhead::routing;

namespace {

Reading reading(std::string source, std::string device, std::string_view topic = {}) {
  Reading out;
  out.source = std::move(source);
  out.device = std::move(device);
  if (!topic.empty()) out.attributes = Value::map({{Value::text("topic"), Value::text(topic)}});
  return out;
}

std::vector<RuleNumber> candidates(const RuleIndex& index, const Reading& of) {
  std::vector<RuleNumber> out{99};
  index.candidates(of, out);
  return out;
}

using Numbers = std::vector<RuleNumber>;

}  // namespace

TEST_CASE("a reading finds the rules of its source, device and topic, in their order") {
  RuleIndex index;
  index.add(0, {{"s"}, {}, {}});
  index.add(1, {{"s"}, {"d1"}, {}});
  index.add(2, {{"s"}, {}, {"a/b"}});
  index.add(3, {{"s", "t"}, {"d*"}, {}});
  index.add(4, {{"s"}, {"d1", "d2"}, {}});
  index.add(5, {{"t"}, {}, {"a/+"}});
  CHECK(candidates(index, reading("s", "d1", "a/b")) == Numbers{0, 1, 2, 3, 4});
  CHECK(candidates(index, reading("s", "d2")) == Numbers{0, 3, 4});
  CHECK(candidates(index, reading("s", "x", "a/b")) == Numbers{0, 2, 3});
  CHECK(candidates(index, reading("t", "d1", "a/b")) == Numbers{3, 5});
  CHECK(candidates(index, reading("u", "d1")) == Numbers{});
}

TEST_CASE("a rule that is found by several entries of its from is a candidate once") {
  RuleIndex index;
  index.add(0, {{"s"}, {"d1"}, {}});
  index.add(0, {{"s"}, {}, {"a/b"}});
  index.add(0, {{"s"}, {"*"}, {}});
  CHECK(candidates(index, reading("s", "d1", "a/b")) == Numbers{0});
}

TEST_CASE("the number of rules for other devices and topics costs a reading nothing") {
  RuleIndex index;
  for (RuleNumber i = 0; i < 10'000; ++i) {
    index.add(i, {{"s"}, {"device-" + std::to_string(i)}, {}});
    index.add(i, {{"t"}, {}, {"plant/" + std::to_string(i)}});
  }
  CHECK(candidates(index, reading("s", "device-777")) == Numbers{777});
  CHECK(candidates(index, reading("t", "x", "plant/9999")) == Numbers{9999});
}

TEST_CASE("a selection matches source, device and topic together") {
  const Selection selection{{"s"}, {"d*"}, {"a/+"}};
  CHECK(selection.matches(reading("s", "d1", "a/b")));
  CHECK_FALSE(selection.matches(reading("t", "d1", "a/b")));
  CHECK_FALSE(selection.matches(reading("s", "x1", "a/b")));
  CHECK_FALSE(selection.matches(reading("s", "d1", "b/b")));
  CHECK_FALSE(selection.matches(reading("s", "d1")));
}

TEST_CASE("whatever the rules, the index finds all that match") {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937 random(seed);
  const auto pick = [&](const std::vector<std::string>& from) {
    std::vector<std::string> some;
    for (const std::string& one : from) {
      if (random() % 4 == 0) some.push_back(one);
    }
    return some;
  };
  for (int round = 0; round < 50; ++round) {
    std::vector<std::vector<Selection>> rules;
    RuleIndex index;
    for (RuleNumber number = 0; number < 30; ++number) {
      auto& from = rules.emplace_back();
      for (auto entries = 1 + random() % 3; entries > 0; --entries) {
        Selection one{pick({"s", "t", "u"}), pick({"a", "b", "a*", "?"}), pick({"x/y", "x/z", "x/+", "#"})};
        if (one.sources.empty()) one.sources = {"s"};
        index.add(number, one);
        from.push_back(std::move(one));
      }
    }
    for (const char* source : {"s", "t", "u", "v"}) {
      for (const char* device : {"a", "b", "ab", ""}) {
        for (const char* topic : {"x/y", "x/z", "q", ""}) {
          const Reading one = reading(source, device, topic);
          Numbers found;
          for (const RuleNumber number : candidates(index, one)) {
            CHECK((found.empty() || found.back() < number));
            found.push_back(number);
          }
          for (RuleNumber number = 0; number < rules.size(); ++number) {
            const bool matches = std::any_of(rules[number].begin(), rules[number].end(),
                                             [&](const Selection& selection) { return selection.matches(one); });
            if (matches) CHECK(std::binary_search(found.begin(), found.end(), number));
          }
        }
      }
    }
  }
}
