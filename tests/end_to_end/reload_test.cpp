// Reload under load (S31): 10,000 QoS 1 messages a second through a real mosquitto while the configuration is changed a
// hundred times, half of the changes broken. Every kind of part changes: rules, the source, the sink, a second sink
// that comes and goes. Nothing is lost, nothing arrives twice, and a rule that never changes forgets nothing.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>

#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "tests/end_to_end/arrivals.h"
#include "tests/end_to_end/gateway_process.h"
#include "tests/end_to_end/numbered_sensors.h"
#include "tests/end_to_end/publish.h"
#include "tests/support/mosquitto.h"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kDevices = 100;
constexpr std::size_t kReloads = 100;

std::string configuration(const Mosquitto& mosquitto, const TemporaryDirectory& directory, std::size_t version) {
  const bool second = version % 6 == 4;
  return "version: 1\n"
         "gateway: reloaded\n"
         "spool: { path: " +
         directory.path() +
         "/spool, limit: 512 MiB, keep_free: 1 MiB }\n"
         "sources:\n"
         "  sensors:\n"
         "    mqtt:\n"
         "      url: " +
         mosquitto.url() +
         "\n"
         "      client_id: reloaded\n"
         "      keep_alive: " +
         std::to_string(30 + version / 20) +
         " s\n"
         "      subscribe:\n"
         "        - { topic: \"plant/{area}/{device}/telemetry\", qos: 1, payload: json }\n"
         "rules:\n"
         "  - name: all\n"
         "    from: { source: sensors }\n"
         "    send: { to: up, topic: t, key: \"${device}\", body: { device: device, n: value.n, version: " +
         std::to_string(version) +
         " } }\n"
         "  - name: first of a device\n"
         "    from: { source: sensors }\n"
         "    on_change: { \"value.n < 0\": 0 }\n"
         "    send: { to: up, topic: first, body: { device: device } }\n" +
         (second ? "  - name: more\n"
                   "    from: { source: sensors, device: device-7 }\n"
                   "    send: { to: second, topic: more }\n"
                 : "") +
         "sinks:\n"
         "  up: { file: { path: " +
         directory.path() + "/up.jsonl, rotate: " + std::to_string(1000 + version / 14) + " MiB } }\n" +
         (second ? "  second: { file: { path: " + directory.path() + "/second.jsonl } }\n" : "");
}

std::string broken(std::string text, std::size_t which) {
  const auto replace = [&](const std::string& what, const std::string& with) {
    const std::size_t at = text.find(what);
    REQUIRE(at != std::string::npos);
    text.replace(at, what.size(), with);
  };
  switch (which % 4) {
    case 0: replace("value.n,", "valu.n,"); break;
    case 1: replace("to: up", "to: upp"); break;
    case 2: replace("gateway: reloaded", "gateway: other"); break;  // needs a restart
    default: replace("rules:\n", "rules: [\n"); break;
  }
  return text;
}

// Readings of source `source` in a window and in a reorder buffer that neither time nor number ends.
std::string waiting(const Mosquitto& mosquitto, const TemporaryDirectory& directory, const std::string& source,
                    const std::string& every, const std::string& wait, const std::string& limit = "64 MiB") {
  return "version: 1\n"
         "gateway: g\n"
         "spool: { path: " +
         directory.path() + "/spool, limit: " + limit + ", keep_free: 1 MiB }\nsources:\n  " + source +
         ":\n    mqtt: { url: " + mosquitto.url() +
         ", client_id: waiting, subscribe: [ { topic: \"p/{device}\", qos: 1, payload: json } ] }\n"
         "sinks:\n"
         "  up: { file: { path: " +
         directory.path() +
         "/up.jsonl, rotate: 0 } }\n"
         "rules:\n"
         "  - name: hourly\n"
         "    window: { every: " +
         every +
         ", by: device }\n"
         "    send: { to: up, topic: window, body: { n: count(), partial: window.partial } }\n"
         "  - name: in order\n"
         "    expect_sequence: { by: device, number: value.n, reorder: { wait: " +
         wait +
         " } }\n"
         "    send: { to: up, topic: ordered, body: { n: value.n } }\n";
}

