#include "adapters/modbus/scheduler_parts.h"

#include <algorithm>
#include <utility>

#include "gateway/base/assert.h"

namespace railhead::modbus {

Scheduler::Scheduler(SchedulerOptions options, const system::Clock& clock, Observer& observer, std::uint64_t seed)
    : options_(std::move(options)), clock_(clock), observer_(observer), seed_(seed) {}

Scheduler::~Scheduler() = default;

void Scheduler::add(const DeviceOptions& device, std::vector<Group> groups) {
  auto added = std::make_unique<Device>(Device{.name = device.name,
                                               .unit = device.unit,
                                               .timeout = device.timeout,
                                               .limits = device.limits,
                                               .points = device.points,
                                               .forbidden = device.forbidden,
                                               .decoders = {},
                                               .keys = {},
                                               .cycles = {},
                                               .backoff = system::Backoff(options_.probe, seed_ += 2)});
  added->decoders.reserve(device.points.size());
  added->keys.reserve(device.points.size());
  for (const Point& point : device.points) {
    added->decoders.emplace_back(point);
    added->keys.push_back(Value::text(point.name));
  }
  const BootTime now = clock_.boot_now();
  for (Group& group : groups) {
    Cycle cycle;
    cycle.place_of.assign(device.points.size(), 0);
    for (const Block& block : group.blocks) {
      cycle.points.insert(cycle.points.end(), block.points.begin(), block.points.end());
    }
    std::sort(cycle.points.begin(), cycle.points.end());
    for (std::uint32_t i = 0; i < cycle.points.size(); ++i) cycle.place_of[cycle.points[i]] = i;
    for (const std::uint32_t index : cycle.points) {
      const Point& point = device.points[index];
      cycle.shown.push_back(!point.hidden && point.every == group.every);
    }
    for (const Block& block : group.blocks) cycle.pieces.push_back(piece_of(*added, cycle, block));
    cycle.origin = now + group.phase;
    cycle.due = cycle.origin;
    cycle.plan = std::move(group);
    added->cycles.push_back(std::move(cycle));
  }
  if (!device.anchors.empty() && !added->cycles.empty()) {
    added->search = std::make_unique<Search>(
        Search{.points = device.points, .forbidden = device.forbidden, .anchors = device.anchors});
    added->search->due = added->cycles.front().due;
  }
  devices_.push_back(std::move(added));
}

BootTime Scheduler::eligible(const Device& device, const Cycle& cycle) const {
  if (cycle.out) return BootTime::max();
  if (!device.down && device.searching()) {
    return &cycle == &device.cycles.front() ? device.search->due : BootTime::max();
  }
  if (!device.down) return cycle.active ? cycle.not_before : cycle.due;
  if (&cycle != &device.cycles.front()) return BootTime::max();
  if (device.link_failed) return cycle.due;
  return std::max(cycle.due, probe_not_before_);
}

BootTime Scheduler::due() const {
  BootTime earliest = BootTime::max();
  for (const auto& device : devices_) {
    for (const Cycle& cycle : device->cycles) earliest = std::min(earliest, eligible(*device, cycle));
  }
  return earliest;
}

std::optional<Turn> Scheduler::next() { return next(clock_.boot_now()); }

std::optional<Turn> Scheduler::next(BootTime now) {
  for (;;) {
    Device* chosen_device = nullptr;
    Cycle* chosen = nullptr;
    BootTime deadline = BootTime::max();
    for (const auto& device : devices_) {
      for (Cycle& cycle : device->cycles) {
        if (eligible(*device, cycle) > now) continue;
        const BootTime finished_by = (cycle.active ? cycle.tick : cycle.due) + cycle.plan.every;
        if (finished_by >= deadline) continue;
        deadline = finished_by;
        chosen_device = device.get();
        chosen = &cycle;
      }
    }
    if (chosen == nullptr) return std::nullopt;
    if (!chosen->active && chosen_device->search != nullptr && chosen_device->search->again <= now) {
      search_again(*chosen_device);
      if (chosen_device->searching()) continue;  // other cycles of it have to wait
    }
    if (chosen_device->searching()) {
      chosen->out = true;
      out_.push_back({.id = ++last_id_ == 0 ? ++last_id_ : last_id_, .device = chosen_device, .cycle = chosen});
      return Turn{.request = {.unit = chosen_device->unit,
                              .table = Table::holding,
                              .address = chosen_device->search->walk.address(),
                              .count = kSunspecReads},
                  .timeout = chosen_device->timeout,
                  .id = last_id_};
    }
    if (!chosen->active) begin(*chosen_device, *chosen, now);
    if (!skip_quarantined(*chosen_device, *chosen)) continue;  // nothing to ask: the cycle ended
    chosen->out = true;
    out_.push_back({.id = ++last_id_ == 0 ? ++last_id_ : last_id_, .device = chosen_device, .cycle = chosen});
    const Block& block = chosen->pieces[chosen->at].block;
    return Turn{
        .request = {.unit = chosen_device->unit, .table = block.table, .address = block.address, .count = block.count},
        .timeout = chosen_device->timeout,
        .id = last_id_};
  }
}

void Scheduler::begin(Device& device, Cycle& cycle, BootTime now) {
  cycle.active = true;
  cycle.tick = cycle.due;
  cycle.at = 0;
  cycle.splits = 0;
  cycle.busy = 0;
  cycle.not_before = BootTime::min();
  cycle.outcomes.assign(cycle.points.size(), {});
  if (device.search != nullptr && !device.search->elsewhere.empty()) {
    for (std::size_t i = 0; i < cycle.points.size(); ++i) {
      cycle.outcomes[i] = device.search->elsewhere[cycle.points[i]];
    }
  }
  cycle.unscaled.clear();
  cycle.last_answer.reset();
  cycle.begun = now;
  if (!device.down) count_missed(device, cycle, now);
  const std::int64_t passed = now < cycle.origin ? -1 : (now - cycle.origin) / cycle.plan.every;
  cycle.due = cycle.origin + (passed + 1) * cycle.plan.every;
}

// The ticks from the one that begins only now on.
void Scheduler::count_missed(Device& device, const Cycle& cycle, BootTime now) {
  const Duration late = now - cycle.due;
  const std::int64_t missed = late / cycle.plan.every;
  if (missed > 0) {
    const Duration without = (connected_ ? connected_at_ : now) - std::max(cycle.due, lost_at_);
    const Missed why = without >= late / 2         ? Missed::unconnected
                       : cycle.due < silent_until_ ? Missed::silence
                                                   : Missed::busy;
    device.missed[static_cast<std::size_t>(why)] += static_cast<std::uint64_t>(missed);
  }
  // Told once a second: a link that is asked for more than it can give must not spend its time on saying so.
  if (now < device.tell_missed) return;
  for (std::size_t i = 0; i < kMissedReasons; ++i) {
    if (device.missed[i] == 0) continue;
    observer_.on_missed(device.name, std::exchange(device.missed[i], 0), static_cast<Missed>(i));
    device.tell_missed = now + std::chrono::seconds{1};
  }
}

bool Scheduler::skip_quarantined(Device& device, Cycle& cycle) {
  while (cycle.at < cycle.pieces.size()) {
    const Piece& piece = cycle.pieces[cycle.at];
    if (!piece.quarantined || piece.until <= clock_.boot_now()) return true;
    mark(cycle, piece.block, piece.reason);
    ++cycle.at;
  }
  finish(device, cycle);
  return false;
}

Scheduler::Piece Scheduler::piece_of(const Device& device, const Cycle& cycle, Block block) {
  Piece piece;
  piece.steps.reserve(block.points.size());
  for (const std::uint32_t index : block.points) {
    const Point& point = device.points[index];
    piece.steps.push_back({.decoder = &device.decoders[index],
                           .place = cycle.place_of[index],
                           .at = static_cast<std::uint16_t>(point.address - block.address),
                           .unscaled = point.factor ? point.span() : std::uint16_t{0},
                           .point = index});
  }
  piece.block = std::move(block);
  return piece;
}

void Scheduler::mark(Cycle& cycle, const Block& block, const Value& reason) {
  for (const std::uint32_t point : block.points) {
    cycle.outcomes[cycle.place_of[point]] = {.kind = Outcome::Kind::bad, .value = reason};
  }
}

void Scheduler::advance(Device& device, Cycle& cycle) {
  ++cycle.at;
  // Pieces in quarantine at the end must not hold the reading back until the next turn.
  skip_quarantined(device, cycle);
}

Scheduler::Out Scheduler::take_out(std::uint32_t id) {
  const auto found =
      id == 0 ? out_.begin() : std::find_if(out_.begin(), out_.end(), [&](const Out& one) { return one.id == id; });
  RAILHEAD_ASSERT(found != out_.end());
  const Out out = *found;
  out_.erase(found);
  if (out.cycle != nullptr) out.cycle->out = false;
  return out;
}

void Scheduler::repeat(std::uint32_t id) { take_out(id); }

void Scheduler::failed(const std::string& why, std::uint32_t id) {
  const Out out = take_out(id);
  silent_until_ = clock_.boot_now();
  // Why not go on with the cycle: a silent device would cost a timeout for each of its requests.
  if (out.cycle != nullptr) {
    Device& device = *out.device;
    const bool searching = device.searching() && !out.cycle->active;
    if (searching && !device.down) begin(device, *out.cycle, clock_.boot_now());
    if (out.cycle->active) abandon(device, *out.cycle, Value::text(why));
    if (searching) device.search->due = out.cycle->due;
  }
  count_failure(*out.device, why, false);
}

void Scheduler::link_down(const std::string& why) {
  RAILHEAD_ASSERT(out_.empty());
  const BootTime now = clock_.boot_now();
  for (const auto& device : devices_) {
    bool asked = device->down;
    for (Cycle& cycle : device->cycles) {
      if (device->down || (!cycle.active && cycle.due > now)) continue;
      if (!cycle.active) begin(*device, cycle, now);
      abandon(*device, cycle, Value::text(why));
      asked = true;
    }
    if (asked) count_failure(*device, why, true);
  }
}

void Scheduler::connection(bool there) {
  if (there == connected_) return;
  connected_ = there;
  (there ? connected_at_ : lost_at_) = clock_.boot_now();
}

// What is left of the cycle is bad for this reason.
void Scheduler::abandon(Device& device, Cycle& cycle, const Value& reason) {
  for (; cycle.at < cycle.pieces.size(); ++cycle.at) {
    const Piece& piece = cycle.pieces[cycle.at];
    mark(cycle, piece.block, piece.quarantined ? piece.reason : reason);
  }
  finish(device, cycle);
}

// Around what is in quarantine the blocks are merged anew: else the halves of every split would stay for ever.
void Scheduler::replan(const Device& device, Cycle& cycle) {
  cycle.replan = false;
  std::vector<std::uint32_t> healthy;
  std::vector<Range> forbidden = device.forbidden;
  std::vector<Piece> pieces;
  for (Piece& piece : cycle.pieces) {
    if (piece.quarantined) {
      forbidden.push_back({.table = piece.block.table, .first = piece.block.address, .count = piece.block.count});
      pieces.push_back(std::move(piece));
    } else {
      healthy.insert(healthy.end(), piece.block.points.begin(), piece.block.points.end());
    }
  }
  for (Block& block : plan_reads(device.points, healthy, device.limits, forbidden)) {
    pieces.push_back(piece_of(device, cycle, std::move(block)));
  }
  // Those in quarantine last: what is known to be good is read first.
  std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& left, const Piece& right) {
    return std::tuple(left.quarantined, left.block.table, left.block.address) <
           std::tuple(right.quarantined, right.block.table, right.block.address);
  });
  cycle.pieces = std::move(pieces);
}

