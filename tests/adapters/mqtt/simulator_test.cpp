#include "adapters/mqtt/simulator.h"

#include <doctest/doctest.h>

#include "gateway/message/json.h"

namespace railhead::mqtt {
namespace {

std::vector<std::string> topics(const std::string& pattern) { return example_topics(*TopicPattern::parse(pattern), 2); }

}  // namespace

TEST_CASE("the topics that stand for a subscription match it, and its device is several") {
  using Topics = std::vector<std::string>;
  CHECK(topics("plant/{area}/{device}/telemetry") ==
        Topics{"plant/area-1/sim-1/telemetry", "plant/area-1/sim-2/telemetry"});
  CHECK(topics("zigbee2mqtt/+") == Topics{"zigbee2mqtt/sim-1", "zigbee2mqtt/sim-2"});
  CHECK(topics("+/{device}/x") == Topics{"a/sim-1/x", "a/sim-2/x"});
  CHECK(topics("$share/gateways/tele/{device}/#") == Topics{"tele/sim-1/state", "tele/sim-2/state"});
  CHECK(topics("one/topic") == Topics{"one/topic"});
  for (const char* pattern : {"plant/{area}/{device}/telemetry", "+/+/x", "a/#", "$share/g/{device}/b"}) {
    std::vector<std::string_view> captures;
    for (const std::string& topic : topics(pattern)) CHECK(TopicPattern::parse(pattern)->match(topic, captures));
  }
}

TEST_CASE("a payload has the fields that the rules read, at their depth, and moves") {
  const std::vector<std::string> fields{"temperature", "ENERGY.Power", "ENERGY.Total", "n"};
  JsonParser parser;
  const Result<Value> document = parser.parse(example_document(fields, 3, 1));
  REQUIRE(document);
  CHECK(document->find("temperature")->to_real() > 15);
  CHECK(document->find("temperature")->to_real() < 35);
  CHECK(document->find("ENERGY")->find("Power")->is_number());
  CHECK(document->find("ENERGY")->find("Total")->is_number());
  CHECK(*document->find("n") == Value::integer(3));
  CHECK(example_document(fields, 3, 1) == example_document(fields, 3, 1));
  CHECK(example_document(fields, 3, 1) != example_document(fields, 20, 1));
  CHECK(example_document(fields, 3, 1) != example_document(fields, 3, 2));
}

}  // namespace railhead::mqtt
