#include "adapters/mqtt/survey.h"

#include <doctest/doctest.h>

namespace railhead::mqtt {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a survey tells topics, rates and shapes, and proposes patterns for what is alike") {
  Survey survey;
  for (int i = 0; i < 20; ++i) {
    survey.add("plant/north/pump-1/telemetry", i == 0 ? R"({"t":21,"n":1})" : R"({"t":21.5,"n":1})", false);
    survey.add("plant/south/pump-2/telemetry", R"({"n":1,"t":20.5})", false);
  }
  survey.add("plant/north/pump-1/state", "on", true);
  survey.add("weather", "21.5", false);
  survey.add("blob", std::string_view("\x00\xff", 2), false);
  CHECK(survey.messages() == 43);
  CHECK(text_of(survey.topics().at("plant/north/pump-1/telemetry").shape) == "json {n: int, t: double}");
  std::vector<std::string> patterns;
  for (const Survey::Group& group : survey.groups()) patterns.push_back(group.pattern + " " + text_of(group.shape));
  CHECK(patterns == std::vector<std::string>{"weather number", "blob raw",
                                             "plant/{level2}/{device}/telemetry json {n: int, t: double}",
                                             "plant/north/pump-1/state text"});
  const std::string table = survey.table(10s, 2);
  CHECK(table.find("plant/north/pump-1/telemetry        20       2.0        15  json {n: int, t: double}\n") !=
        std::string::npos);
  CHECK(table.find("... and 3 more topics") != std::string::npos);
  const std::string proposal = survey.proposal("mqtt://broker:1883");
  CHECK(proposal.find("- { topic: \"plant/{level2}/{device}/telemetry\", qos: 1, payload: json }") !=
        std::string::npos);
  CHECK(proposal.find("body: { device: device, time: time, n: value.n, t: value.t }") != std::string::npos);
}

TEST_CASE("payloads that change their kind are read as what takes both") {
  Survey survey;
  survey.add("a", "1", false);
  survey.add("a", "{}", false);
  CHECK(text_of(survey.topics().at("a").shape) == "json mixed");
  survey.add("b", "x", false);
  survey.add("b", "1", false);
  CHECK(text_of(survey.topics().at("b").shape) == "text");
  survey.add("c", "x", false);
  survey.add("c", "\xff", false);
  CHECK(text_of(survey.topics().at("c").shape) == "raw");
  CHECK(survey.table(1s, 9).find("not always") != std::string::npos);
}

TEST_CASE("a survey's memory is bounded") {
  Survey survey;
  for (std::size_t i = 0; i < Survey::kTopicsMax + 5; ++i) survey.add("t/" + std::to_string(i), "1", false);
  CHECK(survey.topics().size() == Survey::kTopicsMax);
  CHECK(survey.table(1s, 1).find("... and 5 messages of topics beyond the first 10000") != std::string::npos);
  CHECK(survey.groups().size() == 1);
  CHECK(Survey().proposal("mqtt://x").empty());
}

}  // namespace
}  // namespace railhead::mqtt
