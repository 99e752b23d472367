#include "adapters/kafka/sink.h"

#include <doctest/doctest.h>

#include "tests/adapters/kafka/mock_cluster.h"
#include "tests/support/process.h"
#include "tests/support/sink_bench.h"

namespace railhead::test {
namespace {

using namespace std::chrono_literals;
using status::Event;
using status::LinkStatus;

constexpr int kPartitions = 3;
const std::string kTopic = "telemetry";

// Before a mock cluster.
struct Bench : SinkBench {
  explicit Bench(int brokers = 1) : cluster(brokers) {
    cluster.create(kTopic, kPartitions);
    options.brokers = {cluster.bootstrap()};
    options.linger = 5ms;
  }
  ~Bench() { stop(); }  // before its cluster
  void start() { SinkBench::start(std::make_unique<kafka::KafkaSink>(options, context())); }
  void append(int from, int through, const std::string& topic = kTopic) { SinkBench::append(from, through, topic); }
  static Record numbered(int n) { return SinkBench::numbered(n, kTopic); }
  [[nodiscard]] bool done() { return SinkBench::done(30s); }

  MockCluster cluster;
  kafka::KafkaOptions options;
};

TEST_CASE("a sink with nothing to do sleeps until there is something, or no broker is left") {
  Bench bench;
  bench.start();
  REQUIRE(bench.is_up(10s));
  const auto asleep = [&] {
    return eventually(15s, [&] { return bench.link.last_progress() > bench.clock.boot_now() + 30s; });
  };
  REQUIRE(asleep());
  const std::size_t asked = bench.outlet.asked();
  CHECK_FALSE(eventually(1200ms, [&] { return bench.outlet.asked() > asked; }));
  bench.append(1, 100);
  REQUIRE(bench.done());
  REQUIRE(asleep());
  bench.cluster.down(1);
  CHECK(bench.is_down(10s));
}

TEST_CASE("a record arrives with its key, headers, time and body, and is settled") {
  Bench bench;
  Record record = Bench::numbered(7);
  record.flags = kMaybeRepeat;
  record.quality = "uncertain";
  record.headers = {{"site", "north"}};
  record.body = R"({"n":7})";
  bench.outlet.append(record);
  Record keyless = Bench::numbered(8);
  keyless.key.reset();
  bench.outlet.append(keyless);
  Record empty_key = Bench::numbered(9);
  empty_key.key = "";
  empty_key.body.clear();
  bench.outlet.append(empty_key);
  bench.start();
  REQUIRE(bench.done());
  CHECK(bench.outlet.settled() == 3);
  const std::vector<Seen> arrived = bench.cluster.read(kTopic, kPartitions, 3);
  REQUIRE(arrived.size() == 3);
  const auto by_id = [&](const std::string& sequence) {
    for (const Seen& one : arrived) {
      if (one.headers.at("ce_id") == "test/00000000000000e0/" + sequence) return one;
    }
    return Seen{};
  };
  const Seen first = by_id("1");
  CHECK(first.key == "d7");
  CHECK(first.value == R"({"n":7})");
  CHECK(first.timestamp == 1'780'000'000'007);
  const std::map<std::string, std::string> expected{{"ce_specversion", "1.0"},
                                                    {"ce_id", "test/00000000000000e0/1"},
                                                    {"ce_source", "/railhead/gw/sensors"},
                                                    {"ce_type", "railhead.reading"},
                                                    {"ce_subject", "d7"},
                                                    {"ce_time", "2026-05-28T20:26:40.007Z"},
                                                    {"content-type", "application/json"},
                                                    {"rh-dup", "1"},
                                                    {"rh-quality", "uncertain"},
                                                    {"site", "north"}};
  CHECK(first.headers == expected);
  CHECK_FALSE(by_id("2").key.has_value());
  CHECK(by_id("3").key == "");
  CHECK(by_id("3").value.empty());
  CHECK(bench.link.state() == LinkStatus::State::up);
  CHECK(bench.reporter.count(Event::sink_connected) == 1);
}

TEST_CASE("an idle sink says that its link is up") {
  Bench bench;
  bench.start();
  CHECK(eventually(10s, [&] { return bench.link.state() == LinkStatus::State::up; }));
  CHECK(bench.reporter.count(Event::sink_connected) == 1);
}

TEST_CASE("10,000 records survive errors, disconnects, an outage and moving leaders, in order") {
  Bench bench(3);
  bench.start();
  bench.append(1, 2'000);
  bench.cluster.answer(kProduce, {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                                  RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS});
  bench.append(2'001, 4'000);
  REQUIRE(eventually(20s, [&] { return bench.outlet.settled() > 2'500; }));
  for (std::int32_t broker = 1; broker <= 3; ++broker) bench.cluster.down(broker);
  bench.append(4'001, 7'000);
  CHECK(eventually(10s, [&] { return bench.link.state() == LinkStatus::State::down; }));
  CHECK(bench.reporter.count(Event::sink_lost) == 1);
  for (std::int32_t broker = 1; broker <= 3; ++broker) bench.cluster.up(broker);
  for (int move = 0; move < 6; ++move) bench.cluster.lead(kTopic, move % kPartitions, 1 + move % 3);
  bench.append(7'001, 10'000);
  bench.cluster.answer(kProduce, {RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__TRANSPORT});
  REQUIRE(bench.done());
  CHECK(bench.outlet.settled() == 10'000);
  CHECK(bench.outlet.aside().empty());
  check_complete(bench.cluster.read(kTopic, kPartitions, 10'000), "ce_id", 1, 10'000);
  CHECK(eventually(5s, [&] { return bench.link.state() == LinkStatus::State::up; }));
}

TEST_CASE("a record larger than record_limit is set aside, its neighbours go on") {
  Bench bench;
  bench.options.record_limit = config::ByteSize{2'000};
  bench.append(1, 10);
  Record large = Bench::numbered(11);
  large.body.assign(2'001, 'x');
  bench.outlet.append(large);
  bench.append(12, 20);
  bench.start();
  REQUIRE(bench.done());
  REQUIRE(bench.outlet.aside().size() == 1);
  CHECK(bench.outlet.aside().at(11) == "body of 2001 bytes is larger than record_limit");
  CHECK(bench.outlet.rewinds() == 0);
  check_complete(bench.cluster.read(kTopic, kPartitions, 19), "ce_id", 1, 20, {11});
}

TEST_CASE("a record the broker refuses alone is set aside") {
  Bench bench;
  bench.start();
  REQUIRE(eventually(10s, [&] { return bench.link.state() == LinkStatus::State::up; }));
  // Refused once in whatever company it is, and again when it travels alone.
  bench.cluster.answer(kProduce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  bench.append(1, 1);
  REQUIRE(bench.done());
  CHECK(bench.outlet.aside().size() == 1);
  CHECK(bench.reporter.count(Event::sink_refused) == 1);
  bench.append(2, 50);
  REQUIRE(bench.done());
  check_complete(bench.cluster.read(kTopic, kPartitions, 49), "ce_id", 1, 50, {1});
}

TEST_CASE("a refused batch is sent again in smaller ones: nobody innocent is set aside, order holds") {
  Bench bench;
  bench.append(1, 5'000);
  bench.cluster.answer(kProduce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  bench.start();
  REQUIRE(bench.done());
  CHECK(bench.outlet.aside().empty());
  CHECK(bench.outlet.rewinds() >= 1);
  check_complete(bench.cluster.read(kTopic, kPartitions, 5'000), "ce_id", 1, 5'000);
}

TEST_CASE("a topic that must not be written waits, other topics go on") {
  Bench bench;
  bench.cluster.create("forbidden", 1);
  bench.start();
  REQUIRE(eventually(10s, [&] { return bench.link.state() == LinkStatus::State::up; }));
  bench.cluster.answer(kProduce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  bench.append(1, 5, "forbidden");
  REQUIRE(eventually(10s, [&] { return bench.reporter.count(Event::sink_topic_held) >= 1; }));
  bench.append(6, 30);
  CHECK(eventually(10s, [&] { return bench.outlet.is_settled(30); }));
  REQUIRE(bench.done());  // the right was granted meanwhile
  CHECK(bench.outlet.holds() >= 1);
  CHECK(bench.outlet.probes() >= 1);
  CHECK(bench.outlet.retries() == 0);
  CHECK(bench.outlet.rewinds() == 0);  // the others were not disturbed
  CHECK(bench.outlet.held().empty());
  CHECK(bench.outlet.aside().empty());
  check_complete(bench.cluster.read("forbidden", 1, 5), "ce_id", 1, 5);
  check_complete(bench.cluster.read(kTopic, kPartitions, 25), "ce_id", 6, 30);
}

TEST_CASE("a fatal error costs the handle, not a record") {
  Bench bench;
  bench.start();
  bench.append(1, 500);
  REQUIRE(bench.done());
  bench.cluster.answer(kProduce, {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
  bench.append(501, 2'000);
  REQUIRE(bench.done());
  CHECK(bench.reporter.count(Event::sink_rebuilt) >= 1);
  check_complete(bench.cluster.read(kTopic, kPartitions, 2'000), "ce_id", 1, 2'000);
}

TEST_CASE("a record without a topic is set aside") {
  Bench bench;
  bench.outlet.append(SinkBench::numbered(1, ""));
  bench.start();
  REQUIRE(bench.done());
  CHECK(bench.outlet.aside().size() == 1);
}

TEST_CASE("stop confirms what is on its way") {
  Bench bench;
  bench.cluster.round_trip(1, 200ms);
  bench.start();
  REQUIRE(eventually(10s, [&] { return bench.link.state() == LinkStatus::State::up; }));
  bench.append(1, 100);
  REQUIRE(eventually(10s, [&] { return bench.outlet.handed_out() == 100; }));
  bench.stop();
  CHECK(bench.outlet.settled() == 100);
}

TEST_CASE("stop is bounded while the upstream is away") {
  Bench bench;
  bench.start();
  REQUIRE(eventually(10s, [&] { return bench.link.state() == LinkStatus::State::up; }));
  bench.cluster.down(1);
  bench.append(1, 100);
  REQUIRE(eventually(10s, [&] { return bench.link.state() == LinkStatus::State::down; }));
  const auto before = std::chrono::steady_clock::now();
  bench.stop();
  CHECK(std::chrono::steady_clock::now() - before < 9s);
  CHECK(bench.outlet.settled() == 0);
}

TEST_CASE("a sink whose password cannot be read says so and goes on trying") {
  Bench bench;
  kafka::SaslOptions sasl;
  sasl.user = "u";
  sasl.password = config::Secret::in_file("/nonexistent/password");
  bench.options.security.sasl = sasl;
  bench.start();
  CHECK(eventually(5s, [&] { return bench.link.state() == LinkStatus::State::down; }));
  CHECK(bench.link.why().find("password") != std::string::npos);
  bench.stop();
}

}  // namespace
}  // namespace railhead::test
