#include "adapters/mqtt/sink.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "adapters/mqtt/properties.h"
#include "tests/adapters/mqtt/scripted_broker.h"
#include "tests/adapters/mqtt/sink_runner.h"

namespace railhead::mqtt {
namespace {

using namespace std::chrono_literals;
using status::Event;
using test::eventually;

struct Seen {
  std::uint16_t packet_id;
  std::string topic;
  std::string payload;
  std::string content_type;
  std::string headers;  // "name=value ..."
};

Seen seen_of(const Packet& packet) {
  REQUIRE(std::holds_alternative<Publish>(packet));
  const auto& publish = std::get<Publish>(packet);
  Seen seen{publish.packet_id, std::string(publish.topic), std::string(publish.payload), {}, {}};
  PropertyReader reader(publish.properties);
  for (Property property; reader.next(property);) {
    if (property.id == PropertyId::content_type) seen.content_type = property.text;
    if (property.id == PropertyId::user_property) {
      seen.headers += std::string(property.text) + "=" + std::string(property.value) + " ";
    }
  }
  return seen;
}
Seen read_publish(ScriptedBroker& broker) { return seen_of(broker.read()); }

void accept(ScriptedBroker& broker) {
  broker.accept();
  broker.send(Connack{false, 0, {}});
}

void answer(ScriptedBroker& broker, PacketType type, std::uint16_t id, std::uint8_t reason = 0) {
  broker.send(Ack{type, id, reason, {}});
}

TEST_CASE("only PUBACK settles, in any order, and the headers are user properties") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  accept(broker);
  for (int n = 1; n <= 3; ++n) runner.append("out/" + std::to_string(n), std::to_string(n));
  std::vector<Seen> seen;
  for (int n = 1; n <= 3; ++n) seen.push_back(read_publish(broker));
  CHECK(seen[0].topic == "out/1");
  CHECK(seen[2].payload == "3");
  CHECK(seen[0].content_type == "application/json");
  CHECK(seen[0].headers.find("specversion=1.0 id=test/00000000000000e0/1 source=/railhead/plant-7/sensors ") == 0);
  CHECK(seen[0].headers.find("rh-key=sensors/pump") != std::string::npos);
  CHECK(broker.silent(100));
  CHECK(runner.outlet.settled() == 0);
  answer(broker, PacketType::puback, seen[2].packet_id);
  CHECK(eventually(5s, [&] { return runner.outlet.is_settled(3); }));
  CHECK_FALSE(runner.outlet.is_settled(1));
  answer(broker, PacketType::puback, seen[0].packet_id);
  answer(broker, PacketType::puback, seen[1].packet_id);
  CHECK(runner.done());
}

TEST_CASE("the rest of the ttl is the expiry; response topic and correlation data are properties") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  accept(broker);
  Record record;
  record.sink = "bus";
  record.topic = "out";
  record.source = "sensors";
  record.body = "{}";
  record.ttl = 90s;
  record.headers = {{std::string(kResponseTopicHeader), "answers/7"},
                    {std::string(kCorrelationDataHeader), std::string("\0\xff", 2)},
                    {"colour", "red"}};
  runner.outlet.append(record);
  record.ttl = {};
  record.headers = {{std::string(kResponseTopicHeader), "answers/#"}};
  runner.outlet.append(record);
  record.headers = {{std::string(kResponseTopicHeader), ""}, {std::string(kCorrelationDataHeader), ""}};
  runner.outlet.append(record);
  const Packet packet = broker.read();
  REQUIRE(std::holds_alternative<Publish>(packet));
  const auto& publish = std::get<Publish>(packet);
  const auto expiry = number_of(publish.properties, PropertyId::message_expiry);
  REQUIRE(expiry);
  CHECK(*expiry <= 90);
  CHECK(*expiry >= 60);
  CHECK(text_of(publish.properties, PropertyId::response_topic) == "answers/7");
  CHECK(text_of(publish.properties, PropertyId::correlation_data) == std::string_view("\0\xff", 2));
  bool red = false;
  PropertyReader reader(publish.properties);
  for (Property property; reader.next(property);) {
    if (property.id != PropertyId::user_property) continue;
    CHECK(property.text.substr(0, 4) != "mqtt");
    red = red || (property.text == "colour" && property.value == "red");
  }
  CHECK(red);
  answer(broker, PacketType::puback, publish.packet_id);
  const Packet next = broker.read();
  REQUIRE(std::holds_alternative<Publish>(next));
  const auto& without = std::get<Publish>(next);
  PropertyReader fewer(without.properties);
  for (Property property; fewer.next(property);) {
    CHECK(property.id != PropertyId::response_topic);
    CHECK(property.id != PropertyId::correlation_data);
  }
  answer(broker, PacketType::puback, without.packet_id);
  // The second one can never leave.
  CHECK(runner.done());
  CHECK(runner.outlet.aside().size() == 1);
}

