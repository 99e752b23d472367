// kill -9, fifty times at random moments, each with records unsettled and field messages unacknowledged when it
// strikes: numbered QoS 1 messages through a real mosquitto, out to another one, which a moment before each kill stops
// to answer. And what the spool does to the flash: nothing while nothing happens, one fdatasync a commit interval at
// most.
#include <doctest/doctest.h>

#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <thread>

#include "gateway/base/text.h"
#include "tests/end_to_end/arrivals.h"
#include "tests/end_to_end/gateway_process.h"
#include "tests/end_to_end/numbered_sensors.h"
#include "tests/support/mosquitto.h"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

constexpr int kRounds = 50;
constexpr std::size_t kDevices = 20;
constexpr std::int64_t kUnsettled = 20;
constexpr std::int64_t kUnacknowledged = 5;

std::string configuration(const Mosquitto& field, const Mosquitto& upstream, const TemporaryDirectory& directory,
                          const std::string& commit) {
  return "version: 1\n"
         "gateway: rounds\n"
         "spool: { path: " +
         directory.path() + "/spool, limit: 256 MiB, keep_free: 16 MiB, commit: " + commit +
         " }\n"
         "sources:\n"
         "  sensors:\n"
         "    mqtt:\n"
         "      url: " +
         field.url() +
         "\n"
         "      client_id: rounds\n"
         "      subscribe:\n"
         "        - { topic: \"plant/{area}/{device}/telemetry\", qos: 1, payload: json }\n"
         "rules:\n"
         "  - name: all\n"
         "    from: { source: sensors }\n"
         "    send: { to: up, topic: \"out/${device}\", key: \"${device}\", body: { n: value.n } }\n"
         "sinks:\n"
         "  up: { mqtt: { url: " +
         upstream.url() + ", qos: 1 } }\n";
}

// mosquitto_sub with a kept session.
Process reader_of(const Mosquitto& broker) {
  return Process({"stdbuf",
                  "-oL",
                  "mosquitto_sub",
                  "-d",
                  "-h",
                  "127.0.0.1",
                  "-p",
                  std::to_string(broker.port()),
                  "-V",
                  "5",
                  "-x",
                  "3600",
                  "-c",
                  "-i",
                  "reader",
                  "-q",
                  "1",
                  "-t",
                  "out/#",
                  "-F",
                  "message %t %p %P"});
}

std::vector<Arrival> arrivals_of(const Process& reader) {
  std::vector<Arrival> arrivals;
  std::istringstream lines(reader.output());
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("message out/")) continue;
    std::istringstream words(line.substr(12));
    Arrival arrival;
    std::string body;
    words >> arrival.device >> body;
    const std::size_t colon = body.find(':');
    if (colon == std::string::npos) continue;
    arrival.n = std::stoll(body.substr(colon + 1));
    for (std::string word; words >> word;) {
      if (word.starts_with("id:")) arrival.identity = word.substr(3);
      if (word.starts_with("rh-dup:")) arrival.marked = true;
    }
    arrivals.push_back(std::move(arrival));
  }
  return arrivals;
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
    moment.unsettled += number_at(*status, {"lanes", std::to_string(i), "backlog"});
  }
  return moment;
}

// A line of /proc/PID/io.
std::uint64_t io_of(const GatewayProcess& gateway, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(gateway.process().pid()) + "/io");
  for (std::string word; file >> word;) {
    std::uint64_t value = 0;
    if (word == name + ":" && file >> value) return value;
  }
  FAIL("no " << name);
  return 0;
}

}  // namespace

