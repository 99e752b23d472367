#include "adapters/mqtt/source.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <thread>

#include "adapters/mqtt/batch.h"
#include "adapters/mqtt/properties.h"
#include "adapters/mqtt/unwrap.h"
#include "gateway/base/bytes.h"
#include "tests/adapters/mqtt/scripted_broker.h"
#include "tests/adapters/mqtt/source_runner.h"

namespace railhead::mqtt {
namespace {

using namespace std::chrono_literals;
using status::Event;
using test::eventually;

Publish message(std::uint8_t qos, std::uint16_t id, std::string_view payload, bool dup = false) {
  Publish made;
  made.qos = qos;
  made.packet_id = id;
  made.topic = "plant/pump/x";
  made.payload = payload;
  made.dup = dup;
  return made;
}

TEST_CASE("no PUBACK leaves before the disk has the message, then all leave in order") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()), true);
  broker.welcome();
  for (std::uint16_t id = 1; id <= 50; ++id) broker.send(message(1, id, std::to_string(id)));
  REQUIRE(runner.reaches(50));
  CHECK(broker.silent(100));
  CHECK(runner.intake.acknowledged_ids().empty());
  runner.intake.let_through();
  for (std::uint16_t id = 1; id <= 50; ++id) CHECK(broker.read_ack(PacketType::puback).packet_id == id);
  CHECK(eventually(5s, [&] { return runner.intake.acknowledged_ids().size() == 50; }));
}

TEST_CASE("ack: received answers before the disk") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.ack = AckPolicy::received;
  SourceRunner runner(std::move(settings), true);
  broker.welcome();
  broker.send(message(1, 1, "1"));
  CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
}

TEST_CASE("QoS 2 over a lost connection: one reading, however often the PUBLISH comes") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url(), 2), true);
  broker.welcome();
  broker.send(message(2, 5, "1"));
  REQUIRE(runner.reaches(1));
  CHECK(broker.silent(50));
  broker.close();
  broker.welcome(true, false);
  broker.send(message(2, 5, "1", true));
  broker.send(message(2, 5, "1", true));
  CHECK(broker.silent(50));
  runner.intake.let_through();
  CHECK(broker.read_ack(PacketType::pubrec).packet_id == 5);
  CHECK(broker.read_ack(PacketType::pubrec).packet_id == 5);
  CHECK(runner.intake.size() == 1);
  CHECK(runner.intake.open_count() == 1);

  broker.close();
  broker.welcome(true, false);
  broker.send(Ack{PacketType::pubrel, 5, 0, {}});
  CHECK(broker.silent(50));
  runner.intake.let_through();
  CHECK(broker.read_ack(PacketType::pubcomp).packet_id == 5);
  CHECK(runner.intake.open_count() == 0);
  // A PUBREL again, and one never heard of.
  broker.send(Ack{PacketType::pubrel, 5, 0, {}});
  broker.send(Ack{PacketType::pubrel, 77, 0, {}});
  CHECK(broker.read_ack(PacketType::pubcomp).packet_id == 5);
  CHECK(broker.read_ack(PacketType::pubcomp).packet_id == 77);
  // The identifier is free for another message.
  broker.send(message(2, 5, "2"));
  REQUIRE(runner.reaches(2));
}

TEST_CASE("a QoS 2 identifier is closed by its PUBREL under another name of the broker, also after a restart") {
  ScriptedBroker broker;
  ScriptedBroker same;  // its other name
  SourceRunner runner(SourceRunner::settings(broker.url(), 2));
  broker.welcome();
  broker.send(message(2, 5, "1"));
  CHECK(broker.read_ack(PacketType::pubrec).packet_id == 5);
  runner.stop();
  runner.start(SourceRunner::settings(same.url(), 2));
  same.welcome(true);
  same.send(Ack{PacketType::pubrel, 5, 0, {}});
  CHECK(same.read_ack(PacketType::pubcomp).packet_id == 5);
  CHECK(runner.intake.open_count() == 0);
  runner.stop();
  // Another client's stay open.
  runner.start(SourceRunner::settings(broker.url(), 2));
  broker.welcome(true);
  broker.send(message(2, 5, "1"));
  REQUIRE(runner.reaches(2));
  runner.stop();
  SourceSettings settings = SourceRunner::settings(same.url(), 2);
  settings.session.client_id = "another";
  runner.start(std::move(settings));
  same.welcome(true);
  same.send(Ack{PacketType::pubrel, 5, 0, {}});
  CHECK(same.read_ack(PacketType::pubcomp).packet_id == 5);
  CHECK(runner.intake.open_count() == 1);
}