TEST_CASE("what was not confirmed when the connection broke is sent again in order with the same identity") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  accept(broker);
  for (int n = 1; n <= 4; ++n) runner.append("out", std::to_string(n));
  std::vector<Seen> first;
  for (int n = 1; n <= 4; ++n) first.push_back(read_publish(broker));
  answer(broker, PacketType::puback, first[0].packet_id);
  answer(broker, PacketType::puback, first[2].packet_id);
  REQUIRE(eventually(5s, [&] { return runner.outlet.settled() == 2; }));
  broker.close();
  accept(broker);
  const Seen second = read_publish(broker);
  CHECK(second.payload == "2");
  CHECK(second.headers == first[1].headers);
  CHECK(read_publish(broker).payload == "4");
  CHECK(runner.reporter.count(Event::sink_lost) == 1);
  CHECK(runner.reporter.count(Event::sink_connected) == 2);
}

TEST_CASE("a sink with nothing to do sleeps until there is something; a refusal and a lost connection wake it") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  accept(broker);
  const auto asleep = [&] {
    return eventually(15s, [&] { return runner.link.last_progress() > runner.clock.boot_now() + 30s; });
  };
  REQUIRE(asleep());
  const std::size_t asked = runner.outlet.asked();
  CHECK_FALSE(eventually(1200ms, [&] { return runner.outlet.asked() > asked; }));
  runner.append("out", "1");
  Seen seen = read_publish(broker);
  answer(broker, PacketType::puback, seen.packet_id, reason::kQuotaExceeded);
  seen = read_publish(broker);
  CHECK(runner.outlet.retries() == 1);
  answer(broker, PacketType::puback, seen.packet_id);
  CHECK(runner.done());
  REQUIRE(asleep());
  broker.close();
  CHECK(eventually(5s, [&] { return runner.link.state() == status::LinkStatus::State::down; }));
}

TEST_CASE("QoS 2 settles at PUBCOMP") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url(), 2));
  accept(broker);
  runner.append("out", "1");
  const Seen seen = read_publish(broker);
  answer(broker, PacketType::pubrec, seen.packet_id);
  CHECK(std::get<Ack>(broker.read()).type == PacketType::pubrel);
  CHECK(broker.silent(50));
  CHECK(runner.outlet.settled() == 0);
  answer(broker, PacketType::pubcomp, seen.packet_id);
  CHECK(runner.done());
}

TEST_CASE("a PUBLISH has its QoS, an identifier of its own and no DUP, after a lost connection too") {
  for (const bool v5 : {true, false}) {
    for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}}) {
      CAPTURE(v5);
      CAPTURE(int(qos));
      ScriptedBroker broker;
      SinkSettings settings = SinkRunner::settings(broker.url(), qos);
      settings.v5 = v5;
      SinkRunner runner(std::move(settings));
      for (int times = 0; times < 2; ++times) {
        const Connect connect = broker.accept();
        CHECK(connect.clean_start);
        CHECK_FALSE(connect.will);
        broker.send(Connack{false, 0, {}});
        std::set<std::uint16_t> identifiers;
        for (int n = 1; n <= 3; ++n) {
          if (times == 0 || qos == 0) runner.append("out", std::to_string(n));
          const Packet packet = broker.read();
          REQUIRE(std::holds_alternative<Publish>(packet));
          const auto& publish = std::get<Publish>(packet);
          CHECK(publish.payload == std::to_string(n));
          CHECK(publish.qos == qos);
          CHECK_FALSE(publish.dup);
          CHECK((publish.packet_id == 0) == (qos == 0));
          identifiers.insert(publish.packet_id);
        }
        CHECK(identifiers.size() == (qos == 0 ? 1 : 3));
        if (qos == 0) REQUIRE(runner.done());
        broker.close();
      }
    }
  }
}

