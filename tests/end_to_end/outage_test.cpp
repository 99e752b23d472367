// The delivery contract, black box: 10,000 numbered QoS 1 messages of 100 devices through a real mosquitto while the
// upstream is killed and restarted once and the gateway is killed with -9 three times at random moments. A kill counts
// only if at least 100 records were unsettled and 10 messages unacknowledged when it struck.
#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <random>
#include <stop_token>
#include <thread>

#include "gateway/message/json.h"
#include "tests/end_to_end/arrivals.h"
#include "tests/end_to_end/gateway_process.h"
#include "tests/end_to_end/numbered_sensors.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/mosquitto.h"
#include "tests/support/rabbitmq.h"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kDevices = 100;
constexpr std::size_t kMessages = 10'000;
constexpr std::int64_t kPerDevice = kMessages / kDevices;

std::string configuration(const Mosquitto& mosquitto, const TemporaryDirectory& directory, const std::string& send,
                          const std::string& sink) {
  return "version: 1\n"
         "gateway: outage\n"
         "spool: { path: " +
         directory.path() +
         "/spool, limit: 256 MiB, keep_free: 16 MiB, commit: 200 ms }\n"
         "sources:\n"
         "  sensors:\n"
         "    mqtt:\n"
         "      url: " +
         mosquitto.url() +
         "\n"
         "      client_id: outage\n"
         "      subscribe:\n"
         "        - { topic: \"plant/{area}/{device}/telemetry\", qos: 1, payload: json }\n"
         "rules:\n"
         "  - name: all\n"
         "    from: { source: sensors }\n"
         "    send: { to: up, " +
         send +
         ", key: \"${device}\", body: { device: device, n: value.n } }\n"
         "sinks:\n"
         "  up: { " +
         sink + " }\n";
}

struct Moment {
  std::int64_t unsettled = 0;
  std::int64_t unacknowledged = 0;
};

std::optional<Moment> look(const GatewayProcess& gateway) {
  const std::optional<Value> status = gateway.status();
  if (!status) return std::nullopt;
  Moment moment;
  moment.unacknowledged = number_at(*status, {"unacknowledged"});
  for (std::size_t i = 0; i < status->find("lanes")->as_list().size(); ++i) {
    const std::string lane = std::to_string(i);
    moment.unsettled += number_at(*status, {"lanes", lane, "records", "spooled"});
  }
  return moment;
}

// Kills the gateway when the condition of the test holds, and says what it was worth.
void kill_in_flight(GatewayProcess& gateway) {
  Moment moment;
  REQUIRE(eventually(30s, [&] {
    const std::optional<Moment> now = look(gateway);
    if (!now || now->unsettled < 100 || now->unacknowledged < 10) return false;
    moment = *now;
    gateway.kill9();
    return true;
  }));
  std::cout << "  killed with " << moment.unsettled << " records unsettled and " << moment.unacknowledged
            << " messages unacknowledged\n";
  gateway.start();
}

void wait_until_settled(const GatewayProcess& gateway) {
  std::int64_t unsettled = -1;
  const bool settled = eventually(120s, [&] {
    const std::optional<Moment> now = look(gateway);
    if (now) unsettled = now->unsettled;
    return now && now->unsettled == 0 && now->unacknowledged == 0;
  });
  REQUIRE_MESSAGE(settled, unsettled, " records are not settled\n", gateway.log());
}

void check_ledgers(const GatewayProcess& gateway) {
  const std::optional<Value> status = gateway.status();
  REQUIRE(status);
  CHECK(*status->find("readings")->find("adds_up") == Value::boolean(true));
  CHECK(number_at(*status, {"readings", "in"}) >= static_cast<std::int64_t>(0));
  for (const Value& lane : status->find("lanes")->as_list()) {
    CHECK(*lane.find("records")->find("adds_up") == Value::boolean(true));
    CHECK(*lane.find("records")->find("dropped") == Value::integer(0));
  }
}