TEST_CASE(
    "a session lost under one name of the broker is doubted under the other: no new message is taken for a repeat") {
  ScriptedBroker broker;
  ScriptedBroker same;  // its other name
  SourceSettings settings = SourceRunner::settings(broker.url(), 2);
  settings.urls.push_back(*parse_url(same.url()));
  SourceRunner runner(std::move(settings));
  broker.welcome();
  broker.send(message(2, 5, "1"));
  CHECK(broker.read_ack(PacketType::pubrec).packet_id == 5);
  broker.send(message(2, 6, "2"));
  CHECK(broker.read_ack(PacketType::pubrec).packet_id == 6);
  const auto refuse = [](ScriptedBroker& at) {  // what is lost is tried there once more
    at.close();
    at.accept_only();
    at.close();
  };
  refuse(broker);
  same.welcome(false);
  REQUIRE(eventually(5s, [&] { return runner.intake.sessions_lost() == 2; }));
  refuse(same);
  broker.welcome(true);
  broker.send(message(2, 6, "2", true));
  CHECK(broker.read_ack(PacketType::pubrec).packet_id == 6);
  CHECK(runner.intake.size() == 2);
  broker.send(message(2, 5, "1"));
  CHECK(broker.read_ack(PacketType::pubrec).packet_id == 5);
  CHECK(runner.intake.size() == 3);
}

TEST_CASE("what an earlier configuration subscribed is unsubscribed, under each name of the broker, once") {
  ScriptedBroker broker;
  ScriptedBroker same;
  const auto unsubscribed = [](ScriptedBroker& at) {
    const Packet packet = at.read();
    REQUIRE(std::holds_alternative<Unsubscribe>(packet));
    const auto& unsubscribe = std::get<Unsubscribe>(packet);
    const std::string filter(unsubscribe.topics.at(0));
    at.send(Unsuback{unsubscribe.packet_id, {}, std::string_view("\x00", 1)});
    return filter;
  };
  SourceRunner runner(SourceRunner::settings(broker.url()));
  broker.welcome();
  REQUIRE(eventually(5s, [&] { return !runner.intake.kept_note().empty(); }));
  for (const char* pattern : {"hall/{device}", "$share/group/hall/{device}"}) {
    runner.stop();
    runner.start(SourceRunner::settings(broker.url(), 1, pattern));
    broker.welcome(true);
    CHECK(unsubscribed(broker) == (std::string(pattern) == "hall/{device}" ? "plant/+/#" : "hall/+"));
    broker.send(message(1, 1, "1"));
    CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
  }
  runner.stop();
  runner.start(SourceRunner::settings(same.url(), 1, "hall/{device}"));
  same.welcome(true);
  CHECK(unsubscribed(same) == "$share/group/hall/+");
  same.send(message(1, 1, "1"));
  CHECK(same.read_ack(PacketType::puback).packet_id == 1);
  runner.stop();
  runner.start(SourceRunner::settings(same.url(), 1, "hall/{device}"));
  same.welcome(true);
  CHECK(same.silent(50));
  CHECK(runner.reporter.count(Event::session_left) == 0);
  // Another session: what comes for the old one is nobody's.
  runner.stop();
  SourceSettings settings = SourceRunner::settings(same.url(), 1, "hall/{device}");
  settings.session.client_id = "another";
  runner.start(std::move(settings));
  same.welcome(true);
  CHECK(same.silent(50));
  CHECK(runner.reporter.count(Event::session_left) == 1);
}

TEST_CASE("a redelivery after a lost connection is recognised and acknowledged") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()), true);
  broker.welcome();
  broker.send(message(1, 3, "1"));
  REQUIRE(runner.reaches(1));
  broker.close();
  broker.welcome(true, false);
  broker.send(message(1, 3, "1", true));
  REQUIRE(eventually(5s, [&] { return runner.intake.redelivered() == 1; }));
  CHECK(broker.silent(50));
  runner.intake.let_through();
  CHECK(broker.read_ack(PacketType::puback).packet_id == 3);
  CHECK(runner.intake.size() == 1);
}

TEST_CASE("after its PUBACK an identifier is a new message's, whatever DUP says") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  broker.welcome();
  for (std::size_t times = 1; times <= 3; ++times) {
    broker.send(message(1, 1, "1", times > 1));
    CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
    REQUIRE(eventually(5s, [&] { return runner.intake.acknowledged_ids().size() == times; }));
    CHECK(runner.intake.size() == times);
  }
  CHECK(runner.intake.redelivered() == 0);
}

TEST_CASE("while the intake takes nothing, nothing is acknowledged or read, pings go on, and nothing is lost") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.session.keep_alive_seconds = 1;
  SourceRunner runner(std::move(settings));
  broker.welcome();
  runner.intake.fail_with(Errc::full);
  broker.send(message(1, 1, "1"));
  broker.send(message(0, 0, "2"));
  broker.send(message(1, 3, "not json"));
  REQUIRE(eventually(5s, [&] { return runner.link.state() == status::LinkStatus::State::degraded; }));
  // Far more than any buffer of ours: it stays with the broker.
  std::string flood;
  for (int i = 0; i < 20'000; ++i) encode(broker.version(), message(0, 0, '"' + std::string(1000, 'x') + '"'), flood);
  const std::size_t went = broker.send_what_fits(flood);
  CHECK(went < flood.size());
  CHECK(runner.link.held() == 2);
  // Silent for longer than the keep-alive, and still there: pings come.
  for (int i = 0; i < 4; ++i) CHECK(std::holds_alternative<Pingreq>(broker.read()));
  CHECK(runner.intake.size() == 0);
  runner.intake.fail_with(std::nullopt);
  CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
  CHECK(broker.read_ack(PacketType::puback).packet_id == 3);
  REQUIRE(runner.intake.refused().size() == 1);
  CHECK(runner.intake.refused()[0].payload == "not json");
  CHECK(runner.intake.refused()[0].device == "pump");
  const std::size_t whole = went / (flood.size() / 20'000);
  CHECK(runner.reaches(2 + whole));
  CHECK(runner.connected());
}

// Times that the sources' threads went to sleep.
std::uint64_t sleeps() {
  std::uint64_t total = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (test::read_file(task.path() / "comm") != "source\n") continue;
    std::istringstream status(test::read_file(task.path() / "status"));
    const std::string name = "voluntary_ctxt_switches:";
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(name)) total += std::stoull(line.substr(name.size()));
    }
  }
  return total;
}

