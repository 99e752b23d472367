// Overlapping topics at MQTT 5: the broker sends a copy for each subscription. One is read; what is left out must be
// certain to come by another copy, because leaving out acknowledges it.
#include <doctest/doctest.h>

#include "adapters/mqtt/properties.h"
#include "tests/adapters/mqtt/scripted_broker.h"
#include "tests/adapters/mqtt/source_runner.h"

using namespace railhead;
using namespace railhead::mqtt;
using namespace std::chrono_literals;
using test::eventually;

namespace {

struct Row {
  const char* topic;
  std::uint8_t qos;
};

SourceSettings settings_of(const ScriptedBroker& broker, const std::vector<Row>& rows) {
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.rows.clear();
  settings.qos.clear();
  for (const Row& row : rows) {
    settings.rows.push_back({*TopicPattern::parse(row.topic), PayloadFormat::text, {}});
    settings.qos.push_back(row.qos);
  }
  return settings;
}

// Takes the connection and answers each SUBSCRIBE with what is to be granted.
void welcome(ScriptedBroker& broker, bool session_present, std::string_view granted) {
  broker.accept();
  broker.send(Connack{session_present, 0, {}});
  for (std::size_t i = 0; i < granted.size(); ++i) {
    const Packet packet = broker.read();
    REQUIRE(std::holds_alternative<Subscribe>(packet));
    broker.send(Suback{std::get<Subscribe>(packet).packet_id, {}, granted.substr(i, 1)});
  }
}

// A message to plant/pump/x, sent for the subscriptions with these numbers (from 1).
void send_copy(ScriptedBroker& broker, std::vector<std::uint32_t> identifiers, std::uint8_t qos,
               std::uint16_t packet_id, const std::string& payload) {
  PropertyWriter properties;
  for (const std::uint32_t identifier : identifiers) {
    properties.number(PropertyId::subscription_identifier, identifier);
  }
  Publish publish;
  publish.topic = "plant/pump/x";
  publish.payload = payload;
  publish.qos = qos;
  publish.packet_id = packet_id;
  publish.properties = properties.bytes();
  broker.send(publish);
  if (qos > 0) CHECK(broker.read_ack(PacketType::puback).packet_id == packet_id);
}

std::vector<std::string> texts(const test::CapturingIntake& intake) {
  std::vector<std::string> texts;
  for (const Reading& reading : intake.readings()) texts.emplace_back(reading.value.as_text());
  return texts;
}

using Texts = std::vector<std::string>;
const std::vector<Row> kBoth{{"plant/{device}/#", 1}, {"plant/pump/x", 1}};

}  // namespace

TEST_CASE("of the copies for overlapping topics only the first subscription's is read, where that is certain") {
  ScriptedBroker broker;
  SourceSettings settings = settings_of(broker, kBoth);
  const auto copies = [&] {
    send_copy(broker, {1}, 1, 1, "1");
    send_copy(broker, {2}, 1, 2, "1");
  };
  bool present = false;
  SUBCASE("a session of this process") {}
  SUBCASE("a session of an earlier process: its identifiers may mean something else") { present = true; }
  SourceRunner runner(settings);
  welcome(broker, present, "\1\1");
  copies();
  CHECK(runner.intake.size() == (present ? 2 : 1));
  CHECK(runner.intake.redelivered() == (present ? 0 : 1));
  CHECK(runner.intake.ignored_count() == 0);
  // The same in the next life, if the session began with these topics.
  runner.stop();
  runner.start(settings);
  welcome(broker, true, "\1\1");
  copies();
  CHECK(runner.intake.size() == (present ? 4 : 2));
  // A session that began with other topics.
  runner.stop();
  std::swap(settings.rows[0], settings.rows[1]);
  runner.start(settings);
  welcome(broker, true, "\1\1");
  copies();
  CHECK(runner.intake.size() == (present ? 6 : 4));
}

