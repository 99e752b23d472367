#include "gateway/status/health.h"

#include <algorithm>
#include <utility>

#include "gateway/base/text.h"

namespace railhead::status {
namespace {

using State = LinkStatus::State;

class Judgement {
 public:
  void add(HealthState state, std::string what, std::string_view action) {
    health_.reasons.push_back({state, std::move(what), std::string(action)});
  }
  void add(HealthState state, std::string what, Event event) { add(state, std::move(what), row_of(event).action); }

  [[nodiscard]] Health finish() {
    std::stable_sort(health_.reasons.begin(), health_.reasons.end(),
                     [](const Reason& left, const Reason& right) { return left.state > right.state; });
    if (!health_.reasons.empty()) health_.state = health_.reasons.front().state;
    return std::move(health_);
  }

 private:
  Health health_;
};

std::string because(std::string what, const std::string& why) { return why.empty() ? what : what + ": " + why; }

// "1 record waits", "2 records wait".
std::string waiting(std::uint64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? " waits" : "s wait");
}

bool is_down(State state, Duration uptime) {
  return state == State::down || (state == State::starting && uptime > kStartGrace);
}

std::string age(Duration span) { return base::format_duration(std::chrono::floor<std::chrono::seconds>(span)); }

bool stalled(const PartProgress& part) { return part.since > part.stall_limit.value_or(kStallLimit); }

void judge_parts(const Snapshot& snapshot, Judgement& judgement) {
  for (const PartProgress& part : snapshot.parts) {
    if (part.ended) {
      judgement.add(HealthState::failure, "'" + part.name + "' ended by an error", Event::thread_failed);
    } else if (stalled(part)) {
      judgement.add(HealthState::failure, "'" + part.name + "' has not moved for " + age(part.since),
                    "systemd restarts the gateway by itself; report this: the program is wrong");
    }
  }
}

void judge_spools(const Snapshot& snapshot, Judgement& judgement) {
  for (const SpoolStatus& spool : snapshot.spools) {
    const std::string name = "spool '" + spool.name + "'";
    if (spool.failing) {
      judgement.add(HealthState::failure, because(name + ": the disk does not take writes", spool.why),
                    Event::disk_failed);
    }
    if (spool.blocking) {
      judgement.add(HealthState::failure, name + " is full and the field is no longer acknowledged", Event::spool_full);
    }
    if (spool.last_drop && *spool.last_drop < kRecentLoss) {
      judgement.add(HealthState::out_of_specification,
                    name + " was full: " + std::to_string(spool.dropped) + " records dropped so far, the last " +
                        age(*spool.last_drop) + " ago",
                    Event::spool_dropped);
    }
    if (spool.last_damage && *spool.last_damage < kRecentLoss) {
      judgement.add(
          HealthState::out_of_specification,
          name + ": " + std::to_string(spool.damaged) + " records damaged, found " + age(*spool.last_damage) + " ago",
          Event::spool_damaged);
    }
    if (spool.blocking || spool.limit_bytes == 0) continue;
    const auto percent = static_cast<unsigned>(
        std::min(100.0, 100.0 * static_cast<double>(spool.used_bytes) / static_cast<double>(spool.limit_bytes)));
    if (percent < kSpoolFillMaintenancePercent) continue;
    judgement.add(percent >= kSpoolFillAlarmPercent ? HealthState::out_of_specification : HealthState::maintenance,
                  name + " is " + std::to_string(percent) + " % full of " + base::format_size(spool.limit_bytes),
                  "bring the upstream back, or raise spool.limit, before the oldest records are dropped");
  }
}

void judge_sources(const Snapshot& snapshot, Judgement& judgement) {
  const auto down = [&](const SourceStatus& source) { return is_down(source.state, snapshot.uptime); };
  const bool all_down =
      !snapshot.sources.empty() && std::all_of(snapshot.sources.begin(), snapshot.sources.end(), down);
  // A source that may not acknowledge is degraded by the spool: what helps that helps it.
  const auto refusing = std::find_if(snapshot.spools.begin(), snapshot.spools.end(),
                                     [](const SpoolStatus& spool) { return spool.failing || spool.blocking; });
  Event why_degraded = Event::source_lost;
  if (refusing != snapshot.spools.end()) why_degraded = refusing->failing ? Event::disk_failed : Event::spool_full;
  for (const SourceStatus& source : snapshot.sources) {
    const std::string name = "source '" + source.name + "'";
    if (down(source)) {
      const HealthState state = all_down ? HealthState::failure : HealthState::out_of_specification;
      const std::string what = source.state == State::down ? " is down" : " does not come up";
      judgement.add(state, because(name + what, source.why), Event::source_lost);
      continue;
    }
    if (source.state == State::degraded && source.devices_down == 0) {
      judgement.add(HealthState::maintenance, because(name + " is degraded", source.why), why_degraded);
    }
    if (source.devices_down > 0) {
      judgement.add(HealthState::out_of_specification,
                    because(name + ": " + std::to_string(source.devices_down) + " of " +
                                std::to_string(source.devices_total) + " devices do not answer",
                            source.why),
                    Event::device_down);
    }
  }
}

// A sink has a lane in each spool; it is one sink to the operator.
std::vector<LaneStatus> by_sink(const std::vector<LaneStatus>& lanes) {
  std::vector<LaneStatus> sinks;
  for (const LaneStatus& lane : lanes) {
    const auto same = std::find_if(sinks.begin(), sinks.end(), [&](const LaneStatus& sink) {
      return sink.sink == lane.sink && sink.orphaned == lane.orphaned;
    });
    if (same == sinks.end()) {
      sinks.push_back(lane);
      continue;
    }
    same->backlog += lane.backlog;
    same->state = std::max(same->state, lane.state);
    if (same->why.empty()) same->why = lane.why;
    same->oldest_unsettled = std::max(same->oldest_unsettled, lane.oldest_unsettled);
  }
  return sinks;
}

void judge_sinks(const Snapshot& snapshot, Judgement& judgement) {
  for (const LaneStatus& sink : by_sink(snapshot.lanes)) {
    const std::string name = "sink '" + sink.sink + "'";
    if (sink.orphaned) {
      if (sink.backlog == 0) continue;
      judgement.add(HealthState::maintenance,
                    waiting(sink.backlog, "record") + " for " + name + ", which is no longer configured",
                    Event::lane_orphaned);
      continue;
    }
    if (is_down(sink.state, snapshot.uptime)) {
      const std::string what = sink.state == State::down ? " is down, " : " does not come up, ";
      judgement.add(HealthState::out_of_specification, because(name + what + waiting(sink.backlog, "record"), sink.why),
                    Event::sink_lost);
      continue;
    }
    if (sink.oldest_unsettled && *sink.oldest_unsettled > kOldestUnsettledMax) {
      judgement.add(HealthState::out_of_specification,
                    because(name + " is behind: its oldest record waits for " + age(*sink.oldest_unsettled), sink.why),
                    "check the upstream: it takes less than the field gives");
    } else if (sink.state == State::degraded) {
      judgement.add(HealthState::maintenance, because(name + " is degraded", sink.why), Event::sink_lost);
    }
  }
}

void judge_rest(const Snapshot& snapshot, Judgement& judgement) {
  if (snapshot.config_refused) {
    judgement.add(HealthState::maintenance,
                  because("the new configuration was refused, the old one runs on", snapshot.config_why),
                  Event::config_refused);
  }
  if (snapshot.dead_letters.count > 0) {
    judgement.add(HealthState::maintenance, waiting(snapshot.dead_letters.count, "dead letter"),
                  "railhead dead list shows them; requeue or drop them");
  }
  if (!snapshot.clock_trusted) {
    judgement.add(HealthState::maintenance, "the clock is not synchronised", Event::clock_stepped);
  }
  if (snapshot.led_failed) {
    judgement.add(HealthState::maintenance, std::string(row_of(Event::led_failed).sentence), Event::led_failed);
  }
}

}  // namespace