TEST_CASE("an idle connection costs no wake-up but its keep-alive's") {
  std::vector<std::unique_ptr<ScriptedBroker>> brokers;
  std::vector<std::unique_ptr<SourceRunner>> runners;
  for (std::uint16_t i = 0; i < 10; ++i) {
    brokers.push_back(std::make_unique<ScriptedBroker>());
    runners.push_back(std::make_unique<SourceRunner>(SourceRunner::settings(brokers.back()->url())));
    brokers.back()->welcome();
    brokers.back()->send(message(1, 1, "1"));
    CHECK(brokers.back()->read_ack(PacketType::puback).packet_id == 1);
  }
  const system::SystemClock clock;
  // What the watchdog is told: none turns before the first ping, half the keep-alive from here.
  CHECK(eventually(10s, [&] {
    return std::all_of(runners.begin(), runners.end(),
                       [&](const auto& runner) { return runner->link.last_progress() > clock.boot_now() + 20s; });
  }));
  const std::uint64_t before = sleeps();
  CHECK(before >= runners.size());
  std::this_thread::sleep_for(3s);
  CHECK(sleeps() - before < runners.size());
}

TEST_CASE("a connection that is lost with a batch in hand comes back after the batch was taken") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  broker.welcome();
  runner.intake.fail_with(Errc::io);
  broker.send(message(0, 0, "1"));
  REQUIRE(eventually(5s, [&] { return runner.link.state() == status::LinkStatus::State::degraded; }));
  CHECK(runner.link.held() == 0);
  broker.close();
  runner.intake.fail_with(std::nullopt);
  REQUIRE(runner.reaches(1));
  broker.welcome(true, false);
}

TEST_CASE("a malformed payload is set aside with its bytes before it is acknowledged") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()), true);
  broker.welcome();
  broker.send(message(1, 1, "{broken"));
  REQUIRE(eventually(5s, [&] { return runner.intake.refused().size() == 1; }));
  CHECK(runner.intake.refused()[0].topic == "plant/pump/x");
  CHECK(runner.intake.refused()[0].payload == "{broken");
  CHECK_FALSE(runner.intake.refused()[0].why.what.empty());
  CHECK(broker.silent(50));
  CHECK(runner.reporter.count(Event::payload_refused) == 1);
  runner.intake.let_through();
  CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
}

TEST_CASE("what a publisher can say wrong of its payload blocks nothing: it is read as the bytes it is") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  broker.welcome();
  const std::string format("\x01\x02", 2);
  Publish odd = message(1, 1, "1");
  odd.properties = format;
  broker.send(odd);
  broker.send(message(1, 2, "2"));
  CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
  CHECK(broker.read_ack(PacketType::puback).packet_id == 2);
  CHECK(runner.intake.size() == 2);
}

