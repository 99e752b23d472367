#include "adapters/mqtt/config.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "adapters/mqtt/mqtt.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/config/reference.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::mqtt {
namespace {

using config::Diagnostics;
using config::Document;

TEST_CASE("the sample is read without a word") {
  Diagnostics diagnostics;
  std::vector<RowExpressions> expressions;
  const Document document = Document::load(test::source_directory() + "/adapters/mqtt/sample.yaml", diagnostics);
  const config::Node root = document.root();
  const auto source = read_source(root.find("sources").find("sensors").find("mqtt"), expressions, diagnostics);
  const auto sink = read_sink(root.find("sinks").find("plant-bus").find("mqtt"), diagnostics);
  CHECK(diagnostics.render() == "");
  REQUIRE(source);
  REQUIRE(sink);
  CHECK(source->urls.front().text() == "mqtt://broker.local:1883");
  REQUIRE(source->rows.size() == 4);
  CHECK(source->rows[0].pattern.filter() == "zigbee2mqtt/+");
  CHECK(source->qos == std::vector<std::uint8_t>{1, 1, 1, 1});
  CHECK(source->rows[3].payload == PayloadFormat::number);
  CHECK(source->rows[3].device == "weather");
  CHECK(source->ack == AckPolicy::durable);
  CHECK(source->session.session_expiry_seconds == 7 * 86'400);
  CHECK(sink->qos == 1);
  CHECK(sink->v5);
}

TEST_CASE("what the sample has commented out are the defaults") {
  std::string text = test::read_file(test::source_directory() + "/adapters/mqtt/sample.yaml");
  // Uncomment "# name: value" rows; identity and credentials have no default.
  std::string uncommented;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t hash = line.find("# ");
    const bool field = hash != 0 && hash != std::string::npos && line.find_first_not_of(' ') == hash &&
                       line.find("client_id") == std::string::npos && line.find("user") == std::string::npos &&
                       line.find("password") == std::string::npos && line.find("tls:") == std::string::npos;
    if (field) line.erase(hash, 2);
    uncommented += line + "\n";
  }
  REQUIRE(uncommented.find("\n      keep_alive: 60 s") != std::string::npos);
  Diagnostics diagnostics;
  const Document with = Document::parse(uncommented, "with.yaml", diagnostics);
  const Document without = Document::parse(text, "without.yaml", diagnostics);
  const auto source = [&](const Document& document) {
    return source_fields().read(document.root().find("sources").find("sensors").find("mqtt"), diagnostics);
  };
  const auto sink = [&](const Document& document) {
    return sink_fields().read(document.root().find("sinks").find("plant-bus").find("mqtt"), diagnostics);
  };
  const SourceOptions a = source(with);
  const SourceOptions b = source(without);
  CHECK(diagnostics.render() == "");
  CHECK(a.version == b.version);
  CHECK(a.keep_alive == b.keep_alive);
  CHECK(a.session_expiry == b.session_expiry);
  CHECK(a.receive_maximum == b.receive_maximum);
  CHECK(a.max_packet == b.max_packet);
  CHECK(a.ack == b.ack);
  CHECK(a.retained == b.retained);
  CHECK(a.subscribe[0].qos == b.subscribe[0].qos);
  CHECK(a.subscribe[0].payload == b.subscribe[0].payload);
  CHECK(sink(with).qos == sink(without).qos);
  CHECK(sink(with).retain == sink(without).retain);
  CHECK(sink(with).in_flight == sink(without).in_flight);
  CHECK(sink(with).timeout == sink(without).timeout);
}

// "line:column message" of each, in order.
std::vector<std::string> told(const std::string& text, bool source) {
  Diagnostics diagnostics;
  const Document document = Document::parse(text, "x.yaml", diagnostics);
  if (source) {
    std::vector<RowExpressions> expressions;
    static_cast<void>(read_source(document.root(), expressions, diagnostics));
  } else {
    static_cast<void>(read_sink(document.root(), diagnostics));
  }
  std::vector<std::string> lines;
  for (const config::Diagnostic& one : diagnostics.sorted()) {
    lines.push_back(std::to_string(one.mark.line) + ":" + std::to_string(one.mark.column) +
                    (one.severity == config::Severity::error ? " error " : " warning ") + one.message);
  }
  return lines;
}

TEST_CASE("a source's mistakes are told at their place") {
  struct Row {
    const char* text;
    const char* expected;  // beginning of the only line
  };
  const Row rows[] = {
      {"url: http://x\nsubscribe: [{ topic: a }]\n", "1:6 error"},
      {"url: mqtt://x\nsubscribe: [{ topic: a/{b }]\n", nullptr},
      {"url: mqtt://x\nsubscribe: [{ topic: \"a/#/b\" }]\n", "2:22 error"},
      {"url: mqtt://x\nsubscribe: [{ topic: a, qos: 3 }]\n", "2:30 error"},
      {"url: mqtt://x\nsubscribe: [{ topic: a, payload: xml }]\n", "2:34 error"},
      {"url: mqtt://x\nsubscribe: []\n", "2:12 error"},
      {"url: mqtt://x\nsubscribe: [{ topic: \"a/{retained}\" }]\n", "2:22 error {retained} is an attribute"},
      {"url: mqtt://x\nsubscribe: [{ topic: \"a/{user_properties}/b\" }]\n", "2:22 error {user_properties} is"},
      {"subscribe: [{ topic: a }]\n", "1:1 error"},
      {"url: mqtt://x\nsubscribe: [{ topic: a, compression: rar }]\n", "2:38 error"},
      {"url: mqtt://x\nfurther_urls: [mqtt://y, http://z]\nsubscribe: [{ topic: a }]\n", "2:26 error"},
      {"url: \"ws://x/a b\"\nsubscribe: [{ topic: a }]\n", "1:6 error"},
      {"url: mqtt://x\nsubscribe: [{ topic: \"a/{x}\" }, { topic: a/+ }]\n", "2:42 warning an earlier subscription"},
      {"url: mqtt://x\nsubscribe: [{ topic: a }]\npassword: { env: HOME }\n", "3:11 error a password needs a user"},
      {"url: mqtt://x\nsubscribe: [{ topic: a }]\nuser: \"a\\0b\"\n", "3:7 error user: a user is text of at most"},
      {"url: mqtt://x\nsubscribe: [{ topic: a }]\nclient_id: \"a\\0b\"\n",
       "3:12 error client_id: a client identifier is text"},
      {"url: mqtt://x\nsubscribe: [{ topic: a }]\ntls: {}\n", "1:6 warning `tls` has no meaning"},
      {"url: mqtts://x\nsubscribe: [{ topic: a }]\ntls: { cert: / }\n", "3:6 error `cert` without `key`"},
      {"url: mqtts://x\nsubscribe: [{ topic: a }]\ntls: { ca: /no/such.pem }\n",
       "3:12 warning there is no file '/no/such.pem'"},
      {"url: mqtts://x\nsubscribe: [{ topic: a }]\ntls: { verify: false }\n", "3:16 warning the peer is not verified"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const std::vector<std::string> lines = told(row.text, true);
    if (row.expected == nullptr) {
      CHECK_FALSE(lines.empty());
      continue;
    }
    REQUIRE(lines.size() == 1);
    CHECK_MESSAGE(lines[0].rfind(row.expected, 0) == 0, lines[0]);
  }
}

TEST_CASE("a sink's mistakes are told at their place") {
  CHECK(told("url: mqtt://x\nqos: 0\n", false).at(0).rfind("2:6 warning", 0) == 0);
  CHECK(told("url: mqtt://x\nversion: 3.1.1\n", false).at(0).rfind("2:10 warning", 0) == 0);
  CHECK(told("url: mqtt://x\nin_flight: 0\n", false).at(0).rfind("2:12 error", 0) == 0);
  CHECK(told("url: mqtts://x\ntls: { server_name: y }\n", false).at(0).rfind("2:8 error", 0) == 0);
  CHECK(told("url: mqtt://x\n", false).empty());
}

TEST_CASE("the catalogue's rows make plans and describe themselves") {
  Diagnostics diagnostics;
  const Document document = Document::parse("url: mqtt://x\nsubscribe: [{ topic: a }]\n", "x.yaml", diagnostics);
  CHECK(source_kind().name == "mqtt");
  CHECK(source_kind().read(document.root(), {}, diagnostics) != nullptr);
  const Document sink = Document::parse("url: mqtt://x\n", "y.yaml", diagnostics);
  const auto plan = sink_kind().read(sink.root(), diagnostics);
  REQUIRE(plan != nullptr);
  CHECK(plan->needs_topic());
  config::Reference reference;
  reference.place("sources.<name>.mqtt");
  source_kind().describe(reference);
  CHECK(reference.markdown().find("session_expiry") != std::string::npos);
}

TEST_CASE("what was set aside unread is read by the subscription as it is written now, or says why it is not") {
  Diagnostics diagnostics;
  const Document document = Document::parse(
      "url: mqtt://x\nsubscribe: [{ topic: \"a/{device}\", payload: text }, { topic: b, payload: number }]\n", "x.yaml",
      diagnostics);
  const auto plan = source_kind().read(document.root(), {}, diagnostics);
  REQUIRE(plan != nullptr);
  const auto read = [&](std::string_view topic, std::string_view payload) {
    return plan->read_again({"bus", {}, topic, payload, {}}, Time{Duration{7}});
  };
  const auto text = read("a/pump", "no JSON");
  REQUIRE(text);
  REQUIRE(text->size() == 1);
  CHECK(text->front().source == "bus");
  CHECK(text->front().device == "pump");
  CHECK(text->front().value == Value::text("no JSON"));
  CHECK(text->front().time == Time{Duration{7}});
  CHECK(read("b", "no number").error().code == Errc::invalid);
  CHECK(read("c", "1").error().code == Errc::refused);
}

}  // namespace
}  // namespace railhead::mqtt
