// Snapshot: everything the running gateway says of itself, taken at one moment. Whoever owns the parts (gateway/app)
// fills it; health (health.h), `railhead status`, the metrics and the panel are functions of it.
// Shapes: ages and spans, not points in time, so a snapshot means the same to any clock. Names are the configuration's.
// Threads: a value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gateway/base/time.h"
#include "gateway/status/events.h"
#include "gateway/status/ledger.h"
#include "gateway/status/link.h"
#include "gateway/status/log.h"

namespace railhead::status {

struct SourceStatus {
  std::string name{};
  std::string kind{};  // "modbus", "mqtt"
  LinkStatus::State state = LinkStatus::State::starting;
  std::string why{};
  std::uint32_t devices_total = 0;  // 0: not known (MQTT)
  std::uint32_t devices_down = 0;
  std::uint32_t busy_permille = 0;         // of its busiest line
  std::uint64_t readings = 0;              // offered since the start of the process
  std::optional<Duration> last_reading{};  // age
};

struct LaneStatus {
  std::string sink{};
  std::string kind{};   // "kafka", "amqp"; empty for an orphan
  std::string spool{};  // "telemetry", "alarms"
  LinkStatus::State state = LinkStatus::State::starting;
  std::string why{};
  bool orphaned = false;  // its sink is no longer configured
  std::uint64_t backlog = 0;
  std::uint64_t backlog_bytes = 0;
  std::optional<Duration> oldest_unsettled{};  // age of the oldest record not settled
  LaneLedger ledger{};
};

struct SpoolStatus {
  std::string name{};
  std::uint64_t used_bytes = 0;
  std::uint64_t limit_bytes = 0;
  bool failing = false;   // the disk takes no writes: nothing is acknowledged
  bool blocking = false;  // full and `when_full: block`: nothing is acknowledged
  std::string why{};
  std::uint64_t dropped = 0;            // records, since the ledger began
  std::optional<Duration> last_drop{};  // age of the latest drop
  std::uint64_t damaged = 0;            // records set aside as damaged, since the ledger began
  std::optional<Duration> last_damage{};
  std::optional<Duration> full_in{};  // at the rate of the last minutes; nullopt while it does not grow
  // What the flash has to bear, since the start of the process.
  std::uint64_t bytes_written = 0;
  std::uint64_t payload_bytes = 0;  // of records committed
  std::uint64_t syncs = 0;
  std::uint64_t compactions = 0;  // segments rewritten
};

struct DeadLetterStatus {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  std::uint64_t limit_bytes = 0;
};

// A thread or loop whose turning proves that the gateway lives (LinkStatus::progress).
struct PartProgress {
  std::string name{};
  Duration since{};    // its last progress
  bool ended = false;  // it left by an error and does not come back
  // Its own bound where one single wait may last longer than the common one (kStallLimit).
  std::optional<Duration> stall_limit{};
};

struct Snapshot {
  std::string gateway{};
  std::string version{};
  Time now{};
  Duration uptime{};
  bool stopping = false;
  bool clock_trusted = true;
  bool config_refused = false;       // the last reload was refused, the configuration before it runs on
  std::string config_why{};          // its first mistake, one line
  std::string config_diagnostics{};  // all of them, as railhead check prints them
  bool led_failed = false;
  ReadingLedger readings{};
  std::uint64_t unacknowledged = 0;  // field messages received whose acknowledgement did not leave yet
  std::vector<SourceStatus> sources{};
  std::vector<LaneStatus> lanes{};
  std::vector<SpoolStatus> spools{};
  DeadLetterStatus dead_letters{};
  std::vector<PartProgress> parts{};
  std::vector<RecentEvent> events{};
  std::map<std::string, std::uint64_t> event_counts{};  // events that happened at least once
};

[[nodiscard]] std::string_view name_of(LinkStatus::State state);
// Bytes written for each byte of records; 0 before the first record.
[[nodiscard]] double write_amplification(const SpoolStatus& spool);

// The status document: one JSON object in one line, with the health that judge() gives. Field names are a contract with
// dashboards: add, never rename.
[[nodiscard]] std::string to_json(const Snapshot& snapshot);
// The same for a person: what `railhead status` prints.
[[nodiscard]] std::string to_text(const Snapshot& snapshot);

}  // namespace railhead::status