TEST_CASE("50 kills at random moments, each with records unsettled and messages unacknowledged: nothing is lost") {
  const std::uint32_t seed = std::random_device{}();
  std::cout << "seed " << seed << '\n';
  std::mt19937 random(seed);
  const Mosquitto field;
  const Mosquitto upstream;
  Process reader = reader_of(upstream);
  REQUIRE(reader.wait_for("Subscribed", 10s));
  const TemporaryDirectory directory;
  GatewayProcess gateway(directory, configuration(field, upstream, directory, "200 ms"));
  gateway.start();
  NumberedSensors sensors({.url = "tcp://127.0.0.1:" + std::to_string(field.port()),
                           .devices = kDevices,
                           .messages = 1'000'000,
                           .per_second = 500});
  std::int64_t least_unsettled = 1'000'000;
  std::int64_t least_unacknowledged = 1'000'000;
  for (int round = 0; round < kRounds; ++round) {
    // Some kills strike while the last backlog still leaves, some when all was delivered.
    std::this_thread::sleep_for(std::chrono::milliseconds{std::uniform_int_distribution<int>(0, 600)(random)});
    upstream.freeze();
    Moment moment;
    const bool struck = eventually(20s, [&] {
      const std::optional<Moment> now = look(gateway);
      if (!now || now->unsettled < kUnsettled || now->unacknowledged < kUnacknowledged) return false;
      moment = *now;
      gateway.kill9();
      return true;
    });
    upstream.thaw();
    REQUIRE_MESSAGE(struck, "round ", round, "\n", gateway.log());
    least_unsettled = std::min(least_unsettled, moment.unsettled);
    least_unacknowledged = std::min(least_unacknowledged, moment.unacknowledged);
    gateway.start();
  }
  std::cout << "  " << kRounds << " kills, each with at least " << least_unsettled << " records unsettled and "
            << least_unacknowledged << " messages unacknowledged\n";
  CHECK(least_unsettled >= kUnsettled);
  CHECK(least_unacknowledged >= kUnacknowledged);
  const std::optional<std::size_t> per_device = sensors.end();
  REQUIRE(per_device);
  Moment last;
  const bool drained = eventually(60s, [&] {
    const std::optional<Moment> now = look(gateway);
    if (now) last = *now;
    return now && now->unsettled == 0 && now->unacknowledged == 0;
  });
  REQUIRE_MESSAGE(drained, last.unsettled, " records unsettled, ", last.unacknowledged, " messages unacknowledged\n",
                  gateway.log());
  const std::optional<Value> status = gateway.status();
  REQUIRE(status);
  CHECK(*status->find("readings")->find("adds_up") == Value::boolean(true));
  CHECK(*status->find("lanes")->as_list()[0].find("records")->find("adds_up") == Value::boolean(true));
  CHECK(number_at(*status, {"lanes", "0", "records", "dropped"}) == 0);
  CHECK(gateway.terminate(20s) == 0);
  CHECK(run({gateway.program(), "spool", "verify", gateway.spool()}).status == 0);

  // The reader writes as fast as it can; the upstream confirmed everything already.
  const auto per = static_cast<std::int64_t>(*per_device);
  Judgement judgement;
  static_cast<void>(eventually(20s, [&] {
    judgement = judge(arrivals_of(reader), kDevices, per);
    return judgement.faults.empty();
  }));
  std::cout << "  " << kDevices * *per_device << " published, " << judgement.arrivals << " arrived, "
            << judgement.repeats << " repeats by identity, " << judgement.surplus << " marked surplus, "
            << judgement.faults.size() << " faults\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(judgement.faults.size(), 10); ++i) FAIL_CHECK(judgement.faults[i]);
}

