// The metrics page: its format, and that docs/metrics.md names every metric (RAILHEAD_UPDATE=1 writes it anew).
#include "gateway/status/metrics.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::status {
namespace {

using std::chrono::seconds;

Snapshot plant() {
  Snapshot snapshot;
  snapshot.gateway = "plant \"7\"";
  snapshot.version = "1.2.3";
  snapshot.uptime = seconds{90};
  snapshot.readings = {.in = 10, .routed = 9, .filtered = 1};
  snapshot.sources.push_back({.name = "a\\b\nc", .kind = "mqtt", .readings = 10, .last_reading = seconds{4}});
  snapshot.lanes.push_back({.sink = "up",
                            .kind = "kafka",
                            .spool = "telemetry",
                            .state = LinkStatus::State::up,
                            .backlog = 4,
                            .backlog_bytes = 400,
                            .oldest_unsettled = seconds{30},
                            .ledger = {.accepted = 9, .delivered = 5, .spooled = 3, .held = 1, .repeats = 2}});
  snapshot.spools.push_back({.name = "telemetry",
                             .used_bytes = 8192,
                             .limit_bytes = 1 << 20,
                             .full_in = seconds{3600},
                             .bytes_written = 3000,
                             .payload_bytes = 2000,
                             .syncs = 7});
  snapshot.parts.push_back({.name = "up", .since = seconds{1}});
  snapshot.event_counts["sink_lost"] = 5;
  return snapshot;
}

std::map<std::string, std::string> samples_of(const std::string& page) {
  std::map<std::string, std::string> samples;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#")) continue;
    const std::size_t space = line.rfind(' ');
    samples[line.substr(0, space)] = line.substr(space + 1);
  }
  return samples;
}

TEST_CASE("every ledger term, lane, source, spool and event is a metric") {
  const auto samples = samples_of(to_prometheus(plant()));
  CHECK(samples.at("railhead_info{gateway=\"plant \\\"7\\\"\",version=\"1.2.3\"}") == "1");
  CHECK(samples.at("railhead_readings_total{outcome=\"routed\"}") == "9");
  CHECK(samples.at("railhead_readings_in_total") == "10");
  CHECK(samples.at("railhead_source_last_reading_seconds{source=\"a\\\\b\\nc\",kind=\"mqtt\"}") == "4.000");
  const std::string lane = "{sink=\"up\",kind=\"kafka\",spool=\"telemetry\"";
  CHECK(samples.at("railhead_lane_records" + lane + ",term=\"held\"}") == "1");
  CHECK(samples.at("railhead_lane_in_total" + lane + ",term=\"accepted\"}") == "9");
  CHECK(samples.at("railhead_lane_repeats_total" + lane + "}") == "2");
  CHECK(samples.at("railhead_lane_oldest_seconds" + lane + "}") == "30.000");
  CHECK(samples.at("railhead_spool_full_in_seconds{spool=\"telemetry\"}") == "3600.000");
  CHECK(samples.at("railhead_spool_syncs_total{spool=\"telemetry\"}") == "7");
  CHECK(samples.at("railhead_events_total{event=\"sink_lost\"}") == "5");
}

TEST_CASE("each name has one HELP and one TYPE in front of its samples, and each sample a number") {
  const std::string page = to_prometheus(plant());
  std::set<std::string> done;
  std::string current;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    std::istringstream words(line);
    std::string hash, what, name;
    if (line.starts_with("# ")) {
      words >> hash >> what >> name;
      if (what == "HELP") {
        CHECK(done.insert(name).second);
        current = name;
      }
      CHECK(name == current);
      continue;
    }
    CHECK(line.substr(0, line.find_first_of("{ ")) == current);
    const std::string value = line.substr(line.rfind(' ') + 1);
    std::size_t used = 0;
    static_cast<void>(std::stod(value, &used));
    CHECK(used == value.size());
  }
  CHECK(done.size() == metric_rows().size());
}

TEST_CASE("docs/metrics.md says what the table of metrics says") {
  const std::string path = test::source_directory() + "/docs/metrics.md";
  std::string page =
      "# Metrics\n\n`panel.http` serves them at `/metrics` in Prometheus' text format. Names are a contract: they are "
      "added to, never\nrenamed. Counters that say so count since the start of the process; the ledgers' go on across "
      "restarts.\n\n| metric | type | labels | means |\n|---|---|---|---|\n";
  for (const MetricRow& row : metric_rows()) {
    page += "| `" + std::string(row.name) + "` | " + std::string(row.type) + " | " + std::string(row.labels) + " | " +
            std::string(row.sentence) + " |\n";
  }
  if (std::getenv("RAILHEAD_UPDATE") != nullptr) {
    std::ofstream(path) << page;
    return;
  }
  CHECK_MESSAGE(test::read_file(path) == page, "run test_gateway_status with RAILHEAD_UPDATE=1 to write it anew");
}

}  // namespace
}  // namespace railhead::status