void Scheduler::came_up(Device& device) {
  device.failures = 0;
  device.heard = true;
  if (!device.down) return;
  device.down = false;
  device.link_failed = false;
  device.backoff.reset();
  const BootTime now = clock_.boot_now();
  for (Cycle& cycle : device.cycles) {
    if (cycle.active) continue;
    const std::int64_t passed = now < cycle.origin ? -1 : (now - cycle.origin) / cycle.plan.every;
    cycle.due = cycle.origin + (passed + 1) * cycle.plan.every;
  }
  observer_.on_device_up(device.name);
  emit(device, Quality::good, Value(), Value(), clock_.now(), Duration{});
}

void Scheduler::count_failure(Device& device, const std::string& why, bool link) {
  const BootTime now = clock_.boot_now();
  ++device.failures;
  // Why at once when it never answered: on a bus whose units are read for the first time, waiting for those that are
  // switched off would cost the others their first ticks.
  const unsigned most = device.heard || link ? options_.failures_before_down : 1;
  if (!device.down && device.failures >= most) {
    for (Cycle& cycle : device.cycles) {
      if (cycle.active) abandon(device, cycle, Value::text(why));
    }
    device.down = true;
    observer_.on_device_down(device.name, why);
    emit(device, Quality::bad, Value(), Value(), clock_.now(), Duration{});
    // What comes back may be another device, or the same with another firmware: nothing learnt holds.
    for (Cycle& cycle : device.cycles) {
      cycle.pieces.clear();
      for (const Block& block : cycle.plan.blocks) {
        cycle.pieces.push_back(piece_of(device, cycle, block));
      }
    }
    if (device.search != nullptr) {
      device.points = device.search->points;
      device.search->times = 0;
      device.search->begin();
    }
  }
  if (!device.down) return;
  device.link_failed = link;
  // A link waits by itself before it connects again.
  device.cycles.front().due = link ? now : now + device.backoff.next();
  if (!link) {
    const double cost = static_cast<double>(device.timeout.count()) * (1.0 / options_.probe_share - 1.0);
    probe_not_before_ = now + Duration{static_cast<std::int64_t>(cost)};
  }
}

}  // namespace railhead::modbus
