#include "gateway/status/metrics.h"

#include <array>
#include <cinttypes>
#include <cstdio>
#include <initializer_list>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/status/health.h"

namespace railhead::status {
namespace {

constexpr std::array<MetricRow, 34> kRows{{
    {"railhead_info", "gauge", "gateway,version", "1; which gateway and version this is"},
    {"railhead_uptime_seconds", "gauge", "", "since the start of the process"},
    {"railhead_health", "gauge", "state", "1 for the present state by NAMUR NE 107, 0 for the others"},
    {"railhead_clock_trusted", "gauge", "", "1 while the wall clock is synchronised"},
    {"railhead_config_refused", "gauge", "",
     "1 while the last reload was refused and the configuration before runs on"},
    {"railhead_readings_total", "counter", "outcome",
     "readings by what became of them; their sum is railhead_readings_in_total"},
    {"railhead_readings_in_total", "counter", "", "readings taken from the field, since the spool was made"},
    {"railhead_unacknowledged", "gauge", "", "field messages received whose acknowledgement did not leave yet"},
    {"railhead_source_up", "gauge", "source,kind", "1 up or degraded, 0 down or starting"},
    {"railhead_source_readings_total", "counter", "source,kind", "readings offered by this source"},
    {"railhead_source_devices", "gauge", "source,kind", "devices configured; 0 where they are not known (MQTT)"},
    {"railhead_source_devices_down", "gauge", "source,kind", "devices that do not answer"},
    {"railhead_source_busy_permille", "gauge", "source,kind",
     "how much of the time the busiest line of a Modbus source is in use, in thousandths"},
    {"railhead_source_last_reading_seconds", "gauge", "source,kind",
     "age of the latest reading; absent before the first"},
    {"railhead_sink_up", "gauge", "sink,kind,spool", "1 up or degraded, 0 down or starting"},
    {"railhead_lane_in_total", "counter", "sink,kind,spool,term",
     "records owed by a lane ever: carried_over and accepted; their sum is that of railhead_lane_records"},
    {"railhead_lane_records", "gauge", "sink,kind,spool,term",
     "the other side of the ledger: delivered, spooled, held, set_aside, expired, damaged, dropped"},
    {"railhead_lane_repeats_total", "counter", "sink,kind,spool", "records sent more than once, beside the ledger"},
    {"railhead_lane_backlog", "gauge", "sink,kind,spool", "records not settled"},
    {"railhead_lane_backlog_bytes", "gauge", "sink,kind,spool", "what they take on disk, about"},
    {"railhead_lane_oldest_seconds", "gauge", "sink,kind,spool",
     "age of the oldest of them; absent when there is none"},
    {"railhead_spool_used_bytes", "gauge", "spool", "allocated on disk"},
    {"railhead_spool_limit_bytes", "gauge", "spool",
     "the bound in force: less than configured when keep_free asks for it"},
    {"railhead_spool_full_in_seconds", "gauge", "spool",
     "when it is full at the present rate; absent while it does not grow"},
    {"railhead_spool_failing", "gauge", "spool", "1 while the disk takes no writes"},
    {"railhead_spool_blocking", "gauge", "spool", "1 while it is full and nothing is acknowledged"},
    {"railhead_spool_written_bytes_total", "counter", "spool", "bytes written to the flash since the start"},
    {"railhead_spool_payload_bytes_total", "counter", "spool",
     "bytes of records committed since the start; write amplification = written / payload"},
    {"railhead_spool_syncs_total", "counter", "spool", "fdatasyncs since the start"},
    {"railhead_spool_compactions_total", "counter", "spool", "segments rewritten since the start"},
    {"railhead_dead_letters", "gauge", "", "dead letters waiting"},
    {"railhead_dead_letters_bytes", "gauge", "", "what they take on disk"},
    {"railhead_part_progress_seconds", "gauge", "part", "since this thread or loop last turned"},
    {"railhead_events_total", "counter", "event", "events of docs/operations.md, since the start"},
}};

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// Backslash, double quote and line feed, as the format asks.
void escape(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

// Samples of one name stand together, under one HELP and TYPE: begin() once for each name.
class Page {
 public:
  void begin(std::string_view name) {
    name_ = name;
    for (const MetricRow& row : kRows) {
      if (row.name != name) continue;
      out_ += "# HELP " + std::string(name) + " " + std::string(row.sentence) + "\n# TYPE " + std::string(name) + " " +
              std::string(row.type) + "\n";
      return;
    }
    RAILHEAD_ASSERT(false && "a metric without a row");
  }
  void sample(Labels labels, std::uint64_t value) { line(labels, std::to_string(value)); }
  void sample(Labels labels, Duration span) {
    char text[48];
    std::snprintf(text, sizeof text, "%.3f", static_cast<double>(span.count()) / 1e9);
    line(labels, text);
  }
  void one(std::string_view name, std::uint64_t value) {
    begin(name);
    sample({}, value);
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  void line(Labels labels, std::string_view value) {
    out_ += name_;
    char open = '{';
    for (const auto& [name, text] : labels) {
      out_ += open;
      out_ += name;
      out_ += "=\"";
      escape(text, out_);
      out_ += '"';
      open = ',';
    }
    if (open == ',') out_ += '}';
    out_ += ' ';
    out_ += value;
    out_ += '\n';
  }
  std::string_view name_;
  std::string out_;
};

std::uint64_t is_up(LinkStatus::State state) {
  return state == LinkStatus::State::up || state == LinkStatus::State::degraded ? 1 : 0;
}

void add_readings(const Snapshot& snapshot, Page& page) {
  const ReadingLedger& its = snapshot.readings;
  page.begin("railhead_readings_total");
  for (const auto& [outcome, count] :
       std::initializer_list<std::pair<std::string_view, std::uint64_t>>{{"redelivered", its.redelivered},
                                                                         {"refused", its.refused},
                                                                         {"routed", its.routed},
                                                                         {"absorbed", its.absorbed},
                                                                         {"set_aside", its.set_aside},
                                                                         {"dropped", its.dropped},
                                                                         {"filtered", its.filtered},
                                                                         {"unrouted", its.unrouted}}) {
    page.sample({{"outcome", outcome}}, count);
  }
  page.one("railhead_readings_in_total", its.in);
  page.one("railhead_unacknowledged", snapshot.unacknowledged);
}

void add_sources(const Snapshot& snapshot, Page& page) {
  if (snapshot.sources.empty()) return;
  const auto each = [&](std::string_view name, auto value) {
    page.begin(name);
    for (const SourceStatus& source : snapshot.sources) {
      page.sample({{"source", source.name}, {"kind", source.kind}}, std::uint64_t{value(source)});
    }
  };
  each("railhead_source_up", [](const SourceStatus& source) { return is_up(source.state); });
  each("railhead_source_readings_total", [](const SourceStatus& source) { return source.readings; });
  each("railhead_source_devices", [](const SourceStatus& source) { return source.devices_total; });
  each("railhead_source_devices_down", [](const SourceStatus& source) { return source.devices_down; });
  each("railhead_source_busy_permille", [](const SourceStatus& source) { return source.busy_permille; });
  page.begin("railhead_source_last_reading_seconds");
  for (const SourceStatus& source : snapshot.sources) {
    if (source.last_reading) page.sample({{"source", source.name}, {"kind", source.kind}}, *source.last_reading);
  }
}

void add_lanes(const Snapshot& snapshot, Page& page) {
  if (snapshot.lanes.empty()) return;
  using Terms = std::initializer_list<std::pair<std::string_view, std::uint64_t LaneLedger::*>>;
  const auto terms = [&](std::string_view name, Terms all) {
    page.begin(name);
    for (const LaneStatus& lane : snapshot.lanes) {
      for (const auto& [term, member] : all) {
        page.sample({{"sink", lane.sink}, {"kind", lane.kind}, {"spool", lane.spool}, {"term", term}},
                    lane.ledger.*member);
      }
    }
  };
  const auto each = [&](std::string_view name, auto value) {
    page.begin(name);
    for (const LaneStatus& lane : snapshot.lanes) {
      page.sample({{"sink", lane.sink}, {"kind", lane.kind}, {"spool", lane.spool}}, std::uint64_t{value(lane)});
    }
  };
  each("railhead_sink_up", [](const LaneStatus& lane) { return lane.orphaned ? 0 : is_up(lane.state); });
  terms("railhead_lane_in_total", {{"carried_over", &LaneLedger::carried_over}, {"accepted", &LaneLedger::accepted}});
  terms("railhead_lane_records", {{"delivered", &LaneLedger::delivered},
                                  {"spooled", &LaneLedger::spooled},
                                  {"held", &LaneLedger::held},
                                  {"set_aside", &LaneLedger::set_aside},
                                  {"expired", &LaneLedger::expired},
                                  {"damaged", &LaneLedger::damaged},
                                  {"dropped", &LaneLedger::dropped}});
  each("railhead_lane_repeats_total", [](const LaneStatus& lane) { return lane.ledger.repeats; });
  each("railhead_lane_backlog", [](const LaneStatus& lane) { return lane.backlog; });
  each("railhead_lane_backlog_bytes", [](const LaneStatus& lane) { return lane.backlog_bytes; });
  page.begin("railhead_lane_oldest_seconds");
  for (const LaneStatus& lane : snapshot.lanes) {
    if (!lane.oldest_unsettled) continue;
    page.sample({{"sink", lane.sink}, {"kind", lane.kind}, {"spool", lane.spool}}, *lane.oldest_unsettled);
  }
}

void add_spools(const Snapshot& snapshot, Page& page) {
  if (snapshot.spools.empty()) return;
  const auto each = [&](std::string_view name, auto value) {
    page.begin(name);
    for (const SpoolStatus& spool : snapshot.spools) {
      page.sample({{"spool", spool.name}}, std::uint64_t{value(spool)});
    }
  };
  each("railhead_spool_used_bytes", [](const SpoolStatus& spool) { return spool.used_bytes; });
  each("railhead_spool_limit_bytes", [](const SpoolStatus& spool) { return spool.limit_bytes; });
  page.begin("railhead_spool_full_in_seconds");
  for (const SpoolStatus& spool : snapshot.spools) {
    if (spool.full_in) page.sample({{"spool", spool.name}}, *spool.full_in);
  }
  each("railhead_spool_failing", [](const SpoolStatus& spool) { return spool.failing ? 1u : 0u; });
  each("railhead_spool_blocking", [](const SpoolStatus& spool) { return spool.blocking ? 1u : 0u; });
  each("railhead_spool_written_bytes_total", [](const SpoolStatus& spool) { return spool.bytes_written; });
  each("railhead_spool_payload_bytes_total", [](const SpoolStatus& spool) { return spool.payload_bytes; });
  each("railhead_spool_syncs_total", [](const SpoolStatus& spool) { return spool.syncs; });
  each("railhead_spool_compactions_total", [](const SpoolStatus& spool) { return spool.compactions; });
}

}  // namespace

std::span<const MetricRow> metric_rows() { return kRows; }

std::string to_prometheus(const Snapshot& snapshot) {
  Page page;
  page.begin("railhead_info");
  page.sample({{"gateway", snapshot.gateway}, {"version", snapshot.version}}, 1);
  page.begin("railhead_uptime_seconds");
  page.sample({}, snapshot.uptime);
  const HealthState now = judge(snapshot).state;
  page.begin("railhead_health");
  for (const HealthState state :
       {HealthState::good, HealthState::maintenance, HealthState::out_of_specification, HealthState::failure}) {
    page.sample({{"state", name_of(state)}}, state == now ? 1 : 0);
  }
  page.one("railhead_clock_trusted", snapshot.clock_trusted ? 1 : 0);
  page.one("railhead_config_refused", snapshot.config_refused ? 1 : 0);
  add_readings(snapshot, page);
  add_sources(snapshot, page);
  add_lanes(snapshot, page);
  add_spools(snapshot, page);
  page.one("railhead_dead_letters", snapshot.dead_letters.count);
  page.one("railhead_dead_letters_bytes", snapshot.dead_letters.bytes);
  page.begin("railhead_part_progress_seconds");
  for (const PartProgress& part : snapshot.parts) page.sample({{"part", part.name}}, part.since);
  page.begin("railhead_events_total");
  for (const auto& [name, count] : snapshot.event_counts) page.sample({{"event", name}}, count);
  return page.take();
}

}  // namespace railhead::status