TEST_CASE("a packet above max_packet is set aside by its beginning, and its neighbours go on") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.session.packet_bytes_max = 300'000;
  SourceRunner runner(std::move(settings));
  broker.welcome();
  broker.send(message(1, 1, "1"));
  broker.send(message(1, 2, std::string(1'000'000, '7')));
  broker.send(message(1, 3, '"' + std::string(250'000, 'x') + '"'));
  broker.send(message(1, 4, "4"));
  for (std::uint16_t id = 1; id <= 4; ++id) CHECK(broker.read_ack(PacketType::puback).packet_id == id);
  CHECK(runner.intake.size() == 3);
  REQUIRE(runner.intake.refused().size() == 1);
  CHECK(runner.intake.refused()[0].payload.size() > 60'000);
}

TEST_CASE("a packet above max_packet whose properties alone are too large is set aside as any other") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.session.packet_bytes_max = 1024;
  SourceRunner runner(std::move(settings));
  broker.welcome();
  PropertyWriter properties;
  for (int i = 0; i < 10; ++i) properties.user("name", std::string(30'000, 'u'));
  const std::string payload(100'000, '7');
  for (const std::uint8_t qos : {std::uint8_t{1}, std::uint8_t{2}}) {
    Publish large = message(qos, qos, payload);
    large.properties = properties.bytes();
    broker.send(large);
  }
  broker.send(message(1, 3, "3"));
  CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
  CHECK(broker.read_ack(PacketType::pubrec).packet_id == 2);
  CHECK(broker.read_ack(PacketType::puback).packet_id == 3);
  CHECK(runner.intake.size() == 1);
  REQUIRE(runner.intake.refused().size() == 2);
  CHECK(runner.intake.refused()[0].topic == "plant/pump/x");
  CHECK(runner.intake.refused()[0].payload == std::string(1024, '7'));
  CHECK(runner.reporter.count(Event::source_lost) == 0);
}

TEST_CASE("a topic that no pattern names is acknowledged, counted and told") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  broker.welcome();
  Publish stale = message(1, 1, "1");
  stale.topic = "elsewhere";
  broker.send(stale);
  CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
  CHECK(runner.intake.ignored_count() == 1);
  CHECK(runner.reporter.count(Event::subscription_stale) == 1);
}

TEST_CASE("a broker that knows only 3.1.1 is spoken to in 3.1.1") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  CHECK(broker.accept().version == Version::v5);
  SUBCASE("it refuses in its own form") {
    broker.send_raw(*base::from_hex("20020001"));
    CHECK(broker.closed());
  }
  SUBCASE("it just closes") { broker.close(); }
  broker.welcome();
  CHECK(broker.version() == Version::v3_1_1);
  CHECK(eventually(5s, [&] { return runner.connected(); }));
}

TEST_CASE("a version is settled by the broker's word or by two silences, and asked again when it is refused") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  const auto version_of_next = [&] {
    broker.close();
    broker.welcome();
    return broker.version();
  };
  SUBCASE("one connection that was cut does not condemn it to 3.1.1") {
    broker.accept();
    CHECK(version_of_next() == Version::v3_1_1);
    CHECK(version_of_next() == Version::v5);
    broker.close();
    broker.accept();
    CHECK(broker.version() == Version::v5);  // cut again, now it is known
    CHECK(version_of_next() == Version::v5);
  }
  SUBCASE("an old broker that never says why is asked twice") {
    for (int i = 0; i < 2; ++i) {
      broker.close();
      broker.accept();
      REQUIRE(broker.version() == Version::v5);
      CHECK(version_of_next() == Version::v3_1_1);
    }
    CHECK(version_of_next() == Version::v3_1_1);
  }
  SUBCASE("a broker that took MQTT 5 and was replaced by an old one") {
    CHECK(version_of_next() == Version::v5);
    broker.close();
    broker.accept();
    broker.send_raw(*base::from_hex("20020001"));
    CHECK(broker.closed());
    CHECK(version_of_next() == Version::v3_1_1);
    CHECK(version_of_next() == Version::v3_1_1);
  }
}

TEST_CASE("a session the broker forgot is told and subscribed anew") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  broker.welcome();
  CHECK(eventually(5s, [&] { return runner.connected(); }));
  CHECK(runner.reporter.count(Event::session_lost) == 0);
  broker.close();
  broker.welcome(false);
  CHECK(eventually(5s, [&] { return runner.reporter.count(Event::session_lost) == 1; }));
  CHECK(runner.intake.sessions_lost() == 2);
  // So is one that it forgot while this process was away.
  REQUIRE(eventually(5s, [&] { return !runner.intake.kept_note().empty(); }));
  runner.stop();
  runner.start(SourceRunner::settings(broker.url()));
  broker.welcome();
  CHECK(eventually(5s, [&] { return runner.reporter.count(Event::session_lost) == 2; }));
}

TEST_CASE("a refused subscription degrades the source and is told") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  broker.accept();
  broker.send(Connack{false, 0, {}});
  const Packet packet = broker.read();
  broker.send(Suback{std::get<Subscribe>(packet).packet_id, {}, std::string_view("\x87", 1)});
  CHECK(eventually(5s, [&] { return runner.reporter.count(Event::subscription_refused) == 1; }));
  CHECK(runner.link.state() == status::LinkStatus::State::degraded);
}

TEST_CASE("wrong credentials leave the source down, with the reason, and are tried again") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.user = "u";
  settings.password = config::Secret::plain("wrong");
  SourceRunner runner(std::move(settings));
  const Connect connect = broker.accept();
  CHECK(connect.user == "u");
  CHECK(connect.password == "wrong");
  broker.send(Connack{false, reason::kNotAuthorized, {}});
  CHECK(eventually(5s, [&] { return runner.link.state() == status::LinkStatus::State::down; }));
  CHECK(runner.link.why().find("not authorized") != std::string::npos);
  broker.accept();
}

TEST_CASE("a password that MQTT cannot carry is told, and nothing is sent") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.password = config::Secret::plain(std::string(65'536, 'x'));
  const SourceRunner runner(std::move(settings));
  CHECK(eventually(5s, [&] { return runner.link.why().find("longer than the 65,535 bytes") != std::string::npos; }));
  CHECK(broker.nobody_comes(50));
}

TEST_CASE("a broker that breaks the protocol is left with a reason, what came before it is kept, and tried again") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  broker.welcome();
  std::string bytes;
  encode(broker.version(), message(1, 1, "1"), bytes);
  broker.send_raw(bytes + *base::from_hex("30ffffffff7f"));
  const Packet packet = broker.read();
  REQUIRE(std::holds_alternative<Disconnect>(packet));
  CHECK(std::get<Disconnect>(packet).reason == reason::kMalformed);
  CHECK(broker.closed());
  CHECK(runner.reaches(1));
  broker.welcome(true, false);
  CHECK(runner.reporter.count(Event::source_lost) == 1);
}

TEST_CASE("a broker that falls silent is left within the keep-alive") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.session.keep_alive_seconds = 1;
  SourceRunner runner(std::move(settings));
  broker.welcome();
  CHECK(broker.closed());
  broker.accept();
}