TEST_CASE("nothing is written while nothing happens, and there is at most one fdatasync a commit interval") {
  const Mosquitto field;
  const Mosquitto upstream;
  const TemporaryDirectory directory;
  GatewayProcess gateway(directory, configuration(field, upstream, directory, "200 ms"));
  gateway.start();
  const auto syncs = [&] { return number_at(gateway.status().value(), {"spools", "0", "syncs"}); };
  NumberedSensors sensors({.url = "tcp://127.0.0.1:" + std::to_string(field.port()),
                           .devices = kDevices,
                           .messages = 2'000,
                           .per_second = 500});
  REQUIRE(eventually(30s, [&] { return look(gateway).value_or(Moment{}).unsettled > 0 || syncs() > 4; }));
  const std::int64_t before = syncs();
  const auto begun = std::chrono::steady_clock::now();
  REQUIRE(sensors.finish());
  const std::int64_t made = syncs() - before;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  // Five commits a second; the lane states about once a second, with two syncs; a segment now and then.
  std::cout << "  " << made << " syncs in " << seconds << " s\n";
  CHECK(made >= 3);
  CHECK(static_cast<double>(made) <= seconds * (5 + 3) + 6);

  REQUIRE(eventually(30s, [&] {
    const std::optional<Moment> now = look(gateway);
    return now && now->unsettled == 0 && now->unacknowledged == 0;
  }));
  // The lane states are saved a second after the last record was settled.
  std::uint64_t last = io_of(gateway, "write_bytes");
  auto quiet_since = std::chrono::steady_clock::now();
  REQUIRE(eventually(30s, [&] {
    const std::uint64_t now = io_of(gateway, "write_bytes");
    if (now != last) quiet_since = std::chrono::steady_clock::now();
    last = now;
    return std::chrono::steady_clock::now() - quiet_since > 5s;
  }));
  CHECK(gateway.terminate(20s) == 0);
}

TEST_CASE("a payload that is no JSON is listed and shown, goes when its subscription takes it as text, or is dropped") {
  const Mosquitto field;
  const Mosquitto upstream;
  const TemporaryDirectory directory;
  GatewayProcess gateway(directory, configuration(field, upstream, directory, "10 ms"));
  gateway.start();
  const auto dead = [&](std::vector<std::string> arguments, bool running) {
    arguments.insert(arguments.begin(), "dead");
    arguments.insert(arguments.end(), {"--spool", gateway.spool()});
    if (running) return gateway.command(std::move(arguments));
    arguments.insert(arguments.begin(), GatewayProcess::program());
    return run(std::move(arguments));
  };
  REQUIRE(eventually(20s, [&] {
    static_cast<void>(run({"mosquitto_pub", "-p", std::to_string(field.port()), "-q", "1", "-t",
                           "plant/hall/device-1/telemetry", "-m", "no json"}));
    return number_at(gateway.status().value(), {"dead_letters", "count"}) >= 2;
  }));
  for (const bool running : {true, false}) {
    CAPTURE(running);
    const std::string number = running ? "1" : "2";
    const Ran list = dead({"list"}, running);
    CHECK(list.status == 0);
    CHECK(list.output.find("\"sequence\":" + number + ",") != std::string::npos);
    CHECK(list.output.find("not JSON") != std::string::npos);
    CHECK(dead({"show", number}, running).output.find("\"payload\":\"no json\"") != std::string::npos);
    const Ran requeued = dead({"requeue", number}, running);
    CHECK(requeued.status == 1);
    CHECK(requeued.output.find(running ? "not JSON" : "name the configuration") != std::string::npos);
    if (running) {
      std::string text = configuration(field, upstream, directory, "10 ms");
      text.replace(text.find("payload: json"), 13, "payload: text");
      text.replace(text.find("value.n"), 7, "value");
      directory.write("railhead.yaml", text);
      CHECK(gateway.command({"reload"}).status == 0);
      const Ran goes = dead({"requeue", number}, running);
      CHECK(goes.status == 0);
      CHECK(goes.output.find("1 letter requeued as 1 record") != std::string::npos);
    } else {
      CHECK(dead({"drop", number}, running).status == 0);
    }
    CHECK(dead({"drop", number}, running).status == 1);
    CHECK(dead({"list"}, running).output.find("\"sequence\":" + number + ",") == std::string::npos);
    if (running) CHECK(gateway.terminate(20s) == 0);
  }
}