TEST_CASE("PUBRELs leave in the order of the PUBRECs, also when no further PUBLISH may") {
  for (const bool v5 : {true, false}) {
    ScriptedBroker broker;
    SinkSettings settings = SinkRunner::settings(broker.url(), 2);
    settings.v5 = v5;
    settings.window = 3;
    SinkRunner runner(std::move(settings));
    accept(broker);
    for (int n = 1; n <= 4; ++n) runner.append("out", std::to_string(n));
    std::vector<Seen> seen;
    for (int n = 1; n <= 3; ++n) seen.push_back(read_publish(broker));
    CHECK(broker.silent(50));  // the fourth has no room
    for (const std::size_t n : {1U, 0U, 2U}) answer(broker, PacketType::pubrec, seen[n].packet_id);
    for (const std::size_t n : {1U, 0U, 2U}) {
      CHECK(broker.read_ack(PacketType::pubrel).packet_id == seen[n].packet_id);
    }
    for (const Seen& one : seen) answer(broker, PacketType::pubcomp, one.packet_id);
    const Seen fourth = read_publish(broker);
    CHECK(fourth.payload == "4");
    answer(broker, PacketType::pubrec, fourth.packet_id);
    CHECK(broker.read_ack(PacketType::pubrel).packet_id == fourth.packet_id);
    answer(broker, PacketType::pubcomp, fourth.packet_id);
    CHECK(runner.done());
  }
}

TEST_CASE("QoS 2: after PUBREC the record is the broker's; a PUBCOMP that knows no identifier settles it") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url(), 2));
  accept(broker);
  runner.append("out", "1");
  const Seen seen = read_publish(broker);
  answer(broker, PacketType::pubrec, seen.packet_id);
  CHECK(std::get<Ack>(broker.read()).type == PacketType::pubrel);
  answer(broker, PacketType::pubcomp, seen.packet_id, 0x92);
  CHECK(runner.done());
  CHECK(runner.outlet.settled() == 1);
  CHECK(runner.reporter.count(Event::sink_retried) == 0);
  // The connection is as good as before.
  runner.append("out", "2");
  CHECK(read_publish(broker).payload == "2");
}

TEST_CASE("3.1.1 carries topic and body") {
  ScriptedBroker broker;
  SinkSettings settings = SinkRunner::settings(broker.url());
  settings.v5 = false;
  SinkRunner runner(std::move(settings));
  accept(broker);
  CHECK(broker.version() == Version::v3_1_1);
  runner.append("out", "1");
  const Seen seen = read_publish(broker);
  CHECK(seen.payload == "1");
  answer(broker, PacketType::puback, seen.packet_id);
  CHECK(runner.done());
}

TEST_CASE("no more than the window is on the way") {
  ScriptedBroker broker;
  SinkSettings settings = SinkRunner::settings(broker.url());
  settings.window = 3;
  SinkRunner runner(std::move(settings));
  accept(broker);
  for (int n = 1; n <= 10; ++n) runner.append("out", std::to_string(n));
  std::vector<Seen> seen;
  for (int n = 1; n <= 3; ++n) seen.push_back(read_publish(broker));
  CHECK(broker.silent(100));
  for (int n = 4; n <= 10; ++n) {
    answer(broker, PacketType::puback, seen[static_cast<std::size_t>(n) - 4].packet_id);
    seen.push_back(read_publish(broker));
    CHECK(seen.back().payload == std::to_string(n));
  }
}