TEST_CASE("stopping acknowledges what is durable and says goodbye without dropping the session") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.drain = 30s;
  SourceRunner runner(std::move(settings), true);
  broker.welcome();
  broker.send(message(1, 1, "1"));
  REQUIRE(runner.reaches(1));
  runner.thread.request_stop();
  runner.intake.let_through();
  CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
  const Packet packet = broker.read();
  REQUIRE(std::holds_alternative<Disconnect>(packet));
  CHECK(std::get<Disconnect>(packet).reason == reason::kSuccess);
  broker.close();
  runner.stop();
}

TEST_CASE("of several URLs the next is tried when one does not serve") {
  ScriptedBroker busy;
  ScriptedBroker good;
  SourceSettings settings = SourceRunner::settings(busy.url());
  settings.urls.insert(settings.urls.begin(), *parse_url("mqtt://127.0.0.1:1"));  // nobody listens
  settings.urls.push_back(*parse_url(good.url()));
  SourceRunner runner(std::move(settings));
  busy.accept();
  busy.send(Connack{false, reason::kServerBusy, {}});
  good.welcome();
  CHECK(eventually(5s, [&] { return runner.connected(); }));
  // A connection that was lost is first tried again where its session is.
  good.close();
  good.welcome(true, false);
}

TEST_CASE("an identifier closed under one URL is closed under the others, which may lead to the same session") {
  ScriptedBroker first;
  ScriptedBroker second;
  SourceSettings settings = SourceRunner::settings(first.url(), 2);
  settings.urls.push_back(*parse_url(second.url()));
  SourceRunner runner(std::move(settings));
  first.welcome();
  first.send(message(2, 5, "1"));
  CHECK(first.read_ack(PacketType::pubrec).packet_id == 5);
  first.send(Disconnect{reason::kServerBusy, {}});
  second.welcome(true);
  second.send(Ack{PacketType::pubrel, 5, 0, {}});
  CHECK(second.read_ack(PacketType::pubcomp).packet_id == 5);
  second.send(Disconnect{reason::kServerBusy, {}});
  first.welcome(true);
  first.send(message(2, 5, "1"));  // a new message with the content of the old one
  CHECK(first.read_ack(PacketType::pubrec).packet_id == 5);
  CHECK(runner.reaches(2));
}

TEST_CASE("a source whose session was taken over does not fight for it") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.long_backoff = {1h, 2h};
  SourceRunner runner(std::move(settings));
  broker.welcome();
  broker.send(Disconnect{reason::kSessionTakenOver, {}});
  CHECK(broker.closed());
  CHECK(eventually(5s, [&] { return runner.reporter.count(Event::session_taken_over) == 1; }));
  CHECK(broker.nobody_comes(500));
}

TEST_CASE("a source that is thrown out again and again without a word does not fight for its session") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.long_backoff = {1h, 2h};
  settings.short_life = 1h;
  SourceRunner runner(std::move(settings));
  for (int times = 0; times < 4; ++times) {
    CHECK(runner.reporter.count(Event::session_taken_over) == 0);
    broker.welcome(times > 0, times == 0);
    REQUIRE(eventually(5s, [&] { return runner.connected(); }));
    broker.close();
    REQUIRE(eventually(5s, [&] { return !runner.connected(); }));
  }
  CHECK(eventually(5s, [&] { return runner.reporter.count(Event::session_taken_over) == 1; }));
  CHECK(broker.nobody_comes(500));
}

TEST_CASE("connections that a bad line breaks, however soon, are no fight for the session") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.long_backoff = {1h, 2h};
  settings.short_life = 1h;
  SourceRunner runner(std::move(settings));
  for (int times = 0; times < 7; ++times) {
    broker.welcome(times > 0, times == 0);
    REQUIRE(eventually(5s, [&] { return runner.connected(); }));
    // Among them two that the broker closed.
    times % 3 == 1 ? broker.close() : broker.reset();
    REQUIRE(eventually(5s, [&] { return !runner.connected(); }));
  }
  broker.welcome(true, false);
  CHECK(runner.reporter.count(Event::session_taken_over) == 0);
}

