// The MQTT source against a real mosquitto, with Paho as the publisher.
#include "adapters/mqtt/source.h"

#include "adapters/mqtt/probe.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "tests/adapters/mqtt/source_runner.h"
#include "tests/brokers/mqtt/paho_publisher.h"
#include "tests/support/mosquitto.h"
#include "tests/support/soft_token.h"

namespace railhead::mqtt {
namespace {

using namespace std::chrono_literals;
using status::Event;
using test::eventually;
using test::Mosquitto;

std::set<std::int64_t> numbers(const test::CapturingIntake& intake) {
  std::set<std::int64_t> found;
  for (const Reading& reading : intake.readings()) {
    if (const Value* n = reading.value.find("n")) found.insert(n->as_integer());
  }
  return found;
}

std::string numbered(int n) { return R"({"n":)" + std::to_string(n) + "}"; }

TEST_CASE("a broker that does not keep to the receive maximum is borne") {
  const Mosquitto broker;
  SourceSettings settings = SourceRunner::settings(broker.url(), 1);
  settings.session.receive_maximum = 10;
  SourceRunner runner(std::move(settings));
  REQUIRE(eventually(10s, [&] { return runner.connected(); }));
  runner.intake.hold(true);  // its PUBACKs wait, and it sends on
  PahoPublisher publisher(broker.url());
  for (int n = 0; n < 2000; ++n) publisher.publish("plant/pump-1/x", numbered(n), 1);
  publisher.finish();
  runner.intake.hold(false);
  runner.intake.let_through();
  REQUIRE(runner.reaches(2000));
  CHECK(eventually(5s, [&] { return runner.intake.acknowledged_ids().size() == 2000; }));
  CHECK(runner.reporter.count(Event::quota_exceeded) <= 1);  // mosquitto 2.0.11: 1
  CHECK(runner.reporter.count(Event::source_lost) == 0);
}

TEST_CASE("intake at every QoS and version: each message once, in order, acknowledged") {
  Mosquitto broker;
  for (const Protocol protocol : {Protocol::v5, Protocol::v3_1_1}) {
    for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}}) {
      CAPTURE(int(qos));
      CAPTURE(protocol == Protocol::v5);
      SourceSettings settings = SourceRunner::settings(broker.url(), qos);
      settings.session.client_id += std::to_string(qos) + (protocol == Protocol::v5 ? "v5" : "v3");
      settings.protocol = protocol;
      SourceRunner runner(std::move(settings));
      REQUIRE(eventually(10s, [&] { return runner.connected(); }));
      PahoPublisher publisher(broker.url());
      for (int n = 0; n < 1000; ++n) publisher.publish("plant/pump-" + std::to_string(n % 10) + "/x", numbered(n), qos);
      publisher.finish();
      REQUIRE(runner.reaches(1000));
      const std::vector<Reading> readings = runner.intake.readings();
      REQUIRE(readings.size() == 1000);
      for (std::size_t i = 0; i < readings.size(); ++i) {
        REQUIRE(readings[i].value.find("n")->as_integer() == static_cast<std::int64_t>(i));
        REQUIRE(readings[i].device == "pump-" + std::to_string(i % 10));
      }
      if (qos == 1) CHECK(eventually(5s, [&] { return runner.intake.acknowledged_ids().size() == 1000; }));
      if (qos == 2) CHECK(eventually(5s, [&] { return runner.intake.open_count() == 0; }));
      CHECK(runner.intake.redelivered() == 0);
    }
  }
}

TEST_CASE("several gateways share one stream: each message comes to one of them, once") {
  const Mosquitto broker;
  std::vector<std::unique_ptr<SourceRunner>> runners;
  for (const char* name : {"one", "two"}) {
    SourceSettings settings = SourceRunner::settings(broker.url(), 1, "$share/gateways/plant/{device}/#");
    settings.session.client_id = name;
    settings.protocol = runners.empty() ? Protocol::v5 : Protocol::v3_1_1;
    runners.push_back(std::make_unique<SourceRunner>(std::move(settings)));
  }
  PahoPublisher publisher(broker.url());
  REQUIRE(eventually(10s, [&] {  // both are subscribed
    publisher.publish("plant/pump-1/x", numbered(-1), 1);
    return runners[0]->intake.size() > 0 && runners[1]->intake.size() > 0;
  }));
  for (int n = 0; n < 200; ++n) publisher.publish("plant/pump-1/x", numbered(n), 1);
  publisher.finish();
  std::multiset<std::int64_t> all;
  const auto complete = [&] {
    all.clear();
    for (const auto& runner : runners) {
      for (const Reading& reading : runner->intake.readings()) {
        CHECK(reading.device == "pump-1");
        if (const std::int64_t n = reading.value.find("n")->as_integer(); n >= 0) all.insert(n);
      }
    }
    return all.size() >= 200;
  };
  REQUIRE(eventually(10s, complete));
  CHECK(all.size() == 200);
  CHECK(std::set<std::int64_t>(all.begin(), all.end()).size() == 200);
  for (const auto& runner : runners) CHECK(*numbers(runner->intake).rbegin() >= 0);
}