TEST_CASE("no more is on the way than the broker takes at once, and the next follows its confirm without delay") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  broker.accept();
  PropertyWriter properties;
  properties.number(PropertyId::receive_maximum, 2);
  broker.send(Connack{false, 0, properties.bytes()});
  for (int n = 1; n <= 40; ++n) runner.append("out", std::to_string(n));
  const auto begun = std::chrono::steady_clock::now();
  std::vector<Seen> seen{read_publish(broker), read_publish(broker)};
  CHECK(broker.silent(100));
  for (std::size_t n = 3; n <= 40; ++n) {
    answer(broker, PacketType::puback, seen[n - 3].packet_id);
    seen.push_back(read_publish(broker));
  }
  CHECK(seen.back().payload == "40");
  // The library alone would take a second for every two.
  CHECK(std::chrono::steady_clock::now() - begun < 15s);
}

// Error paths

TEST_CASE("a refusal for good sets the record aside, another one tries again, neighbours go on") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  accept(broker);
  for (int n = 1; n <= 3; ++n) runner.append("out", std::to_string(n));
  const Seen first = read_publish(broker);
  const Seen second = read_publish(broker);
  const Seen third = read_publish(broker);
  answer(broker, PacketType::puback, first.packet_id, 0x87);
  answer(broker, PacketType::puback, second.packet_id, 0x97);
  answer(broker, PacketType::puback, third.packet_id, 0x10);  // nobody subscribes: that is success
  CHECK(eventually(5s, [&] { return runner.outlet.aside().size() == 1; }));
  CHECK(runner.outlet.aside()[1].find("not authorized") != std::string::npos);
  const Seen again = read_publish(broker);
  CHECK(again.payload == "2");
  CHECK(again.headers.find("rh-late=1") != std::string::npos);
  CHECK(runner.reporter.count(Event::sink_refused) == 1);
  CHECK(runner.reporter.count(Event::sink_retried) == 1);
  answer(broker, PacketType::puback, again.packet_id);
  CHECK(runner.done());
  CHECK(runner.outlet.settled() == 2);
}

TEST_CASE("a record that MQTT cannot carry is set aside without disturbing the connection") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  accept(broker);
  runner.append("", "1");
  runner.append("out/#", "2");
  runner.append("out/\xff", "3");
  runner.append("out", "4");
  const Seen seen = read_publish(broker);
  CHECK(seen.payload == "4");
  answer(broker, PacketType::puback, seen.packet_id);
  CHECK(runner.done());
  CHECK(runner.outlet.aside().size() == 3);
}

TEST_CASE(
    "a character upon which brokers close the connection is named, in topic, header and key; a body may hold it") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  accept(broker);
  runner.append("out/\n", "1");
  runner.append("out/\xef\xbf\xbf", "2");
  Record record;
  record.sink = "bus";
  record.topic = "out";
  record.source = "sensors";
  record.body = "3";
  record.key = "a\tb";
  runner.outlet.append(record);
  record.key.reset();
  record.headers = {{"note", "one\xc2\x85"}};
  runner.outlet.append(record);
  runner.append("out/\xc2\xb0\xf0\x9f\x98\x80", "line\nline");
  const Seen seen = read_publish(broker);
  CHECK(seen.payload == "line\nline");
  answer(broker, PacketType::puback, seen.packet_id);
  CHECK(runner.done());
  auto aside = runner.outlet.aside();
  REQUIRE(aside.size() == 4);
  CHECK(aside[1].find("holds U+000A") != std::string::npos);
  CHECK(aside[2].find("holds U+FFFF") != std::string::npos);
  CHECK(aside[3].find("header 'rh-key' holds U+0009") == 0);
  CHECK(aside[4].find("header 'note' holds U+0085") == 0);
}

