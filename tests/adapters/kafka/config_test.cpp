#include "adapters/kafka/config.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "adapters/kafka/kafka.h"
#include "gateway/config/document.h"
#include "gateway/ports/adapter.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::test {
namespace {

std::string setting(const kafka::Settings& settings, const std::string& name) {
  std::string value = "(none)";
  for (const auto& [known, text] : settings) {
    if (known == name) value = text;
  }
  return value;
}

kafka::Settings settings_for(const std::string& yaml) {
  ::setenv("RAILHEAD_TEST_PASSWORD", "p", 1);
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(yaml, "test.yaml", diagnostics);
  const kafka::KafkaOptions options = kafka::kafka_fields().read(document.root(), diagnostics);
  kafka::check(options, document.root(), diagnostics);
  CAPTURE(diagnostics.render());
  CHECK_FALSE(diagnostics.has_errors());
  return kafka::settings_of(options).value();
}

TEST_CASE("the sample is right, as shipped and with every line uncommented") {
  std::string sample = read_file(test::source_directory() + "/adapters/kafka/sample.yaml");
  const TemporaryDirectory directory;
  directory.write("secrets/key", "k");
  directory.write("secrets/kafka", "p");
  REQUIRE(run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", directory.path() + "/box.key", "-out", directory.path() + "/box.pem", "-subj", "/CN=box"},
              std::chrono::seconds{30})
              .status == 0);
  directory.write("ca.pem", read_file(directory.path() + "/box.pem"));
  for (const bool uncommented : {false, true}) {
    CAPTURE(uncommented);
    if (uncommented) {
      for (std::size_t at = sample.find("    # "); at != std::string::npos; at = sample.find("    # ", at)) {
        if (sample[at - 1] == '\n') sample.erase(at + 4, 2);
        at += 4;
      }
    }
    config::Diagnostics diagnostics;
    const config::Document document = config::Document::parse(sample, directory.path() + "/sample.yaml", diagnostics);
    const auto plan = kafka::sink_kind().read(document.root().find("plant-kafka").find("kafka"), diagnostics);
    CHECK(diagnostics.render() == "");
    REQUIRE(plan != nullptr);
    CHECK(plan->needs_topic());
  }
}

TEST_CASE("the delivery contract's settings are always there, and librdkafka takes all of them") {
  const kafka::Settings settings = settings_for(
      "brokers: [a:1, b:2]\n"
      "compression: zstd\n"
      "linger: 7 ms\n"
      "security: { tls: { verify: false }, sasl: { mechanism: SCRAM-SHA-256, user: u, password: { env: "
      "RAILHEAD_TEST_PASSWORD } } }\n");
  CHECK(setting(settings, "bootstrap.servers") == "a:1,b:2");
  CHECK(setting(settings, "acks") == "all");
  CHECK(setting(settings, "enable.idempotence") == "true");
  CHECK(setting(settings, "message.timeout.ms") == "0");
  CHECK(setting(settings, "partitioner") == "murmur2_random");
  CHECK(setting(settings, "compression.codec") == "zstd");
  CHECK(setting(settings, "linger.ms") == "7");
  CHECK(setting(settings, "security.protocol") == "sasl_ssl");
  CHECK(setting(settings, "sasl.mechanisms") == "SCRAM-SHA-256");
  CHECK(setting(settings, "sasl.password") == "p");
  CHECK(setting(settings, "ssl.endpoint.identification.algorithm") == "none");
  for (const auto& [name, value] : settings) {
    CAPTURE(name);
    CHECK(kafka::Producer::check(name, value).has_value());
  }
}

TEST_CASE("security is what is named") {
  CHECK(setting(settings_for("brokers: [a:1]\n"), "security.protocol") == "(none)");
  CHECK(setting(settings_for("brokers: [a:1]\nsecurity: { tls: {} }\n"), "security.protocol") == "ssl");
  CHECK(setting(settings_for(
                    "brokers: [a:1]\nsecurity: { sasl: { user: u, password: { env: RAILHEAD_TEST_PASSWORD } } }\n"),
                "security.protocol") == "sasl_plaintext");
}

TEST_CASE("further settings go to librdkafka") {
  const kafka::Settings settings = settings_for("brokers: [a:1]\noptions: { socket.nagle.disable: \"true\" }\n");
  CHECK(setting(settings, "socket.nagle.disable") == "true");
}

TEST_CASE("mistakes are reported where they stand") {
  struct Row {
    std::string yaml;
    std::string says;
  };
  const std::vector<Row> rows{
      {"linger: 5 ms\n", "brokers"},
      {"brokers: []\n", "brokers"},
      {"brokers: [\"http://a:1\"]\n", "host:port, without a scheme"},
      {"brokers: [a:1]\nexactly_once: true\n", "test.yaml:2:15: error: exactly_once is not in this version"},
      {"brokers: [a:1]\noptions: { acks: \"1\" }\n", "error: 'acks' cannot be set here"},
      {"brokers: [a:1]\noptions: { no.such.thing: \"1\" }\n", "no.such.thing"},
      {"brokers: [a:1]\noptions: { socket.timeout.ms: \"x\" }\n", "socket.timeout.ms"},
      {"brokers: [a:1]\nsecurity: { tls: { cert: c.pem } }\n", "test.yaml:2:18: error: `cert` without `key`"},
      {"brokers: [a:1]\ncompression: lz5\n", "lz4"},
      {"brokers: [a:1]\ncompresion: lz4\n", "compression"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    config::Diagnostics diagnostics;
    const config::Document document = config::Document::parse(row.yaml, "test.yaml", diagnostics);
    const auto plan = kafka::sink_kind().read(document.root(), diagnostics);
    const std::string said = diagnostics.render();
    CAPTURE(said);
    CHECK(said.find("error:") != std::string::npos);
    CHECK(said.find(row.says) != std::string::npos);
    CHECK(plan == nullptr);
  }
}

}  // namespace
}  // namespace railhead::test
