// Contract 1 at the field's side, black box: no loss at QoS 1, no loss and no repeat at QoS 2, while the gateway is
// killed 50 times at random moments and the broker is restarted 10 times in an orderly way between them. What rules
// remember outlives that: each window counts each message once, and dedup knows what an earlier life let through.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "gateway/message/json.h"
#include "tests/end_to_end/gateway_process.h"
#include "tests/end_to_end/publish.h"
#include "tests/support/mosquitto.h"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

constexpr int kKills = 50;
constexpr int kRestarts = 10;
constexpr std::int64_t kPerRound = 100;  // messages of each QoS; as many as a window takes
constexpr std::int64_t kOnceEvery = 10;
constexpr std::int64_t kLongAfter = 1'000'000;  // closes all windows

std::string configuration(const Mosquitto& broker, const TemporaryDirectory& directory) {
  // A message is a minute of event time after a start of a window.
  const auto source = [&](const std::string& qos) {
    return "  qos" + qos + ":\n    mqtt:\n      url: " + broker.url() + "\n      subscribe: [{ topic: \"q" + qos +
           "/{device}\", qos: " + qos + ", time: \"timestamp(1577838000) + duration(string(value.n * 60) + 's')\" }]\n";
  };
  return "version: 1\ngateway: kills\nspool: { path: " + directory.path() +
         "/spool, limit: 64 MiB, keep_free: 1 MiB, commit: 20 ms }\nsources:\n" + source("1") + source("2") + R"(
rules:
  - { name: all, from: { device: a }, send: { to: out, topic: "${source}", body: { n: value.n } } }
  - name: windows
    from: { source: qos2 }
    window: { every: 100 min, late: 10 h }
    send: { to: out, topic: window, body: { n: min(value.n), count: count(), sum: sum(value.n) } }
  - name: once
    from: { source: qos1, device: b }
    dedup: { by: value.n, for: 1 h }
    send: { to: out, topic: once, body: { n: value.n } }
sinks:
  out: { file: { path: )" +
         directory.path() + "/out.jsonl, rotate: 0 } }\n";
}

Message numbered(const std::string& topic, std::int64_t n, int qos) {
  return {topic, "{\"n\":" + std::to_string(n) + "}", qos};
}

// Numbers from..to at QoS 1 and 2; every tenth one also for `once`, which gets those of the round before again.
void publish_round(const Mosquitto& broker, std::int64_t from, std::int64_t to) {
  std::vector<Message> messages;
  for (std::int64_t n = from; n < to; ++n) {
    messages.push_back(numbered("q1/a", n, 1));
    messages.push_back(numbered("q2/a", n, 2));
    if (n % kOnceEvery != 0) continue;
    messages.push_back(numbered("q1/b", n, 1));
    if (n >= kPerRound) messages.push_back(numbered("q1/b", n - kPerRound, 1));
  }
  publish(broker, messages);
}

struct Seen {
  std::map<std::int64_t, std::set<std::string>> identities;  // by number
  std::map<std::int64_t, std::set<std::string>> bodies;      // of windows
  std::size_t unmarked = 0;                                  // second identities without rh-dup
  std::vector<std::int64_t> order;                           // of first occurrences

  // Where a first occurrence comes behind a later one: the numbers around it with their identities.
  [[nodiscard]] std::string disorder() const {
    const auto at = std::is_sorted_until(order.begin(), order.end());
    if (at == order.end()) return {};
    std::string shown;
    const auto here = at - order.begin();
    for (auto i = std::max<std::ptrdiff_t>(0, here - 4); i < std::min(std::ssize(order), here + 4); ++i) {
      const std::int64_t n = order[static_cast<std::size_t>(i)];
      shown += std::to_string(n) + " " + *identities.at(n).begin() + "\n";
    }
    return shown;
  }
  [[nodiscard]] std::string repeats() const {
    std::string shown;
    for (const auto& [n, known] : identities) {
      if (known.size() == 1) continue;
      shown += std::to_string(n);
      for (const std::string& one : known) shown += " " + one;
      shown += "\n";
    }
    return shown;
  }
};

// Reads on where it stopped: a restart writes again what was not known to be settled, so the file grows long.
class Arrived {
 public:
  explicit Arrived(const std::string& path) : path_(path) {}

  void look() {
    std::ifstream file(path_);
    file.seekg(at_);
    for (std::string line; std::getline(file, line) && !file.eof();) {
      at_ += static_cast<std::streamoff>(line.size() + 1);
      take(line);
    }
  }
  Seen& of(const std::string& topic) { return seen_[topic]; }

 private:
  void take(const std::string& line) {
    const Result<Value> record = parser_.parse(line);
    if (!record) return;  // torn by a kill; it is written again
    const std::int64_t n = record->find("body")->find("n")->as_integer();
    const std::string topic(record->find("topic")->as_text());
    Seen& here = seen_[topic];
    if (topic == "window") here.bodies[n].insert(to_json(*record->find("body")));
    std::set<std::string>& known = here.identities[n];
    if (known.empty()) here.order.push_back(n);
    const Value* headers = record->find("headers");
    const bool fresh = known.insert(std::string(headers->find("ce_id")->as_text())).second;
    if (fresh && known.size() > 1 && headers->find("rh-dup") == nullptr) ++here.unmarked;
  }

  const std::string path_;
  std::streamoff at_ = 0;
  JsonParser parser_;
  std::map<std::string, Seen> seen_;  // by topic, that is by source
};

}  // namespace