TEST_CASE("what was not durable is not acknowledged: the broker sends it again to the next process") {
  Mosquitto broker;
  for (const std::uint8_t qos : {std::uint8_t{1}, std::uint8_t{2}}) {
    CAPTURE(int(qos));
    SourceSettings settings = SourceRunner::settings(broker.url(), qos);
    settings.session.client_id += std::to_string(qos);
    {
      SourceRunner runner(settings, true);
      REQUIRE(eventually(10s, [&] { return runner.connected(); }));
      PahoPublisher publisher(broker.url());
      for (int n = 0; n < 100; ++n) publisher.publish("plant/a/x", numbered(n), qos);
      publisher.finish();
      REQUIRE(runner.reaches(100));
    }
    SourceRunner next(settings);
    REQUIRE(next.reaches(100));
    CHECK(numbers(next.intake).size() == 100);
    const std::vector<Reading> readings = next.intake.readings();
    CHECK(
        std::all_of(readings.begin(), readings.end(), [](const Reading& one) { return one.token && one.token->dup; }));
    if (qos == 1) {
      CHECK(eventually(5s, [&] { return next.intake.acknowledged_ids().size() == 100; }));
    } else {
      CHECK(eventually(5s, [&] { return next.intake.open_count() == 0; }));
    }
    next.stop();
    // And then never again.
    SourceRunner third(settings);
    REQUIRE(eventually(10s, [&] { return third.connected(); }));
    PahoPublisher publisher(broker.url());
    publisher.publish("plant/a/x", numbered(100), qos);
    publisher.finish();
    REQUIRE(third.reaches(1));
    CHECK(third.intake.size() == 1);
  }
}

TEST_CASE("the session is kept while nobody is connected") {
  Mosquitto broker;
  for (const Protocol protocol : {Protocol::v5, Protocol::v3_1_1}) {
    SourceSettings settings = SourceRunner::settings(broker.url());
    settings.protocol = protocol;
    settings.session.client_id += protocol == Protocol::v5 ? "v5" : "v3";
    {
      SourceRunner runner(settings);
      REQUIRE(eventually(10s, [&] { return runner.connected(); }));
      REQUIRE(eventually(10s, [&] { return runner.reporter.count(Event::source_connected) == 1; }));
      // Subscribed for certain: a message comes through.
      PahoPublisher publisher(broker.url());
      publisher.publish("plant/a/x", numbered(-1), 1);
      publisher.finish();
      REQUIRE(runner.reaches(1));
    }
    PahoPublisher publisher(broker.url());
    for (int n = 0; n < 2000; ++n) publisher.publish("plant/a/x", numbered(n), 1);
    publisher.finish();
    SourceRunner runner(settings);
    REQUIRE(runner.reaches(2000));
    CHECK(numbers(runner.intake).size() == 2000);
  }
}

TEST_CASE("after a change of the subscriptions a message comes once, though the old filter overlaps the new one") {
  const Mosquitto broker;
  for (const Protocol protocol : {Protocol::v5, Protocol::v3_1_1}) {
    CAPTURE(protocol == Protocol::v5);
    const auto settings = [&](const char* pattern) {
      SourceSettings made = SourceRunner::settings(broker.url(), 2, pattern);
      made.session.client_id += protocol == Protocol::v5 ? "v5" : "v3";
      made.protocol = protocol;
      return made;
    };
    SourceRunner runner(settings("plant/{device}"));
    REQUIRE(eventually(10s, [&] { return !runner.intake.kept_note().empty(); }));
    const std::string before = runner.intake.kept_note();
    runner.stop();
    runner.start(settings("plant/{device}/#"));
    REQUIRE(eventually(10s, [&] { return runner.intake.kept_note() != before; }));
    PahoPublisher publisher(broker.url());
    for (int n = 0; n < 20; ++n) publisher.publish("plant/pump-1", numbered(n), 2);
    publisher.finish();
    REQUIRE(runner.reaches(20));
    CHECK(runner.intake.readings().back().value.find("n")->as_integer() == 19);
    CHECK(runner.intake.size() == 20);
  }
}

