// Assembly: what it shows of itself.
#include <algorithm>

#include "gateway/app/assembly.h"
#include "gateway/app/version.h"

namespace railhead::app {
namespace {

using ports::SpoolId;

constexpr Time kClockSet{std::chrono::hours{24 * 365 * 50}};  // about 2020

}  // namespace

status::Snapshot Assembly::snapshot() const {
  const BootTime now = clock_.boot_now();
  status::Snapshot snapshot;
  snapshot.gateway = gateway_;
  snapshot.version = kVersion;
  snapshot.now = clock_.now();
  snapshot.uptime = now - started_;
  snapshot.clock_trusted = clock_.trusted();
  {
    const base::MutexLock lock(mutex_);
    snapshot.config_refused = !refused_.empty();
    snapshot.config_why = refused_.substr(0, refused_.find('\n'));
    snapshot.config_diagnostics = refused_;
  }
  snapshot.led_failed = leds_ && leds_->failed();
  snapshot.unacknowledged = pipeline_->unacknowledged();
  add_sources(snapshot, now);
  add_lanes(snapshot);
  add_spools(snapshot, now);
  add_parts(snapshot, now);
  add_events(snapshot);
  return snapshot;
}

void Assembly::add_sources(status::Snapshot& snapshot, BootTime now) const {
  const std::map<std::string, status::ReadingLedger> readings = pipeline_->readings();
  for (const auto& [name, ledger] : readings) snapshot.readings += ledger;
  sources_.each([&](const Seat& seat) {
    status::SourceStatus source;
    source.name = seat.name;
    source.kind = seat.kind;
    source.state = seat.link.state();
    source.why = seat.link.why();
    source.devices_total = seat.link.devices_total();
    source.devices_down = seat.link.devices_down();
    source.busy_permille = seat.link.busy_permille();
    snapshot.unacknowledged += seat.link.held();
    if (const auto found = readings.find(seat.name); found != readings.end()) source.readings = found->second.in;
    if (const std::optional<BootTime> latest = pipeline_->latest_reading(seat.name))
      source.last_reading = now - *latest;
    snapshot.sources.push_back(std::move(source));
  });
}

void Assembly::add_lanes(status::Snapshot& snapshot) const {
  const auto add = [&](const flow::Pipeline::LaneView& view, SpoolId id, const flow::Pipeline::LaneView::Part& part) {
    status::LaneStatus lane;
    lane.sink = view.name;
    lane.spool = ports::name_of(id);
    lane.orphaned = view.orphan;
    sinks_.each([&](const Seat& seat) {
      if (seat.name != view.name) return;
      lane.kind = seat.kind;
      lane.state = seat.link.state();
      lane.why = seat.link.why();
    });
    lane.ledger = part.ledger;
    lane.backlog = part.ledger.owed();
    lane.backlog_bytes = part.backlog_bytes;
    // A time from before the clock was set says nothing of an age (S20).
    if (lane.backlog > 0 && part.oldest && kClockSet < *part.oldest) {
      lane.oldest_unsettled = std::max(Duration::zero(), snapshot.now - *part.oldest);
    }
    snapshot.lanes.push_back(std::move(lane));
  };
  for (const flow::Pipeline::LaneView& view : pipeline_->lanes()) {
    if (view.name == flow::kDeadLane) continue;
    add(view, SpoolId::telemetry, view.telemetry);
    const bool has_alarms = view.alarms.ledger.carried_over + view.alarms.ledger.accepted > 0;
    if (has_alarms) add(view, SpoolId::alarms, view.alarms);
  }
}

void Assembly::watch_spools() {
  const BootTime now = clock_.boot_now();
  for (const SpoolId id : ports::kAllSpools) {
    spool_watches_[static_cast<std::size_t>(id)].look(now, pipeline_->stores().of(id));
  }
}

void Assembly::add_spools(status::Snapshot& snapshot, BootTime now) const {
  for (const SpoolId id : ports::kAllSpools) {
    const spool::Spool& spool = pipeline_->stores().of(id);
    const spool::Usage usage = spool.usage();
    status::SpoolStatus status;
    status.name = ports::name_of(id);
    for (const spool::LaneInfo& lane : spool.lanes()) {
      status.dropped += lane.ledger.dropped;
      status.damaged += lane.ledger.damaged;
      if (id == SpoolId::dead && lane.name == flow::kDeadLane) snapshot.dead_letters.count = lane.ledger.spooled;
    }
    if (id == SpoolId::dead) {
      snapshot.dead_letters.bytes = usage.bytes;
      snapshot.dead_letters.limit_bytes = usage.limit;
    }
    status.used_bytes = usage.bytes;
    status.limit_bytes = usage.limit;
    status.failing = usage.failing;
    status.blocking = usage.full;
    status.why = usage.why;
    status.bytes_written = usage.bytes_written;
    status.payload_bytes = usage.payload_bytes;
    status.syncs = usage.syncs;
    status.compactions = usage.compactions;
    spool_watches_[static_cast<std::size_t>(id)].tell(now, status);
    snapshot.spools.push_back(std::move(status));
  }
}

void Assembly::add_parts(status::Snapshot& snapshot, BootTime now) const {
  for (const Seats* seats : {&sources_, &sinks_}) {
    seats->each([&](const Seat& seat) {
      // Before its first turn a part has had its time since its start.
      const BootTime last = std::max(seat.link.last_progress(), seat.since);
      snapshot.parts.push_back({.name = seat.name, .since = std::max(now - last, Duration{0})});
    });
  }
}

void Assembly::add_events(status::Snapshot& snapshot) const {
  for (std::size_t i = 0; i < status::kEvents.size(); ++i) {
    const std::uint64_t count = log_.count(static_cast<status::Event>(i));
    if (count > 0) snapshot.event_counts[std::string(status::kEvents[i].name)] = count;
  }
  snapshot.events = log_.recent();
}

}  // namespace railhead::app