TEST_CASE("a broker's server reference is followed only when that is allowed, and not in circles") {
  ScriptedBroker broker;
  ScriptedBroker other;
  const auto sends_away = [](ScriptedBroker& from, const ScriptedBroker& to) {
    from.accept();
    PropertyWriter properties;
    properties.text(PropertyId::server_reference, to.authority());
    from.send(Connack{false, reason::kUseAnotherServer, properties.bytes()});
  };
  SUBCASE("not allowed") {
    SourceRunner runner(SourceRunner::settings(broker.url()));
    sends_away(broker, other);
    CHECK(eventually(5s, [&] { return runner.reporter.count(Event::broker_redirects) == 1; }));
    broker.accept();
    CHECK(other.nobody_comes(100));
  }
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.follow_redirects = true;
  SUBCASE("allowed") {
    SourceRunner runner(std::move(settings));
    sends_away(broker, other);
    other.welcome();
    CHECK(eventually(5s, [&] { return runner.connected(); }));
  }
  SUBCASE("in circles") {
    settings.backoff = {1h, 2h};
    SourceRunner runner(std::move(settings));
    sends_away(broker, other);
    sends_away(other, broker);
    sends_away(broker, other);
    sends_away(other, broker);
    CHECK(broker.nobody_comes(300));
    CHECK(runner.reporter.count(Event::broker_redirects) == 4);
  }
  SUBCASE("in circles behind CONNACK") {
    const auto sends_away_later = [](ScriptedBroker& from, const ScriptedBroker& to) {
      from.accept();
      PropertyWriter properties;
      properties.text(PropertyId::server_reference, to.authority());
      std::string bytes;
      encode(Version::v5, Connack{true, 0, {}}, bytes);
      encode(Version::v5, Disconnect{reason::kUseAnotherServer, properties.bytes()}, bytes);
      from.send_raw(bytes);
    };
    settings.backoff = {1h, 2h};
    SourceRunner runner(std::move(settings));
    SUBCASE("of two") {
      sends_away_later(broker, other);
      sends_away_later(other, broker);
      sends_away_later(broker, other);
      sends_away_later(other, broker);
    }
    SUBCASE("of one") {
      for (int i = 0; i < 4; ++i) sends_away_later(broker, broker);
    }
    CHECK(broker.nobody_comes(300));
    CHECK(runner.reporter.count(Event::broker_redirects) == 4);
  }
}

TEST_CASE("a broker that keeps the session for less than asked is told") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  broker.accept();
  PropertyWriter properties;
  properties.number(PropertyId::session_expiry, 60);
  broker.send(Connack{false, 0, properties.bytes()});
  CHECK(eventually(5s, [&] { return runner.reporter.count(Event::session_shortened) == 1; }));
}

TEST_CASE("a message that is split becomes a reading of each element, once, with its own time") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.rows[0].split = std::make_shared<FixedExpression>([](const Reading& reading) { return reading.value; });
  settings.rows[0].time = std::make_shared<FixedExpression>([](const Reading& reading) {
    if (!reading.value.is(Kind::integer)) return Value::error("no such key: ts");
    constexpr std::int64_t kYearOne = -62'135'596'800;
    return reading.value.as_integer() == 1 ? Value::timestamp(kYearOne, 0)
                                           : Value::timestamp(Time{std::chrono::seconds{reading.value.as_integer()}});
  });
  SourceRunner runner(std::move(settings), true);
  broker.welcome();
  broker.send(message(1, 1, "[10,1,\"x\"]"));
  broker.send(message(1, 2, "[]"));
  broker.send(message(1, 3, "{}"));
  REQUIRE(eventually(5s, [&] { return runner.intake.refused().size() == 1; }));
  CHECK(runner.intake.refused()[0].payload == "{}");
  CHECK(runner.intake.refused()[0].why.what.find("list") != std::string::npos);
  const std::vector<Reading> readings = runner.intake.readings();
  REQUIRE(readings.size() == 3);
  CHECK(readings[0].time == Time{10s});
  CHECK(readings[1].time > Time{20s});  // arrival: the year 1 is no time
  CHECK(readings[1].value.as_integer() == 1);
  CHECK(readings[0].kept_token() == nullptr);
  REQUIRE(readings[2].kept_token() != nullptr);
  CHECK(readings[2].time > Time{20s});  // arrival
  CHECK(runner.intake.ignored_count() == 1);
  CHECK(runner.reporter.count(Event::payload_time_missing) == 1);

  // The same again after a lost connection: nothing of it is read twice.
  broker.close();
  broker.welcome(true, false);
  broker.send(message(1, 1, "[10,1,\"x\"]", true));
  broker.send(message(0, 0, "[30]"));
  REQUIRE(runner.reaches(4));
  CHECK(runner.intake.readings()[3].value.as_integer() == 30);
  runner.intake.let_through();
  CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
  CHECK(runner.intake.redelivered() == 1);
}

TEST_CASE("payloads that unpack to much are offered a few at a time, each once, also after the intake refused some") {
  constexpr std::size_t kUnpacked = 600 * 1024;  // two of them pass the bound
  constexpr std::uint16_t kMessages = 64;
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.rows[0].payload = PayloadFormat::text;
  settings.rows[0].compression = Compression::gzip;
  SourceRunner runner(std::move(settings));
  broker.welcome();
  runner.intake.fail_with(Errc::full);
  std::string packets;
  for (std::uint16_t id = 1; id <= kMessages; ++id) {
    const std::string payload = gzip(std::string(kUnpacked, static_cast<char>(' ' + id)));
    encode(Version::v5, message(1, id, payload), packets);
  }
  broker.send_raw(packets);
  REQUIRE(eventually(5s, [&] { return runner.link.state() == status::LinkStatus::State::degraded; }));
  runner.intake.fail_with(std::nullopt);
  for (std::uint16_t id = 1; id <= kMessages; ++id) CHECK(broker.read_ack(PacketType::puback).packet_id == id);
  const std::vector<Reading> readings = runner.intake.readings();
  REQUIRE(readings.size() == kMessages);
  for (std::size_t i = 0; i < kMessages; ++i) {
    REQUIRE(readings[i].value.as_text() == std::string(kUnpacked, static_cast<char>('!' + i)));
  }
  CHECK(runner.intake.largest_offer() == 2);
}

