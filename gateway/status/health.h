// Health by NAMUR NE 107: what state the gateway is in, why, and what to do. A pure function of a Snapshot, so that the
// LED, `railhead health`, /readyz and the systemd status line never disagree.
//
//   good                  readings come in, are on disk and go out
//   maintenance           all that still works; something wants attention before it stops working
//   out_of_specification  part of the field or of the upstream is missing; what can be kept is kept
//   failure               the gateway cannot do its work: nothing is acknowledged, or nothing comes in, or a part died
//
// (The fifth signal, a dark LED, is a gateway that is not there.) The worst reason decides.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "gateway/status/snapshot.h"

namespace railhead::status {

enum class HealthState : std::uint8_t { good, maintenance, out_of_specification, failure };
[[nodiscard]] std::string_view name_of(HealthState state);

struct Reason {
  HealthState state = HealthState::good;
  std::string what;    // "sink 'plant-kafka' is down: connection refused"
  std::string action;  // what the operator should do
};

struct Health {
  HealthState state = HealthState::good;
  std::vector<Reason> reasons;  // worst first
};

// A source or sink that is still starting this long after the start counts as down.
inline constexpr Duration kStartGrace = std::chrono::seconds{30};
// A part that has not turned for this long is stalled: the watchdog is no longer fed, and systemd restarts the gateway.
inline constexpr Duration kStallLimit = std::chrono::seconds{30};
inline constexpr Duration kOldestUnsettledMax = std::chrono::minutes{10};
inline constexpr Duration kRecentLoss = std::chrono::hours{1};  // a drop or damage is out of specification this long
inline constexpr unsigned kSpoolFillMaintenancePercent = 50;
inline constexpr unsigned kSpoolFillAlarmPercent = 80;

[[nodiscard]] Health judge(const Snapshot& snapshot);

// Whether the watchdog may be fed: every part lives and turned within its limit. Nothing else counts here: a restart
// mends a hung thread, it does not mend a broker that is away or a full disk.
[[nodiscard]] bool alive(std::span<const PartProgress> parts);

// `railhead health`: "good", or "failure: <first reason>; <action> (and 2 more)".
[[nodiscard]] std::string health_line(const Health& health);
// 0 healthy, 1 degraded, 2 failed.
[[nodiscard]] int health_exit_code(HealthState state);

}  // namespace railhead::status
