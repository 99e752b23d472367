// The AMQP sink against a real RabbitMQ, read back with pika.
#include "adapters/amqp/sink.h"

#include <doctest/doctest.h>

#include "tests/support/rabbitmq.h"
#include "tests/support/sink_bench.h"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;
using status::Event;
using status::LinkStatus;

// One for the whole program: a start costs some ten seconds.
RabbitMq& broker() {
  static RabbitMq broker;
  return broker;
}

amqp::AmqpOptions options(const std::string& exchange = {}) {
  amqp::AmqpOptions options;
  options.url.value = broker().url();
  options.exchange = exchange;
  return options;
}

TEST_CASE("AMQP: pika sees properties, headers, routing key and body as specified") {
  broker().declare({"exchange:contract:topic", "queue:contract", "bind:contract:telemetry.#:contract"});
  SinkBench bench;
  amqp::AmqpOptions with_priority = options("contract");
  with_priority.amqp_priority = 3;
  Record first = SinkBench::numbered(7, "", "telemetry.north");
  first.quality = "uncertain";
  first.flags = kMaybeRepeat | kClockUnsynced;
  first.headers = {{"site", "nörd\"x"}};
  bench.outlet.append(first);
  Record keyless = SinkBench::numbered(8, "", "telemetry.south");
  keyless.key.reset();
  keyless.body.clear();
  bench.outlet.append(keyless);
  bench.start(std::make_unique<amqp::AmqpSink>(with_priority, bench.context()));
  REQUIRE(bench.done(30s));
  CHECK(bench.outlet.settled() == 2);
  CHECK(bench.link.state() == LinkStatus::State::up);
  const std::vector<Seen> seen = broker().drain("contract");
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].exchange == "contract");
  CHECK(seen[0].routing_key == "telemetry.north");
  CHECK(seen[0].message_id == "test/00000000000000e0/1");
  CHECK(seen[0].content_type == "application/json");
  CHECK(seen[0].delivery_mode == 2);
  CHECK(seen[0].priority == 3);
  CHECK(seen[0].timestamp == 1'780'000'000);
  CHECK(seen[0].value == "7");
  const std::map<std::string, std::string> expected{{"cloudEvents_specversion", "1.0"},
                                                    {"cloudEvents_id", "test/00000000000000e0/1"},
                                                    {"cloudEvents_source", "/railhead/gw/sensors"},
                                                    {"cloudEvents_type", "railhead.reading"},
                                                    {"cloudEvents_subject", "d7"},
                                                    {"cloudEvents_time", "2026-05-28T20:26:40.007Z"},
                                                    {"rh-dup", "1"},
                                                    {"rh-clock", "unsynced"},
                                                    {"rh-quality", "uncertain"},
                                                    {"rh-key", "d7"},
                                                    {"site", "nörd\"x"}};
  CHECK(seen[0].headers == expected);
  CHECK_FALSE(seen[1].headers.contains("rh-key"));
  CHECK(seen[1].value.empty());
}

TEST_CASE("AMQP: a sink with nothing to do sleeps until there is something, but for heartbeats") {
  broker().declare({"queue:idle"});
  broker().sync_declarations();
  SinkBench bench;
  amqp::AmqpOptions with_heartbeat = options();
  with_heartbeat.heartbeat = 4s;
  bench.start(std::make_unique<amqp::AmqpSink>(with_heartbeat, bench.context()));
  REQUIRE(bench.is_up(30s));
  REQUIRE(eventually(5s, [&] { return bench.link.last_progress() > bench.clock.boot_now() + 1500ms; }));
  const std::size_t asked = bench.outlet.asked();
  // Longer than any broker bears a silent peer: three heartbeats and one for the way.
  CHECK_FALSE(
      eventually(16s, [&] { return bench.outlet.asked() > asked + 1 || bench.link.state() != LinkStatus::State::up; }));
  bench.append(1, 100, "", "idle");
  REQUIRE(bench.done(10s));
  CHECK(bench.reporter.count(Event::sink_lost) == 0);
}