TEST_CASE("messages that are split into many readings are offered a few at a time") {
  constexpr std::size_t kParts = 3000;
  constexpr std::uint16_t kMessages = 30;
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.rows[0].split = std::make_shared<FixedExpression>([](const Reading& reading) { return reading.value; });
  SourceRunner runner(std::move(settings));
  broker.welcome();
  std::string payload = "[0";
  for (std::size_t i = 1; i < kParts; ++i) payload += ",0";
  payload += ']';
  std::string packets;
  for (std::uint16_t id = 1; id <= kMessages; ++id) encode(Version::v5, message(1, id, payload), packets);
  broker.send_raw(packets);
  for (std::uint16_t id = 1; id <= kMessages; ++id) CHECK(broker.read_ack(PacketType::puback).packet_id == id);
  CHECK(runner.intake.size() == kMessages * kParts);
  CHECK(runner.intake.largest_offer() <= Batch::kPartBytes / sizeof(Reading) + kParts);
}

TEST_CASE("who sent a payload that cannot be read is told on its response topic, if that is wished") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  const bool wished = [] {
    bool asked = false;
    SUBCASE("wished") { asked = true; }
    SUBCASE("not wished") {}
    return asked;
  }();
  settings.answer_refused = wished;
  SourceRunner runner(std::move(settings));
  broker.welcome();
  const auto ask = [&](std::uint16_t id, const char* topic) {
    PropertyWriter properties;
    properties.text(PropertyId::response_topic, topic)
        .text(PropertyId::correlation_data, std::string_view("\0\xff", 2));
    Publish one = message(1, id, "{");
    one.properties = properties.bytes();
    broker.send(one);
  };
  ask(1, "answers/#");  // no topic one can publish to
  ask(2, "answers/7");
  if (wished) {
    // Both may come in one read: then the answer is before either PUBACK.
    Packet packet = broker.read();
    if (std::holds_alternative<Ack>(packet)) packet = broker.read();
    REQUIRE(std::holds_alternative<Publish>(packet));
    const auto& answer = std::get<Publish>(packet);
    CHECK(answer.topic == "answers/7");
    CHECK(answer.qos == 0);
    CHECK(answer.payload.find(R"({"error":"not JSON)") == 0);
    CHECK(text_of(answer.properties, PropertyId::correlation_data) == std::string_view("\0\xff", 2));
  } else {
    CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
    CHECK(broker.read_ack(PacketType::puback).packet_id == 2);
  }
}

TEST_CASE("stopping reads what is on its way to its end, so that the broker gets every acknowledgement") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.drain = 30s;
  SourceRunner runner(std::move(settings));
  broker.welcome();
  broker.send(message(1, 1, "1"));
  REQUIRE(runner.reaches(1));
  // The broker goes on sending while the gateway stops: nothing may be left unread, or the connection is reset.
  std::string flood;
  for (int i = 0; i < 2000; ++i) encode(broker.version(), message(0, 0, '"' + std::string(1000, 'x') + '"'), flood);
  runner.thread.request_stop();
  std::size_t sent = 0;
  while (sent < flood.size()) {
    const std::size_t went = broker.send_what_fits(std::string_view(flood).substr(sent));
    if (went == 0 && broker.is_shut()) break;
    sent += went;
  }
  CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
  const Packet packet = broker.read();
  REQUIRE(std::holds_alternative<Disconnect>(packet));
  CHECK(broker.ended_in_order());
  broker.close();
  runner.stop();
}

TEST_CASE("a port of TLS, WebSockets or neither, where another was meant, is told, and what to write instead") {
  struct Row {
    const char* scheme;
    std::string answer;  // empty: the connection is closed
    const char* said;
  };
  const std::string alert("\x15\x03\x01\x00\x02\x02\x46", 7);
  const std::string connack("\x20\x03\x00\x84\x00", 5);
  const std::string http = "HTTP/1.1 400 Bad Request\r\n\r\n";
  const Row rows[] = {
      {"mqtt", alert, "; the port speaks TLS: write mqtts://"},
      {"mqtt", http, "; the port speaks HTTP: write ws:// for MQTT over WebSockets, or another port"},
      {"mqtt", "", "; if the port wants TLS, write mqtts://, if WebSockets, ws://"},
      {"mqtts", connack, "; the port does not speak TLS: write mqtt://, or another port"},
      {"mqtts", http, "; the port speaks HTTP without TLS: write ws://, or another port"},
      {"mqtts", "", "; nothing came back: if the port has no TLS, write mqtt://"},
      {"ws", alert, "; the port speaks TLS: write wss://"},
      {"ws", connack, "; the port does not speak HTTP: write mqtt://, or another port"},
      {"ws", "", "; nothing came back: if the port has no WebSockets, write mqtt://, if TLS, wss://"},
      {"wss", http, "; the port speaks HTTP without TLS: write ws://, or another port"},
      {"wss", "", "; nothing came back: if the port has no TLS, write ws://"},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.said));
    ScriptedBroker broker;
    SourceSettings settings = SourceRunner::settings(broker.url());
    settings.urls = {*parse_url(std::string(row.scheme) + "://" + broker.authority())};
    SourceRunner runner(std::move(settings));
    broker.accept_only();
    broker.read_some();
    row.answer.empty() ? broker.reset() : broker.send_raw(row.answer);
    CHECK_MESSAGE(eventually(5s, [&] { return runner.link.why().ends_with(row.said); }), runner.link.why());
  }
}