TEST_CASE("a broker restart in the middle loses nothing") {
  Mosquitto broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  REQUIRE(eventually(10s, [&] { return runner.connected(); }));
  int n = 0;
  for (int round = 0; round < 3; ++round) {
    {
      PahoPublisher publisher(broker.url());
      for (int i = 0; i < 500; ++i) publisher.publish("plant/a/x", numbered(n++), 1);
      publisher.finish();
    }
    broker.restart();
  }
  REQUIRE(eventually(20s, [&] { return numbers(runner.intake).size() == 1500; }));
  CHECK(runner.reporter.count(Event::source_lost) >= 3);
  CHECK(runner.reporter.count(Event::session_lost) == 0);
  CHECK(eventually(10s, [&] { return runner.connected(); }));
}

TEST_CASE("a broker that lost its memory is told as a lost session, and reading goes on") {
  Mosquitto broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  REQUIRE(eventually(10s, [&] { return runner.connected(); }));
  broker.stop();
  broker.forget();
  broker.start();
  REQUIRE(eventually(10s, [&] { return runner.reporter.count(Event::session_lost) == 1; }));
  // Published until one arrives: the SUBACK may still be on its way.
  PahoPublisher publisher(broker.url());
  CHECK(eventually(10s, [&] {
    publisher.publish("plant/a/x", numbered(1), 1);
    return runner.intake.size() > 0;
  }));
}

TEST_CASE("TLS: the authority and the name are checked, a client certificate is shown") {
  Mosquitto::Options options;
  options.tls = true;
  options.client_certificate = true;
  Mosquitto broker(options);
  SourceSettings settings = SourceRunner::settings(broker.tls_url());
  settings.tls.ca = broker.file("ca.pem");
  settings.tls.cert = broker.file("client.pem");
  settings.tls.key = broker.file("client.key");

  SUBCASE("by address") {}
  SUBCASE("by name") { settings.urls.front().host = "localhost"; }
  SUBCASE("by a name given") { settings.tls.server_name = "localhost"; }
  SUBCASE("with a protocol offered (ALPN)") { settings.tls.alpn = {"mqtt"}; }
  std::optional<test::SoftToken> token;
  SUBCASE("with a key that never leaves its token") {
    token.emplace(broker.file("client.key"));
    settings.tls.key.clear();
    settings.tls.pkcs11_module = test::SoftToken::kModule;
    settings.tls.key_uri = test::SoftToken::kKeyUri;
    settings.tls.pin = config::Secret::plain(test::SoftToken::kPin);
  }
  SUBCASE("with the wrong name") {
    settings.tls.server_name = "elsewhere";
    SourceRunner runner(settings);
    CHECK(eventually(10s, [&] { return runner.link.why().find("certificate") != std::string::npos; }));
    CHECK(runner.reporter.count(Event::source_connected) == 0);
    return;
  }
  SUBCASE("with the system's authorities") {
    settings.tls.ca.clear();
    SourceRunner runner(settings);
    CHECK(eventually(10s, [&] { return runner.link.why().find("certificate") != std::string::npos; }));
    CHECK(runner.reporter.count(Event::source_connected) == 0);
    return;
  }
  SUBCASE("without a client certificate") {
    settings.tls.cert.clear();
    settings.tls.key.clear();
    SourceRunner runner(settings);
    CHECK(eventually(10s, [&] { return runner.reporter.count(Event::source_lost) > 0; }));
    CHECK(runner.reporter.count(Event::source_connected) == 0);
    return;
  }

  SourceRunner runner(settings);
  REQUIRE(eventually(10s, [&] { return runner.connected(); }));
  PahoPublisher publisher(broker.url());
  // More than one TLS record and more than one read.
  for (int n = 0; n < 2000; ++n) publisher.publish("plant/a/x", numbered(n), 1);
  publisher.finish();
  REQUIRE(runner.reaches(2000));
  CHECK(numbers(runner.intake).size() == 2000);
  CHECK(eventually(5s, [&] { return runner.intake.acknowledged_ids().size() == 2000; }));
}