TEST_CASE("50 kills of the gateway and 10 restarts of the broker: no loss at QoS 1, no loss and no repeat at QoS 2") {
  const std::uint32_t seed = std::random_device{}();
  std::cout << "seed " << seed << '\n';
  std::mt19937 random(seed);
  Mosquitto broker;
  TemporaryDirectory directory;
  GatewayProcess gateway(directory, configuration(broker, directory));
  gateway.start();
  // Both sessions stand before the first message.
  REQUIRE(eventually(20s, [&] {
    const std::string log = gateway.log();
    const std::size_t first = log.find("source_connected");
    return first != std::string::npos && log.find("source_connected", first + 1) != std::string::npos;
  }));
  std::int64_t next = 0;
  for (int round = 0; round < kKills; ++round) {
    std::thread publisher([&, from = next] { publish_round(broker, from, from + kPerRound); });
    next += kPerRound;
    std::this_thread::sleep_for(std::chrono::milliseconds{std::uniform_int_distribution<int>(0, 150)(random)});
    gateway.kill9();
    publisher.join();
    if (round % (kKills / kRestarts) == 0) broker.restart();
    gateway.start();
  }
  publish_round(broker, next, next + kPerRound);
  next += kPerRound;
  publish(broker, {numbered("q2/z", kLongAfter, 2)});
  Arrived arrived(directory.path() + "/out.jsonl");
  Seen& qos1 = arrived.of("qos1");
  Seen& qos2 = arrived.of("qos2");
  const Seen& windows = arrived.of("window");
  const bool all = eventually(30s, [&] {
    arrived.look();
    return std::min(qos1.identities.size(), qos2.identities.size()) == static_cast<std::size_t>(next) &&
           windows.identities.size() == static_cast<std::size_t>(next / kPerRound);
  });
  CHECK_MESSAGE(all, "of ", next, ": ", qos1.identities.size(), " at QoS 1, ", qos2.identities.size(), " at QoS 2, ",
                windows.identities.size(), " windows\n", gateway.log());
  std::size_t surplus = 0;
  for (const auto& [n, identities] : qos1.identities) surplus += identities.size() - 1;
  CHECK(qos1.unmarked == 0);
  CHECK(qos1.disorder() == "");
  CHECK(qos2.disorder() == "");
  CHECK(qos2.repeats() == "");
  CHECK(windows.repeats() == "");
  for (std::int64_t first = 0; first < next; first += kPerRound) {
    const std::int64_t sum = kPerRound * first + kPerRound * (kPerRound - 1) / 2;
    const std::string wanted = "{\"n\":" + std::to_string(first) + ",\"count\":" + std::to_string(kPerRound) +
                               ",\"sum\":" + std::to_string(sum) + "}";
    CHECK(windows.bodies.at(first) == std::set<std::string>{wanted});
  }
  const Seen& once = arrived.of("once");
  CHECK(once.identities.size() == static_cast<std::size_t>(next / kOnceEvery));
  CHECK(once.repeats() == "");
  std::cout << "  " << next << " messages of each QoS, " << surplus << " marked repeats at QoS 1\n";
  const auto status = gateway.status();
  REQUIRE(status);
  CHECK(*status->find("readings")->find("adds_up") == Value::boolean(true));
  CHECK(gateway.terminate(10s) == 0);
}
