#include "rules/routing/destination.h"

#include <doctest/doctest.h>

using namespace railhead::routing;

TEST_CASE("Kafka topics are letters, digits, '.', '_' and '-', at most 249") {
  CHECK(topic_fault(Upstream::kafka, "telemetry.north_1-A").empty());
  CHECK(topic_fault(Upstream::kafka, std::string(249, 'a')).empty());
  CHECK_FALSE(topic_fault(Upstream::kafka, std::string(250, 'a')).empty());
  CHECK_FALSE(topic_fault(Upstream::kafka, "").empty());
  CHECK_FALSE(topic_fault(Upstream::kafka, ".").empty());
  CHECK_FALSE(topic_fault(Upstream::kafka, "..").empty());
  CHECK_FALSE(topic_fault(Upstream::kafka, "a/b").empty());
  CHECK_FALSE(topic_fault(Upstream::kafka, "\xc3\xa4").empty());
  CHECK(illegal_character(Upstream::kafka, "ab c") == 2);
}

TEST_CASE("MQTT topics to publish to hold no wildcard and no zero byte") {
  CHECK(topic_fault(Upstream::mqtt, "plant/\xc3\xa4/x y").empty());
  CHECK_FALSE(topic_fault(Upstream::mqtt, "plant/+").empty());
  CHECK_FALSE(topic_fault(Upstream::mqtt, "plant/#").empty());
  CHECK_FALSE(topic_fault(Upstream::mqtt, std::string_view("a\0b", 3)).empty());
  CHECK_FALSE(topic_fault(Upstream::mqtt, "a\xff").empty());
  CHECK_FALSE(topic_fault(Upstream::mqtt, std::string(65'536, 'a')).empty());
}

TEST_CASE("an AMQP routing key is a short string") {
  CHECK(routing_key_fault(std::string(255, 'k')).empty());
  CHECK_FALSE(routing_key_fault(std::string(256, 'k')).empty());
  CHECK(routing_key_fault("").empty());
}