TEST_CASE("AMQP: kill -9 of the broker in mid-stream loses nothing and keeps the order") {
  broker().declare({"queue:stream"});
  broker().sync_declarations();
  SinkBench bench;
  amqp::AmqpOptions slow = options();
  slow.window = 100;
  bench.append(1, 20'000, "", "stream");
  bench.start(std::make_unique<amqp::AmqpSink>(slow, bench.context()));
  REQUIRE(eventually(60s, [&] { return bench.outlet.settled() > 4'000; }));
  broker().kill9();
  REQUIRE_FALSE(bench.outlet.done());  // otherwise it was not in mid-stream
  CHECK(bench.is_down(10s));
  broker().restart();
  REQUIRE(bench.done(90s));
  CHECK(bench.outlet.settled() == 20'000);
  CHECK(bench.outlet.aside().empty());
  CHECK(bench.outlet.rewinds() >= 1);
  CHECK(bench.reporter.count(Event::sink_lost) >= 1);
  CHECK(bench.reporter.count(Event::sink_connected) >= 2);
  check_complete(broker().drain("stream"), "cloudEvents_id", 1, 20'000);
}

TEST_CASE("AMQP: a record no queue takes is set aside with the broker's reason, its neighbours arrive") {
  broker().declare({"queue:routed"});
  SinkBench bench;
  bench.append(1, 100, "", "routed");
  bench.append(101, 101, "", "nowhere");
  bench.append(102, 200, "", "routed");
  bench.start(std::make_unique<amqp::AmqpSink>(options(), bench.context()));
  REQUIRE(bench.done(30s));
  REQUIRE(bench.outlet.aside().size() == 1);
  CHECK(bench.outlet.aside().at(101) == "312 NO_ROUTE: exchange '', routing key 'nowhere'");
  check_complete(broker().drain("routed"), "cloudEvents_id", 1, 200, {101});
}

TEST_CASE("AMQP: unroutable: hold keeps the record until a queue is there") {
  SinkBench bench;
  amqp::AmqpOptions patient = options();
  patient.unroutable = amqp::Unroutable::hold;
  bench.append(1, 3, "", "late");
  bench.start(std::make_unique<amqp::AmqpSink>(patient, bench.context()));
  REQUIRE(eventually(20s, [&] { return bench.outlet.retries() >= 3; }));
  CHECK(bench.outlet.settled() == 0);
  broker().declare({"queue:late"});
  REQUIRE(bench.done(30s));
  const std::vector<Seen> seen = broker().drain("late");
  CHECK(seen.size() == 3);
  for (const Seen& one : seen) CHECK(one.headers.at("rh-late") == "1");
}

TEST_CASE("AMQP: a nack means again later, not lost") {
  // A queue of five that rejects what is over: RabbitMQ answers nack.
  broker().declare({"queue:short:x-max-length=5,x-overflow=reject-publish"});
  SinkBench bench;
  bench.append(1, 12, "", "short");
  bench.start(std::make_unique<amqp::AmqpSink>(options(), bench.context()));
  REQUIRE(eventually(20s, [&] { return bench.outlet.settled() >= 5 && bench.outlet.retries() >= 1; }));
  CHECK(bench.reporter.count(Event::sink_retried) >= 1);
  std::vector<Seen> seen;
  REQUIRE(eventually(40s, [&] {
    const bool done = bench.outlet.done();  // before the drain, that it takes everything
    const std::vector<Seen> more = broker().drain("short");
    seen.insert(seen.end(), more.begin(), more.end());
    return done && more.empty();
  }));
  CHECK(bench.outlet.aside().empty());
  check_complete(seen, "cloudEvents_id", 1, 12);
}

TEST_CASE("AMQP: an exchange that does not exist is said, and used once it is there") {
  broker().declare({"queue:early"});
  SinkBench bench;
  bench.append(1, 10, "", "k");
  bench.start(std::make_unique<amqp::AmqpSink>(options("missing"), bench.context()));
  REQUIRE(bench.is_down(20s));
  CHECK(bench.link.why().find("404") != std::string::npos);
  CHECK(bench.link.why().find("missing") != std::string::npos);
  broker().declare({"exchange:missing:fanout", "bind:missing::early"});
  REQUIRE(bench.done(30s));
  check_complete(broker().drain("early"), "cloudEvents_id", 1, 10);
}

TEST_CASE("AMQP: a wrong password is said") {
  SinkBench bench;
  amqp::AmqpOptions wrong = options();
  wrong.user = "guest";
  wrong.password = config::Secret::plain("wrong");
  wrong.url.value = "amqp://localhost:" + std::to_string(broker().port());
  bench.start(std::make_unique<amqp::AmqpSink>(wrong, bench.context()));
  REQUIRE(bench.is_down(20s));
  CHECK(bench.link.why().find("log in as 'guest'") != std::string::npos);
  CHECK(bench.link.why().find("403") != std::string::npos);
}

TEST_CASE("AMQP: TLS trusts its CA and nobody else") {
  broker().declare({"queue:secret"});
  amqp::AmqpOptions secured = options();
  secured.url.value = broker().tls_url();
  {
    SinkBench bench;  // the system's certificates do not know the test CA
    bench.start(std::make_unique<amqp::AmqpSink>(secured, bench.context()));
    REQUIRE(bench.is_down(20s));
  }
  secured.tls.emplace().ca = broker().ca();
  SinkBench bench;
  bench.append(1, 500, "", "secret");
  bench.start(std::make_unique<amqp::AmqpSink>(secured, bench.context()));
  REQUIRE(bench.done(30s));
  check_complete(broker().drain("secret"), "cloudEvents_id", 1, 500);
}

TEST_CASE("AMQP: the broker's memory alarm shows, and passes") {
  broker().declare({"queue:alarm"});
  SinkBench bench;
  bench.append(1, 10, "", "alarm");
  bench.start(std::make_unique<amqp::AmqpSink>(options(), bench.context()));
  REQUIRE(bench.done(30s));
  static_cast<void>(broker().control({"set_vm_memory_high_watermark", "absolute", "1MB"}));
  bench.append(11, 20, "", "alarm");
  CHECK(eventually(20s, [&] { return bench.link.state() == LinkStatus::State::degraded; }));
  static_cast<void>(broker().control({"set_vm_memory_high_watermark", "0.4"}));
  CHECK(bench.done(30s));
  CHECK(bench.is_up(10s));
  CHECK(bench.reporter.count(Event::sink_blocked) == 1);
  CHECK(bench.reporter.count(Event::sink_unblocked) == 1);
  check_complete(broker().drain("alarm"), "cloudEvents_id", 1, 20);
}

TEST_CASE("AMQP: a frozen broker does not keep the sink from stopping, nor hang it for ever") {
  broker().declare({"queue:frozen"});
  SinkBench bench;
  amqp::AmqpOptions impatient = options();
  impatient.confirm_timeout = 2s;
  impatient.window = 20'000;
  impatient.window_bytes = config::ByteSize{64 * 1024 * 1024};
  bench.append(1, 10, "", "frozen");
  bench.start(std::make_unique<amqp::AmqpSink>(impatient, bench.context()));
  REQUIRE(bench.done(30s));
  broker().freeze();
  // Enough to fill the socket, so that a publish hangs inside the library.
  for (int n = 11; n <= 210; ++n) {
    Record large = SinkBench::numbered(n, "", "frozen");
    large.body += std::string(100'000, ' ');
    bench.outlet.append(large);
  }
  CHECK(bench.is_down(20s));  // the watchdog or confirm_timeout, whichever comes first
  const auto took = bench.stop();
  broker().thaw();
  CHECK(took < 9s);
  CHECK(bench.outlet.settled() == 10);
}

}  // namespace
}  // namespace railhead::test