std::string_view name_of(HealthState state) {
  switch (state) {
    case HealthState::good: return "good";
    case HealthState::maintenance: return "maintenance";
    case HealthState::out_of_specification: return "out_of_specification";
    case HealthState::failure: break;
  }
  return "failure";
}

Health judge(const Snapshot& snapshot) {
  Judgement judgement;
  judge_parts(snapshot, judgement);
  judge_spools(snapshot, judgement);
  judge_sources(snapshot, judgement);
  judge_sinks(snapshot, judgement);
  judge_rest(snapshot, judgement);
  return judgement.finish();
}

bool alive(std::span<const PartProgress> parts) {
  return std::none_of(parts.begin(), parts.end(), [](const PartProgress& part) { return part.ended || stalled(part); });
}

std::string health_line(const Health& health) {
  std::string line(name_of(health.state));
  if (health.reasons.empty()) return line;
  const Reason& worst = health.reasons.front();
  line += ": " + worst.what;
  if (!worst.action.empty()) line += "; " + worst.action;
  if (health.reasons.size() > 1) line += " (and " + std::to_string(health.reasons.size() - 1) + " more)";
  return line;
}

int health_exit_code(HealthState state) {
  switch (state) {
    case HealthState::good: return 0;
    case HealthState::maintenance:
    case HealthState::out_of_specification: return 1;
    case HealthState::failure: break;
  }
  return 2;
}

}  // namespace railhead::status
