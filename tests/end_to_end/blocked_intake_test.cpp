// Contract 1 while nothing can be stored, black box: a failing disk, then a full spool with `when_full: block`. Nothing
// is acknowledged, no connection ends, memory stays as it is, alarms go on where they can be stored, and what the
// broker kept meanwhile arrives by itself afterwards.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <sstream>

#include "tests/end_to_end/gateway_process.h"
#include "tests/end_to_end/publish.h"
#include "tests/support/mosquitto.h"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

std::string configuration(const Mosquitto& broker, const Mosquitto& upstream, const TemporaryDirectory& directory) {
  const auto source = [&](const std::string& name) {
    return "  " + name + ":\n    mqtt:\n      url: " + broker.url() + "\n      client_id: " + name +
           "\n      subscribe: [{ topic: \"" + name + "/{device}\", qos: 1, payload: text }]\n";
  };
  return "version: 1\ngateway: blocked\nspool: { path: " + directory.path() +
         "/spool, limit: 4 MiB, keep_free: 1 MiB, commit: 5 ms, when_full: block }\nsources:\n" + source("telemetry") +
         source("warnings") +
         "rules:\n  - name: all\n    from: { source: telemetry }\n"
         "    send: { to: up, topic: t, body: value, format: raw }\n"
         "  - name: warnings\n    from: { source: warnings }\n"
         "    send: { to: up, topic: w, priority: alarm, body: value, format: raw }\n"
         "sinks:\n  up: { mqtt: { url: " +
         upstream.url() + " } }\n";
}

void publish(const Mosquitto& broker, const std::string& topic, int count, std::size_t bytes) {
  std::vector<Message> messages;
  for (int n = 0; n < count; ++n) messages.push_back({topic, std::to_string(n) + std::string(bytes, 'x')});
  publish(broker, messages);
}

struct Watched {
  std::int64_t telemetry = 0;  // readings taken
  std::int64_t warnings = 0;
  std::int64_t delivered = 0;
  std::int64_t dropped = 0;
  std::int64_t unacknowledged = 0;
};

Watched look(const GatewayProcess& gateway) {
  Watched seen;
  const std::optional<Value> status = gateway.status();
  REQUIRE(status);
  for (const Value& source : status->find("sources")->as_list()) {
    const std::int64_t readings = number_at(source, {"readings"});
    if (*source.find("name") == Value::text("telemetry")) seen.telemetry = readings;
    if (*source.find("name") == Value::text("warnings")) seen.warnings = readings;
  }
  for (const Value& lane : status->find("lanes")->as_list()) {
    seen.delivered += number_at(lane, {"records", "delivered"});
    seen.dropped += number_at(lane, {"records", "dropped"});
  }
  seen.unacknowledged = number_at(*status, {"unacknowledged"});
  return seen;
}

bool blocks(const GatewayProcess& gateway) {
  const std::optional<Value> status = gateway.status();
  if (!status) return false;
  for (const Value& source : status->find("sources")->as_list()) {
    if (source.find("why")->as_text().find("nothing is acknowledged") != std::string_view::npos) return true;
  }
  return false;
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t times = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++times;
  return times;
}

std::int64_t resident_kib(pid_t pid) {
  std::istringstream status(read_file("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoll(line.substr(6));
  }
  return -1;
}

// No file of the gateway may grow beyond a few bytes: every write of its spool fails.
void let_disk_fail(const GatewayProcess& gateway, bool fails) {
  rlimit limit{};
  REQUIRE(::prlimit(gateway.process().pid(), RLIMIT_FSIZE, nullptr, &limit) == 0);
  limit.rlim_cur = fails ? 16 : limit.rlim_max;
  REQUIRE(::prlimit(gateway.process().pid(), RLIMIT_FSIZE, &limit, nullptr) == 0);
}

}  // namespace

TEST_CASE("a failing disk, then a full spool that blocks: no acknowledgement, no disconnect, no loss; alarms go on") {
  Mosquitto broker;
  Mosquitto upstream;
  TemporaryDirectory directory;
  GatewayProcess gateway(directory, configuration(broker, upstream, directory));
  gateway.start();
  REQUIRE(eventually(20s, [&] { return count(gateway.log(), "source_connected") == 2; }));
  publish(broker, "telemetry/a", 10, 10);
  REQUIRE(eventually(10s, [&] { return look(gateway).delivered == 10; }));

  let_disk_fail(gateway, true);
  publish(broker, "telemetry/a", 2000, 100);
  REQUIRE(eventually(10s, [&] { return blocks(gateway); }));
  CHECK(look(gateway).delivered == 10);
  let_disk_fail(gateway, false);
  REQUIRE(eventually(30s, [&] { return look(gateway).delivered == 2010; }));

  // Some 6 MiB for a spool of 4.
  upstream.stop();
  publish(broker, "telemetry/a", 5000, 1200);
  REQUIRE(eventually(20s, [&] { return blocks(gateway); }));
  const Watched blocked = look(gateway);
  CHECK(blocked.telemetry < 7010);
  const std::int64_t memory = resident_kib(gateway.process().pid());
  publish(broker, "telemetry/a", 5000, 1200);
  publish(broker, "warnings/a", 100, 10);
  CHECK(eventually(10s, [&] { return look(gateway).warnings == 100; }));
  CHECK(look(gateway).telemetry == blocked.telemetry);
  CHECK(resident_kib(gateway.process().pid()) < memory + 4096);
  // What is held back counts, though all that was taken is on disk.
  CHECK(look(gateway).unacknowledged > 0);
  upstream.start();
  const bool all = eventually(60s, [&] { return look(gateway).delivered == 12'110; });
  CHECK_MESSAGE(all, look(gateway).delivered, " of 12,110\n", gateway.log());
  CHECK(eventually(10s, [&] { return look(gateway).unacknowledged == 0; }));
  CHECK(look(gateway).telemetry == 12'010);
  CHECK(look(gateway).dropped == 0);
  CHECK(count(gateway.log(), "source_lost") == 0);
  CHECK(count(gateway.log(), "source_connected") == 2);
  CHECK(*gateway.status()->find("readings")->find("adds_up") == Value::boolean(true));
  CHECK(gateway.terminate(10s) == 0);
}
