// The Kafka sink against a real Apache Kafka, read back by the Java client.
#include "adapters/kafka/sink.h"

#include <doctest/doctest.h>

#include "tests/support/kafka_broker.h"
#include "tests/support/sink_bench.h"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;
using status::Event;

// One for the whole program: a start costs seconds.
KafkaBroker& broker() {
  static KafkaBroker broker(KafkaBroker::Options{.settings = {}, .scram_users = {{"plant", "right"}}});
  return broker;
}

kafka::KafkaOptions options() {
  kafka::KafkaOptions options;
  options.brokers = {broker().bootstrap()};
  options.linger = 5ms;
  return options;
}

TEST_CASE("Kafka: the Java client sees key, partition, headers, time and body as specified") {
  broker().create_topic("contract", 3);
  SinkBench bench;
  bench.start(std::make_unique<kafka::KafkaSink>(options(), bench.context()));
  Record first = SinkBench::numbered(7, "contract");
  first.quality = "uncertain";
  first.flags = kMaybeRepeat | kClockUnsynced;
  first.headers = {{"site", "nörd\"x"}};
  bench.outlet.append(first);
  Record keyless = SinkBench::numbered(8, "contract");
  keyless.key.reset();
  bench.outlet.append(keyless);
  bench.append(100, 199, "contract");
  REQUIRE(bench.done(30s));
  std::map<std::string, Seen> by_id;
  for (const Seen& seen : broker().dump("contract")) by_id[seen.headers.at("ce_id")] = seen;
  REQUIRE(by_id.size() == 102);
  for (const auto& [id, seen] : by_id) {
    if (seen.key) CHECK(seen.partition == seen.java_partition);
  }
  const Seen& seen = by_id.at("test/00000000000000e0/1");
  CHECK(seen.key == "d7");
  CHECK(seen.value == "7");
  CHECK(seen.timestamp == 1'780'000'000'007);
  const std::map<std::string, std::string> expected{{"ce_specversion", "1.0"},
                                                    {"ce_id", "test/00000000000000e0/1"},
                                                    {"ce_source", "/railhead/gw/sensors"},
                                                    {"ce_type", "railhead.reading"},
                                                    {"ce_subject", "d7"},
                                                    {"ce_time", "2026-05-28T20:26:40.007Z"},
                                                    {"content-type", "application/json"},
                                                    {"rh-dup", "1"},
                                                    {"rh-clock", "unsynced"},
                                                    {"rh-quality", "uncertain"},
                                                    {"site", "nörd\"x"}};
  CHECK(seen.headers == expected);
  CHECK_FALSE(by_id.at("test/00000000000000e0/2").key.has_value());
}

TEST_CASE("Kafka: kill -9 of the broker in mid-stream loses nothing and keeps the order") {
  broker().create_topic("stream", 3);
  SinkBench bench;
  kafka::KafkaOptions slow = options();
  slow.in_flight = 200;
  bench.append(1, 30'000, "stream");
  bench.start(std::make_unique<kafka::KafkaSink>(slow, bench.context()));
  for (const std::size_t at : {std::size_t{4'000}, std::size_t{15'000}}) {
    REQUIRE(eventually(30s, [&] { return bench.outlet.settled() > at; }));
    broker().kill9();
    REQUIRE_FALSE(bench.outlet.done());  // otherwise it was not in mid-stream
    broker().restart();
  }
  REQUIRE(bench.done(60s));
  CHECK(bench.outlet.settled() == 30'000);
  CHECK(bench.outlet.aside().empty());
  CHECK(bench.reporter.count(Event::sink_lost) >= 1);
  CHECK(bench.is_up(10s));
  check_complete(broker().dump("stream"), "ce_id", 1, 30'000);
}

TEST_CASE("Kafka: a topic that does not exist waits until it is made, other topics go on") {
  broker().create_topic("present", 1);
  SinkBench bench;
  bench.append(1, 20, "absent");
  bench.append(21, 40, "present");
  bench.start(std::make_unique<kafka::KafkaSink>(options(), bench.context()));
  REQUIRE(eventually(30s, [&] { return bench.reporter.count(Event::sink_topic_held) >= 1; }));
  REQUIRE(eventually(10s, [&] { return bench.outlet.is_settled(40); }));
  CHECK_FALSE(bench.outlet.is_settled(1));
  broker().create_topic("absent", 1);
  REQUIRE(bench.done(60s));
  CHECK(bench.outlet.aside().empty());
  check_complete(broker().dump("absent"), "ce_id", 1, 20);
}

TEST_CASE("Kafka: a record too large for its topic is set aside, those beside it arrive") {
  broker().create_topic("narrow", 1, {{"max.message.bytes", "3000"}});
  SinkBench bench;
  kafka::KafkaOptions plain = options();
  plain.compression = kafka::Compression::none;
  for (int n = 1; n <= 40; ++n) {
    Record record = SinkBench::numbered(n, "narrow");
    record.body += std::string(n == 20 ? 5'000 : 100, ' ');
    bench.outlet.append(record);
  }
  bench.start(std::make_unique<kafka::KafkaSink>(plain, bench.context()));
  REQUIRE(bench.done(60s));
  CHECK(bench.outlet.aside().size() == 1);
  CHECK(bench.outlet.aside().contains(20));
  check_complete(broker().dump("narrow"), "ce_id", 1, 40, {20});
}

TEST_CASE("Kafka: SCRAM lets the right password in and says so of a wrong one") {
  broker().create_topic("sasl", 1);
  kafka::KafkaOptions secured = options();
  secured.brokers = {broker().sasl_bootstrap()};
  secured.security.sasl = kafka::SaslOptions{
      .mechanism = kafka::SaslMechanism::scram_sha_512, .user = "plant", .password = config::Secret::plain("wrong")};
  {
    SinkBench bench;
    bench.append(1, 1, "sasl");
    bench.start(std::make_unique<kafka::KafkaSink>(secured, bench.context()));
    REQUIRE(bench.is_down(30s));
    CHECK(eventually(10s, [&] { return bench.link.why().find("uthentication") != std::string::npos; }));
    CHECK_FALSE(bench.outlet.is_settled(1));
  }
  secured.security.sasl->password = config::Secret::plain("right");
  SinkBench bench;
  bench.append(1, 10, "sasl");
  bench.start(std::make_unique<kafka::KafkaSink>(secured, bench.context()));
  CHECK(bench.done(30s));
}

TEST_CASE("Kafka: a frozen broker does not keep the sink from stopping") {
  broker().create_topic("frozen", 1);
  SinkBench bench;
  bench.append(1, 10, "frozen");
  bench.start(std::make_unique<kafka::KafkaSink>(options(), bench.context()));
  REQUIRE(bench.done(30s));
  broker().freeze();
  bench.append(11, 2'000, "frozen");
  REQUIRE(eventually(10s, [&] { return bench.outlet.handed_out() > 10; }));
  const auto took = bench.stop();
  broker().thaw();
  CHECK(took < 9s);
  CHECK(bench.outlet.settled() == 10);
}

}  // namespace
}  // namespace railhead::test