TEST_CASE("through WebSockets, plain and secured: at QoS 1 and 2, messages larger than a frame too") {
  Mosquitto::Options options;
  options.tls = true;
  options.websockets = true;
  Mosquitto broker(options);
  for (const std::string& url : {broker.ws_url(), broker.wss_url()}) {
    for (const std::uint8_t qos : {std::uint8_t{1}, std::uint8_t{2}}) {
      CAPTURE(url);
      CAPTURE(int(qos));
      SourceSettings settings = SourceRunner::settings(url, qos);
      settings.session.client_id += url.substr(0, 3) + std::to_string(qos);
      settings.tls.ca = broker.file("ca.pem");
      SourceRunner runner(std::move(settings));
      REQUIRE(eventually(10s, [&] { return runner.connected(); }));
      PahoPublisher publisher(broker.url());
      for (int n = 0; n < 1000; ++n) publisher.publish("plant/a/x", numbered(n), qos);
      publisher.publish("plant/a/x", '"' + std::string(20'000, 'x') + '"', qos);
      publisher.publish("plant/a/x", numbered(1000), qos);
      publisher.finish();
      REQUIRE(runner.reaches(1002));
      CHECK(numbers(runner.intake).size() == 1001);
      CHECK(runner.intake.readings()[1000].value.as_text().size() == 20'000);
      if (qos == 1) CHECK(eventually(5s, [&] { return runner.intake.acknowledged_ids().size() == 1002; }));
      if (qos == 2) CHECK(eventually(5s, [&] { return runner.intake.open_count() == 0; }));
      CHECK(runner.reporter.count(Event::source_lost) == 0);
    }
  }
}

TEST_CASE("a probe lists what a broker carries, leaves no session behind, and says why it cannot") {
  Mosquitto broker;
  PahoPublisher publisher(broker.url());
  publisher.publish("plant/north/pump-1/telemetry", R"({"t":1})", 1, true);
  publisher.publish("plant/south/pump-2/telemetry", R"({"t":2.5})", 1, true);
  publisher.finish();
  ProbeSettings settings;
  settings.url = *parse_url(broker.url());
  settings.filter = "plant/#";
  settings.listen = 1s;
  Probed probed;
  std::uint64_t told = 0;
  REQUIRE(probe(settings, probed, [&](std::uint64_t messages) { told = messages; }));
  CHECK(told == 2);
  CHECK(probed.survey.topics().size() == 2);
  CHECK(probed.survey.proposal(broker.url()).find("plant/{level2}/{device}/telemetry") != std::string::npos);
  settings.url.port = 1;
  Probed nothing;
  const Result<void> refused = probe(settings, nothing, [](std::uint64_t) {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what.find("refused") != std::string::npos);
}

TEST_CASE("user and password") {
  Mosquitto::Options options;
  options.password = "secret";
  Mosquitto broker(options);
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.user = "gateway";
  settings.password = config::Secret::plain("secret");
  SourceRunner good(settings);
  CHECK(eventually(10s, [&] { return good.connected(); }));
  settings.password = config::Secret::plain("wrong");
  settings.session.client_id = "other";
  SourceRunner bad(settings);
  CHECK(eventually(10s, [&] { return bad.link.why().find("not authorized") != std::string::npos; }));
}

TEST_CASE("retained messages come marked; MQTT 5 properties come as attributes; a broken payload is set aside") {
  Mosquitto broker;
  {
    PahoPublisher publisher(broker.url());
    publisher.publish("plant/a/x", numbered(1), 1, true);
    publisher.finish();
  }
  SourceRunner runner(SourceRunner::settings(broker.url()));
  REQUIRE(runner.reaches(1));
  CHECK(runner.intake.readings()[0].attributes.find("retained")->as_boolean());
  PahoPublisher publisher(broker.url());
  publisher.publish_with_property("plant/a/x", numbered(2), "unit", "C");
  publisher.publish("plant/a/x", "{broken", 1);
  publisher.publish("plant/a/x", numbered(3), 1);
  publisher.finish();
  REQUIRE(runner.reaches(3));
  const Reading second = runner.intake.readings()[1];
  CHECK_FALSE(second.attributes.find("retained")->as_boolean());
  REQUIRE(second.attributes.find("user_properties") != nullptr);
  CHECK(second.attributes.find("user_properties")->find("unit")->as_text() == "C");
  REQUIRE(runner.intake.refused().size() == 1);
  CHECK(runner.intake.refused()[0].payload == "{broken");
}

}  // namespace
}  // namespace railhead::mqtt