TEST_CASE("a record above the broker's packet size is set aside, and what stands behind it goes on") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  broker.accept();
  runner.append("out", "1");
  constexpr std::uint32_t kMost = 120'000;
  // First without a bound, to know what a packet takes around its payload.
  broker.send(Connack{false, 0, {}});
  std::size_t around = 0;
  {
    const Packet packet = broker.read();
    Publish publish = std::get<Publish>(packet);
    const std::string payload(kMost - 1'000, 'x');
    publish.payload = payload;
    std::string bytes;
    encode(Version::v5, publish, bytes);
    around = bytes.size() - payload.size();
  }
  broker.close();
  broker.accept();
  PropertyWriter properties;
  properties.number(PropertyId::maximum_packet_size, kMost);
  broker.send(Connack{false, 0, properties.bytes()});
  runner.append("out", std::string(kMost - around, 'x'));
  runner.append("out", std::string(kMost - around + 1, 'y'));
  runner.append("out", "2");
  for (const char* begins : {"1", "x", "2"}) {
    const Seen seen = read_publish(broker);
    CHECK(seen.payload.substr(0, 1) == begins);
    answer(broker, PacketType::puback, seen.packet_id);
  }
  CHECK(runner.done());
  REQUIRE(runner.outlet.aside().size() == 1);
  CHECK(runner.outlet.aside().begin()->second.find("larger than the broker takes (120000)") != std::string::npos);
}

TEST_CASE("a record upon which the broker closes the connection each time is set aside, other topics go on meanwhile") {
  ScriptedBroker broker;
  SinkSettings settings = SinkRunner::settings(broker.url());
  settings.v5 = false;
  settings.backoff = {5ms, 20ms};
  settings.suspects.losses = 2;
  settings.suspects.strikes = 3;
  settings.suspects.others = 6;
  settings.suspects.least = 1ms;
  settings.suspects.first_try = 10ms;
  SinkRunner runner(std::move(settings));
  runner.append("a", "1");
  runner.append("b", "too long");
  runner.append("b", "2");
  for (int n = 3; n < 30; ++n) runner.append("c", std::to_string(n));
  std::map<std::string, std::vector<std::string>> taken;
  std::size_t closed = 0;
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (!runner.outlet.done()) {
    REQUIRE(std::chrono::steady_clock::now() < until);
    accept(broker);
    for (;;) {
      const Seen seen = read_publish(broker);
      if (seen.payload == "too long") break;
      taken[seen.topic].push_back(seen.payload);
      answer(broker, PacketType::puback, seen.packet_id);
      if (seen.topic == "c") runner.append("c", std::to_string(runner.outlet.appended()));
      if (seen.topic == "b") break;
    }
    if (taken["b"].empty()) ++closed;
    if (!taken["b"].empty()) break;
    broker.close();
  }
  CHECK(closed >= 5);
  REQUIRE(runner.outlet.aside().size() == 1);
  const std::string why = runner.outlet.aside()[2];
  CHECK_MESSAGE(why.find("the broker closes the connection upon this record: ") == 0, why);
  CHECK(taken["b"] == std::vector<std::string>{"2"});
  CHECK(taken["c"].size() > 5);
  CHECK(runner.reporter.count(Event::sink_topic_held) == 1);
  CHECK(runner.reporter.count(Event::sink_refused) == 1);
  CHECK(eventually(5s, [&] { return runner.link.state() == status::LinkStatus::State::up; }));
}

TEST_CASE("a broker that says it was the packet need not say it twice") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  runner.append("out", "1");
  runner.append("out", "2");
  accept(broker);
  read_publish(broker);
  read_publish(broker);
  broker.send(Disconnect{reason::kPacketTooLarge, {}});
  broker.close();
  accept(broker);
  CHECK(read_publish(broker).payload == "1");
  CHECK(broker.silent(100));  // one at a time now
  broker.send(Disconnect{reason::kPacketTooLarge, {}});
  broker.close();
  accept(broker);
  const Seen second = read_publish(broker);
  CHECK(second.payload == "2");
  answer(broker, PacketType::puback, second.packet_id);
  CHECK(runner.done());
  CHECK(runner.outlet.aside()[1].find("packet too large") != std::string::npos);
}