TEST_CASE("a port that has served is not doubted when the broker is silent for once") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  broker.welcome();
  broker.close();
  broker.accept();
  broker.close();
  REQUIRE(eventually(5s, [&] { return runner.reporter.count(Event::source_lost) == 2; }));
  CHECK(runner.link.why().find("write") == std::string::npos);
}

// A broker that misbehaves

TEST_CASE("what a misbehaving broker sends costs its connection at most; nothing is lost or doubled") {
  struct Row {
    const char* what;
    std::string bytes;
    bool stays;  // connected
  };
  std::string twice;
  encode(Version::v5, message(1, 9, "9"), twice);
  std::string unknown;
  encode(Version::v5, Ack{PacketType::pubrel, 99, 0x92, {}}, unknown);
  encode(Version::v5, Ack{PacketType::puback, 5, 0, {}}, unknown);
  const std::string huge("\x30\xff\xff\xff\x7f", 5);
  const Row rows[] = {
      {"a PUBACK nobody waits for", *base::from_hex("40020005"), false},
      {"a PUBREC nobody waits for", *base::from_hex("50020005"), false},
      {"a PUBCOMP nobody waits for", *base::from_hex("70020005"), false},
      {"a PUBREL of an unknown identifier", *base::from_hex("62020063"), true},
      {"a SUBACK of an unknown identifier", *base::from_hex("9004006300 01"), false},
      {"a second CONNACK", *base::from_hex("2003000000"), false},
      {"a remaining length without end", *base::from_hex("30ffffffffff"), false},
      {"a packet cut in its middle", *base::from_hex("300a0003612f62"), true},
      {"a packet whose parts are longer than it", *base::from_hex("3004ffff6162"), false},
      {"a PUBLISH with packet identifier 0", *base::from_hex("32060001610000 00"), false},
      {"a packet type that is none", *base::from_hex("0000"), false},
      {"a CONNECT", *base::from_hex("100d00044d5154540502003c00000161"), false},
      {"a PUBLISH of 256 MiB whose topic alone is too large", huge + std::string(70'000, '\xff'), false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    ScriptedBroker broker;
    SourceRunner runner(SourceRunner::settings(broker.url()));
    broker.welcome();
    std::string first;
    encode(broker.version(), message(1, 1, "1"), first);
    broker.send_raw(first + row.bytes);
    REQUIRE(runner.reaches(1));
    if (row.stays) {
      CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
      broker.close();
    } else {
      CHECK(broker.closed());
    }
    // The broker has no PUBACK for certain, and sends it again; it is recognised.
    broker.welcome(true, false);
    broker.send(message(1, 1, "1", true));
    broker.send(message(1, 2, "2"));
    CHECK(broker.read_ack(PacketType::puback).packet_id == 1);
    CHECK(broker.read_ack(PacketType::puback).packet_id == 2);
    CHECK(runner.intake.size() + runner.intake.redelivered() == 3);
    CHECK(runner.reporter.count(Event::source_lost) >= 1);
  }
}

TEST_CASE("a broker that never answers CONNECT, or sends before it answers, is left within a bound") {
  ScriptedBroker broker;
  SourceSettings settings = SourceRunner::settings(broker.url());
  settings.session.answer_timeout = 200ms;
  SourceRunner runner(std::move(settings));
  broker.accept();
  CHECK(broker.closed());
  broker.accept();
  broker.send(message(1, 1, "1"));
  CHECK(broker.closed());
  CHECK(runner.intake.size() == 0);
  broker.welcome();
  CHECK(eventually(5s, [&] { return runner.connected(); }));
  CHECK(runner.reporter.count(Event::source_lost) == 2);
}

TEST_CASE("a broker that lost the session silently and reuses identifiers loses nothing here") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url(), 2), true);
  broker.welcome();
  broker.send(message(2, 5, "1"));
  REQUIRE(runner.reaches(1));
  broker.close();
  // It says the session stands, but what it calls 5 now is another message; then the old one again under 6.
  broker.welcome(true, false);
  broker.send(message(2, 5, "2"));
  broker.send(message(2, 6, "1"));
  REQUIRE(runner.reaches(3));
  runner.intake.let_through();
  CHECK(broker.read_ack(PacketType::pubrec).packet_id == 5);
  CHECK(broker.read_ack(PacketType::pubrec).packet_id == 6);
}

TEST_CASE("one read is one offer") {
  ScriptedBroker broker;
  SourceRunner runner(SourceRunner::settings(broker.url()));
  broker.welcome();
  REQUIRE(eventually(5s, [&] { return runner.connected(); }));
  std::string bytes;
  for (std::uint16_t id = 1; id <= 1000; ++id) encode(broker.version(), message(1, id, "1"), bytes);
  broker.send_raw(bytes);
  REQUIRE(runner.reaches(1000));
  CHECK(runner.intake.offers() < 100);
  for (std::uint16_t id = 1; id <= 1000; ++id) REQUIRE(broker.read_ack(PacketType::puback).packet_id == id);
}

}  // namespace
}  // namespace railhead::mqtt
