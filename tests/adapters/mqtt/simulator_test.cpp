#include "adapters/mqtt/simulator.h"

#include <doctest/doctest.h>

#include "adapters/mqtt/unwrap.h"
#include "gateway/base/time.h"
#include "gateway/message/json.h"
#include "gateway/system/clock.h"

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

TEST_CASE("a payload that is to be split is a list of documents, each with its own time") {
  ExampleForm form;
  form.elements = 3;
  form.time = "meta.ts";
  const Time now = *parse_rfc3339("2026-01-02T03:04:05Z");
  const auto check_list = [](const Value& list) {
    REQUIRE(list.as_list().size() == 3);
    CHECK(list.as_list()[1].find("temperature")->is_number());
    CHECK(list.as_list()[0].find("meta")->find("ts")->as_text() == "2026-01-02T03:04:04.800Z");
    CHECK(list.as_list()[2].find("meta")->find("ts")->as_text() == "2026-01-02T03:04:05.000Z");
  };
  JsonParser parser;
  form.list = "data.samples";
  const Result<Value> below = parser.parse(example_document({"temperature"}, 3, 1, form, now));
  REQUIRE(below);
  check_list(*below->find("data")->find("samples"));
  form.list = "";
  const Result<Value> whole = parser.parse(example_document({"temperature"}, 3, 1, form, now));
  REQUIRE(whole);
  check_list(*whole);
}

TEST_CASE("only plain paths of a payload can be played, the rest is said at the start") {
  CHECK(plain_path("value") == "");
  CHECK(plain_path(" value.a.b_1 ") == "a.b_1");
  for (const char* other : {"", "values", "value.", "value[0]", "value.a.filter(x, x > 1)", "attributes.a"}) {
    CAPTURE(other);
    CHECK_FALSE(plain_path(other));
  }
  SourceSettings settings;
  settings.urls = {*parse_url("mqtt://127.0.0.1")};
  for (const char* topic : {"a", "b", "c", "d"})
    settings.rows.push_back({*TopicPattern::parse(topic), PayloadFormat::json, {}});
  const system::SystemClock clock;
  Simulator simulator(settings, {{"timestamp(value.ts)", "value.s"}, {"", "value.s.map(x, x)"}, {"time", ""}, {"", ""}},
                      {}, clock);
  const auto lines = simulator.open();
  REQUIRE(lines);
  REQUIRE(lines->size() == 3);
  CHECK((*lines)[0] == "mqtt://127.0.0.1:1883 <- a, c, d");
  CHECK((*lines)[1].find("'b' is left out") == 0);
  CHECK((*lines)[2].find("'c': only a time:") == 0);
}

TEST_CASE("what a simulation wraps is unwrapped to the same") {
  for (const std::string& bytes : {std::string(), std::string("on"), std::string(100'000, 'x')}) {
    std::string out;
    CHECK(gunzip(gzip(bytes), 200'000, out));
    CHECK(out == bytes);
    out.clear();
    CHECK(unzstd(zstd(bytes), 200'000, out));
    CHECK(out == bytes);
  }
}

}  // namespace railhead::mqtt