TEST_CASE("a broker that takes no such QoS or nothing retained is named, and nothing is sent") {
  ScriptedBroker broker;
  SinkSettings settings = SinkRunner::settings(broker.url(), 2);
  PropertyId property = PropertyId::maximum_qos;
  std::uint32_t number = 1;
  const char* said = "the broker takes QoS 1 at most: set qos: 1";
  SUBCASE("QoS") {}
  SUBCASE("retained") {
    settings.retain = true;
    property = PropertyId::retain_available;
    number = 0;
    said = "the broker keeps no retained messages: set retain: false";
  }
  SinkRunner runner(std::move(settings));
  runner.append("out", "1");
  broker.accept();
  PropertyWriter properties;
  properties.number(property, number);
  broker.send(Connack{false, 0, properties.bytes()});
  CHECK_MESSAGE(eventually(5s, [&] { return runner.link.why().find(said) != std::string::npos; }), runner.link.why());
  CHECK(broker.closed());
}

TEST_CASE("a broker that has a session, though a new one was asked for, is left, and nothing is sent") {
  for (const bool v5 : {true, false}) {
    CAPTURE(v5);
    ScriptedBroker broker;
    SinkSettings settings = SinkRunner::settings(broker.url());
    settings.v5 = v5;
    SinkRunner runner(std::move(settings));
    runner.append("out", "1");
    broker.accept();
    broker.send(Connack{true, 0, {}});
    if (v5) CHECK(std::holds_alternative<Disconnect>(broker.read()));
    CHECK(broker.closed());
    CHECK_MESSAGE(eventually(5s, [&] { return runner.link.why().find("a session is present") != std::string::npos; }),
                  runner.link.why());
    accept(broker);
    answer(broker, PacketType::puback, read_publish(broker).packet_id);
    CHECK(runner.done());
  }
}

TEST_CASE("MQTT 5: the sink keeps to the server's keep-alive by a second connection, and asks for it from then on") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  const auto connack = [&](std::uint32_t seconds) {
    PropertyWriter properties;
    properties.number(PropertyId::server_keep_alive, seconds);
    broker.send(Connack{false, 0, properties.bytes()});
  };
  const auto serves = [&](const char* body) {
    runner.append("out", body);
    const Seen seen = read_publish(broker);
    CHECK(seen.payload == body);
    answer(broker, PacketType::puback, seen.packet_id);
    CHECK(runner.done());
  };
  CHECK(broker.accept().keep_alive_seconds == 60);
  connack(2);
  CHECK(std::holds_alternative<Disconnect>(broker.read()));
  CHECK(broker.accept().keep_alive_seconds == 2);
  connack(2);
  CHECK(std::holds_alternative<Pingreq>(broker.read()));
  broker.send_raw(std::string_view("\xd0\x00", 2));  // PINGRESP
  broker.close();
  // Remembered. A longer one costs no connection, and is asked for by the next; ours is the longest.
  CHECK(broker.accept().keep_alive_seconds == 2);
  connack(90);
  serves("1");
  broker.close();
  CHECK(broker.accept().keep_alive_seconds == 60);
  connack(0);
  serves("2");
  broker.close();
  CHECK(broker.accept().keep_alive_seconds == 60);
  broker.send(Connack{false, 0, {}});
  serves("3");
}

TEST_CASE("a broker that confirms nothing is left and tried anew") {
  ScriptedBroker broker;
  SinkSettings settings = SinkRunner::settings(broker.url());
  settings.timeout = 1s;
  SinkRunner runner(std::move(settings));
  accept(broker);
  runner.append("out", "1");
  read_publish(broker);
  CHECK(broker.closed());
  accept(broker);
  const Seen again = read_publish(broker);
  answer(broker, PacketType::puback, again.packet_id);
  CHECK(runner.done());
}