// "topic body" of each, sorted.
std::vector<std::string> arrived(const TemporaryDirectory& directory) {
  std::vector<std::string> found;
  JsonParser parser;
  const std::string text = read_file(directory.path() + "/up.jsonl");
  for (const std::string_view line : base::split(base::trim(text), '\n')) {
    const Result<Value> record = parser.parse(line);
    if (!record) continue;  // not written to its end yet
    found.push_back(std::string(record->find("topic")->as_text()) + " " + to_json(*record->find("body")));
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

TEST_CASE("what windows and reorder buffers hold leaves at the reload that changes the rule or renames the source") {
  struct Change {
    std::string source, every, wait, limit;  // another limit: the spools are opened anew
    bool restart;                            // before the reload, by kill
    std::vector<std::string> wanted;
  };
  const std::string first = R"(ordered {"n":1})";
  const std::string waited = R"(ordered {"n":3})";
  const std::string closed = R"(window {"n":2,"partial":true})";
  const std::vector<Change> changes = {
      {"s", "30 d", "20 h", "64 MiB", false, {first, closed}},
      {"s", "31 d", "10 h", "64 MiB", true, {first, waited}},
      {"renamed", "31 d", "20 h", "64 MiB", true, {first, waited, closed}},
      {"renamed", "30 d", "20 h", "80 MiB", false, {first, waited, closed}},
  };
  for (const Change& change : changes) {
    CAPTURE(change.source + " " + change.every + " " + change.wait + (change.restart ? " restarted" : ""));
    const Mosquitto mosquitto;
    const TemporaryDirectory directory;
    GatewayProcess gateway(directory, waiting(mosquitto, directory, "s", "31 d", "20 h"));
    const auto connected = [&](const std::string& source) {
      return eventually(20s, [&] {
        const std::optional<Value> status = gateway.status();
        if (!status || status->find("sources")->as_list().empty()) return false;
        const Value& shown = status->find("sources")->as_list()[0];
        return *shown.find("name") == Value::text(source) && *shown.find("state") == Value::text("up");
      });
    };
    gateway.start();
    REQUIRE(connected("s"));
    publish(mosquitto, {{"p/a", R"({"n":1})"}, {"p/a", R"({"n":3})"}});
    // The window's and the buffer's readings are acknowledged, nothing else has left.
    REQUIRE(eventually(20s, [&] { return arrived(directory).size() == 1; }));
    REQUIRE(eventually(20s, [&] {
      const std::optional<Value> status = gateway.status();
      return status && number_at(*status, {"readings", "in"}) == 2 && number_at(*status, {"unacknowledged"}) == 0;
    }));
    if (change.restart) {
      gateway.kill9();
      gateway.start();
      REQUIRE(connected("s"));
    }
    directory.write("railhead.yaml",
                    waiting(mosquitto, directory, change.source, change.every, change.wait, change.limit));
    const Ran ran = gateway.command({"reload"});
    REQUIRE_MESSAGE(ran.status == 0, ran.output);
    // No reading comes any more.
    CHECK(eventually(10s, [&] {
      std::vector<std::string> found = arrived(directory);
      found.erase(std::unique(found.begin(), found.end()), found.end());  // what a kill repeated
      return found == change.wanted;
    }));
    CHECK(gateway.terminate(20s) == 0);
  }
}

TEST_CASE("10,000 messages a second and 100 reloads, half of them broken: nothing is lost, nothing is repeated") {
  const Mosquitto mosquitto;
  const TemporaryDirectory directory;
  GatewayProcess gateway(directory, configuration(mosquitto, directory, 0));
  gateway.start();
  REQUIRE(eventually(20s, [&] {
    const std::optional<Value> status = gateway.status();
    return status && *status->find("sources")->as_list()[0].find("state") == Value::text("up");
  }));

  constexpr std::size_t kMessages = 120'000;
  NumberedSensors sensors({.url = "tcp://127.0.0.1:" + std::to_string(mosquitto.port()),
                           .devices = kDevices,
                           .messages = kMessages,
                           .per_second = 10'000});
  std::size_t refused = 0;
  std::size_t during = 0;  // reloads while messages were still to come
  for (std::size_t i = 1; i <= kReloads; ++i) {
    const std::string good = configuration(mosquitto, directory, i);
    const bool is_good = i % 2 == 0;
    directory.write("railhead.yaml", is_good ? good : broken(good, i / 2));
    const Ran ran = gateway.command({"reload"});
    CHECK_MESSAGE(ran.status == (is_good ? 0 : 1), ran.output);
    if (!is_good) ++refused;
    if (sensors.published() < kMessages) ++during;
    // Spread over the messages, however fast this machine is.
    eventually(5s, [&] { return sensors.published() * (kReloads + 5) >= i * kMessages; });
  }
  CHECK(refused == kReloads / 2);
  CHECK(during == kReloads);
  REQUIRE(sensors.finish());
  REQUIRE_MESSAGE(eventually(60s,
                             [&] {
                               const std::optional<Value> status = gateway.status();
                               return status && number_at(*status, {"lanes", "0", "records", "spooled"}) == 0 &&
                                      number_at(*status, {"unacknowledged"}) == 0 &&
                                      number_at(*status, {"readings", "in"}) >= std::int64_t{kMessages};
                             }),
                  gateway.log());
  const std::optional<Value> status = gateway.status();
  REQUIRE(status);
  CHECK(*status->find("readings")->find("adds_up") == Value::boolean(true));
  CHECK(gateway.terminate(20s) == 0);

  JsonParser parser;
  std::vector<Arrival> arrivals;
  std::map<std::string, std::size_t> firsts;
  std::set<std::int64_t> versions;
  const std::string text = read_file(directory.path() + "/up.jsonl");
  for (const std::string_view line : base::split(base::trim(text), '\n')) {
    const Result<Value> record = parser.parse(line);
    REQUIRE_MESSAGE(record, std::string(line));
    const Value& body = *record->find("body");
    const std::string device(body.find("device")->as_text());
    if (record->find("topic")->as_text() == "first") {
      ++firsts[device];
      continue;
    }
    versions.insert(body.find("version")->as_integer());
    const Value& headers = *record->find("headers");
    arrivals.push_back({.identity = std::string(headers.find("ce_id")->as_text()),
                        .device = device,
                        .n = body.find("n")->as_integer(),
                        .marked = headers.find("rh-dup") != nullptr});
  }
  const Judgement judgement = judge(arrivals, kDevices, kMessages / kDevices);
  std::cout << "  " << judgement.arrivals << " arrived under " << versions.size() << " configurations, "
            << judgement.repeats << " repeats by identity, " << judgement.surplus << " surplus, "
            << judgement.faults.size() << " faults\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(judgement.faults.size(), 10); ++i) FAIL_CHECK(judgement.faults[i]);
  CHECK(judgement.repeats == 0);
  CHECK(judgement.surplus == 0);  // every PUBACK is read before a replaced source's connection ends
  CHECK(versions.size() > kReloads / 4);
  CHECK(firsts.size() == kDevices);
  for (const auto& [device, count] : firsts) CHECK_MESSAGE(count == 1, device);
}