TEST_CASE("a copy at QoS 1 is never left out for one at QoS 0, which no broker keeps for us") {
  ScriptedBroker broker;
  std::string_view granted("\0\1", 2);
  std::vector<Row> rows{{"plant/{device}/#", 0}, {"plant/pump/x", 1}};
  SUBCASE("asked for at QoS 0") {}
  SUBCASE("granted at QoS 0") { rows[0].qos = 1; }
  SourceRunner runner(settings_of(broker, rows));
  welcome(broker, false, granted);
  send_copy(broker, {1}, 0, 0, "both");
  send_copy(broker, {2}, 1, 1, "both");
  send_copy(broker, {2}, 1, 2, "queued");  // while we were away: no copy at QoS 0
  CHECK(texts(runner.intake) == Texts{"both", "queued"});
  CHECK(runner.intake.readings()[0].device == "pump");  // as the first pattern says
  CHECK(runner.intake.redelivered() == 1);
}

TEST_CASE("where all subscriptions are of QoS 0, or the message is, the first copy is read") {
  ScriptedBroker broker;
  SourceRunner runner(settings_of(broker, {{"plant/{device}/#", 0}, {"plant/pump/x", 0}}));
  welcome(broker, false, std::string_view("\0\0", 2));
  send_copy(broker, {2}, 0, 0, "1");
  send_copy(broker, {1}, 0, 0, "1");
  REQUIRE(runner.reaches(1));
  REQUIRE(eventually(5s, [&] { return runner.intake.redelivered() == 1; }));
  CHECK(runner.intake.size() == 1);
}

TEST_CASE("of a shared subscription another member may get the copy: the plain one is read") {
  ScriptedBroker broker;
  SourceRunner runner(settings_of(broker, {{"$share/group/plant/{device}/x", 1}, {"plant/#", 1}}));
  welcome(broker, false, "\1\1");
  send_copy(broker, {2}, 1, 1, "ours alone");
  send_copy(broker, {1}, 1, 2, "both");
  send_copy(broker, {2}, 1, 3, "both");
  CHECK(texts(runner.intake) == Texts{"ours alone", "both"});
}

TEST_CASE("a subscription that was refused first has no copy of what was queued before") {
  ScriptedBroker broker;
  const SourceSettings settings = settings_of(broker, kBoth);
  SourceRunner runner(settings);
  welcome(broker, false, "\x87\1");
  broker.close();
  welcome(broker, true, "\1");  // asked for again
  send_copy(broker, {2}, 1, 1, "queued");
  CHECK(texts(runner.intake) == Texts{"queued"});
  runner.stop();
  runner.start(settings);
  welcome(broker, true, "\1\1");
  send_copy(broker, {2}, 1, 2, "queued too");
  CHECK(texts(runner.intake) == Texts{"queued", "queued too"});
}

TEST_CASE("a session that began with another QoS may hold messages without the first copy") {
  ScriptedBroker broker;
  SourceSettings settings = settings_of(broker, {{"plant/{device}/#", 0}, {"plant/pump/x", 1}});
  SourceRunner runner(settings);
  welcome(broker, false, std::string_view("\0\1", 2));
  send_copy(broker, {2}, 1, 1, "first");
  runner.stop();
  settings.qos[0] = 1;
  runner.start(settings);
  welcome(broker, true, "\1\1");
  send_copy(broker, {2}, 1, 2, "queued");
  CHECK(texts(runner.intake) == Texts{"first", "queued"});
}

TEST_CASE("a message that comes once for several subscriptions is read") {
  ScriptedBroker broker;
  SourceRunner runner(settings_of(broker, {{"plant/{device}/#", 0}, {"plant/pump/x", 1}}));
  welcome(broker, false, std::string_view("\0\1", 2));
  send_copy(broker, {1, 2}, 1, 1, "1");
  send_copy(broker, {2, 1}, 1, 2, "2");
  CHECK(texts(runner.intake) == Texts{"1", "2"});
}