TEST_CASE("a broker's reason for ending the connection is told, with the record if it was the only one") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  accept(broker);
  runner.append("out/far", "12345");
  read_publish(broker);
  PropertyWriter properties;
  properties.text(PropertyId::reason_string, "no more of these");
  broker.send(Disconnect{0x99, properties.bytes()});
  broker.close();
  const std::string expected = "the broker disconnects us: " + reason_text(0x99) +
                               ": no more of these; only a record to 'out/far' was on the way, its body 5 bytes";
  CHECK_MESSAGE(eventually(5s, [&] { return runner.link.why() == expected; }), runner.link.why());
}

TEST_CASE("a refused connection is told and tried again") {
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings(broker.url()));
  broker.accept();
  broker.send(Connack{false, 0x87, {}});
  CHECK_MESSAGE(eventually(5s, [&] { return runner.link.why().find("not authorized") != std::string::npos; }),
                runner.link.why());
  accept(broker);
  CHECK(eventually(5s, [&] { return runner.link.state() == status::LinkStatus::State::up; }));
}

TEST_CASE("why no connection comes about is told in words") {
  const auto says = [](const std::string& url, const std::string& what) {
    SinkRunner runner(SinkRunner::settings(url));
    CHECK_MESSAGE(eventually(10s, [&] { return runner.link.why().find(what) != std::string::npos; }),
                  runner.link.why());
  };
  std::string gone;
  {
    const ScriptedBroker broker;
    gone = broker.authority();
  }
  says("mqtt://" + gone, "Connection refused");
  says("ws://" + gone, "Connection refused");
  says("mqtt://nowhere.invalid", "nowhere.invalid");
  ScriptedBroker broker;
  SinkRunner runner(SinkRunner::settings("ws://" + broker.authority()));
  broker.accept_only();
  broker.close();  // the library's
  broker.accept_only();
  broker.send_raw("HTTP/1.1 404 Not Found\r\n\r\n");
  CHECK_MESSAGE(eventually(10s, [&] { return runner.link.why().find("404") != std::string::npos; }), runner.link.why());
}

TEST_CASE("a broker that gave our session to another client is left alone for long") {
  ScriptedBroker broker;
  SinkSettings settings = SinkRunner::settings(broker.url());
  settings.long_backoff = {30s, 30s};
  SinkRunner runner(std::move(settings));
  accept(broker);
  broker.send(Disconnect{reason::kSessionTakenOver, {}});
  broker.close();
  CHECK(eventually(5s, [&] { return runner.reporter.count(Event::session_taken_over) == 1; }));
  CHECK(broker.nobody_comes(300));
}

TEST_CASE("a TLS file that is not there is named, and so is why a handshake fails") {
  const auto says = [](const SinkSettings& settings, const std::string& what) {
    SinkRunner runner(settings);
    CHECK_MESSAGE(eventually(10s, [&] { return runner.link.why().find(what) != std::string::npos; }),
                  runner.link.why());
  };
  ScriptedBroker broker;
  SinkSettings settings = SinkRunner::settings("mqtts://" + broker.authority());
  settings.tls.ca = "/no/such.pem";
  says(settings, "ca '/no/such.pem': No such file or directory");
  settings.tls.ca.clear();
  SinkRunner runner(settings);
  broker.accept_only();
  broker.close();  // the library's
  broker.accept_only();
  broker.send_raw("this is no TLS\n");
  CHECK_MESSAGE(eventually(10s, [&] { return runner.link.why().find("wrong version number") != std::string::npos; }),
                runner.link.why());
}

TEST_CASE("stopping waits for the confirms on the way") {
  ScriptedBroker broker;
  SinkSettings settings = SinkRunner::settings(broker.url());
  settings.drain = 30s;
  SinkRunner runner(std::move(settings));
  accept(broker);
  runner.append("out", "1");
  const Seen seen = read_publish(broker);
  runner.thread.request_stop();
  answer(broker, PacketType::puback, seen.packet_id);
  CHECK(std::holds_alternative<Disconnect>(broker.read()));
  runner.stop();
  CHECK(runner.outlet.settled() == 1);
}

}  // namespace
}  // namespace railhead::mqtt