// Three kills of the gateway, one of the upstream between them. The upstream is started by the returned thread, and
// dies with it: hold it as long as the upstream is needed.
[[nodiscard]] std::jthread run_outage(GatewayProcess& gateway, const Mosquitto& mosquitto,
                                      const std::function<void()>& kill_upstream,
                                      const std::function<void()>& start_upstream) {
  const std::uint32_t seed = std::random_device{}();
  std::cout << "seed " << seed << '\n';
  std::mt19937 random(seed);
  const auto between = [&](std::size_t low, std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(low, high)(random);
  };
  gateway.start();
  NumberedSensors sensors({.url = "tcp://127.0.0.1:" + std::to_string(mosquitto.port()),
                           .devices = kDevices,
                           .messages = kMessages,
                           .per_second = 1'000});
  const auto reached = [&](std::size_t count) {
    REQUIRE(eventually(60s, [&] { return sensors.published() >= count; }));
  };
  reached(between(500, 1'500));
  kill_in_flight(gateway);
  reached(between(2'000, 3'000));
  kill_upstream();
  reached(between(3'500, 4'500));
  kill_in_flight(gateway);
  // Beside the test: a broker may take longer to start than the sensors to finish.
  auto started = std::make_shared<std::atomic<bool>>(false);
  std::jthread starting([start_upstream, started](std::stop_token stop) {
    start_upstream();
    *started = true;
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, stop, [] { return false; });
  });
  reached(between(5'000, 9'000));
  kill_in_flight(gateway);
  REQUIRE(eventually(60s, [&] { return started->load(); }));
  REQUIRE(sensors.finish());
  wait_until_settled(gateway);
  check_ledgers(gateway);
  CHECK(gateway.terminate(20s) == 0);
  return starting;
}

std::vector<Arrival> arrivals_of(const std::vector<Seen>& seen, const std::string& prefix) {
  JsonParser parser;
  std::vector<Arrival> arrivals;
  for (const Seen& record : seen) {
    const Result<Value> body = parser.parse(record.value);
    REQUIRE_MESSAGE(body, record.value);
    Arrival arrival;
    arrival.identity = record.headers.at(prefix + "id");
    arrival.device = body->find("device")->as_text();
    arrival.n = body->find("n")->as_integer();
    arrival.marked = record.headers.contains("rh-dup");
    arrivals.push_back(std::move(arrival));
  }
  return arrivals;
}

void check_arrivals(const std::vector<Arrival>& arrivals) {
  const Judgement judgement = judge(arrivals, kDevices, kPerDevice);
  std::cout << "  " << judgement.arrivals << " arrived, " << judgement.repeats << " repeats by identity, "
            << judgement.surplus << " marked surplus, " << judgement.faults.size() << " faults\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(judgement.faults.size(), 10); ++i) FAIL_CHECK(judgement.faults[i]);
}

}  // namespace

TEST_CASE("Kafka: no number is lost, order holds per device, every surplus copy is marked") {
  KafkaBroker kafka;
  kafka.create_topic("telemetry", 3);
  const Mosquitto mosquitto;
  const TemporaryDirectory directory;
  GatewayProcess gateway(directory, configuration(mosquitto, directory, "topic: telemetry",
                                                  "kafka: { brokers: [\"" + kafka.bootstrap() + "\"] }"));
  const std::jthread upstream = run_outage(
      gateway, mosquitto, [&] { kafka.kill9(); }, [&] { kafka.restart(); });
  // Partition by partition; a device's records share one.
  check_arrivals(arrivals_of(kafka.dump("telemetry"), "ce_"));
}

TEST_CASE("RabbitMQ: no number is lost, order holds per device, every surplus copy is marked") {
  RabbitMq rabbit;
  rabbit.declare({"exchange:telemetry:topic", "queue:all", "bind:telemetry:#:all"});
  rabbit.sync_declarations();
  const Mosquitto mosquitto;
  const TemporaryDirectory directory;
  GatewayProcess gateway(directory, configuration(mosquitto, directory, "routing_key: \"plant.${device}\"",
                                                  "amqp: { url: \"" + rabbit.url() + "\", exchange: telemetry }"));
  const std::jthread upstream = run_outage(
      gateway, mosquitto, [&] { rabbit.kill9(); }, [&] { rabbit.restart(); });
  check_arrivals(arrivals_of(rabbit.drain("all"), "cloudEvents_"));
}
