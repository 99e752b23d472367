#include "adapters/modbus/scheduler.h"
#include "adapters/modbus/wire.h"

#include <algorithm>
#include <utility>

#include "gateway/base/assert.h"

namespace railhead::modbus {

// What became of one point in this cycle: a value, or the reason why not.
struct Scheduler::Outcome {
  enum class Kind : std::uint8_t { bad, good, absent };
  Kind kind = Kind::bad;
  Value value;  // or the reason
};

// The registers of a point that waits for its factor.
struct Scheduler::Unscaled {
  std::uint32_t point = 0;
  std::string registers;
};

// A block as it is read today: the plan's, or a part of one that was refused as a whole.
struct Scheduler::Piece {
  Block block;
  bool quarantined = false;
  BootTime until{};
  unsigned times = 0;  // refused in a row
  Value reason;
};

struct Scheduler::Cycle {
  Group plan;
  std::vector<std::uint32_t> points;    // of the device, in the order of the configuration
  std::vector<std::uint32_t> place_of;  // index of a device's point -> its place in `points`
  std::vector<Piece> pieces;
  BootTime origin{};  // of the grid of ticks
  BootTime due{};

  bool active = false;
  BootTime tick{};
  std::size_t at = 0;  // the piece that is next
  std::vector<Outcome> outcomes;
  std::vector<Unscaled> unscaled;
  Time last_answer{};
  unsigned splits = 0;
  bool replan = false;
  bool out = false;                       // one of its requests is on its way
  unsigned busy = 0;                      // how often in a row the device was too busy for this request
  BootTime not_before = BootTime::min();  // because it was busy
};

// For the SunSpec models of a device, and what stays of it.
struct Scheduler::Search {
  std::vector<Point> points;  // as configured
  std::vector<Range> forbidden;
  std::vector<Anchor> anchors;
  SunspecSearch walk{};
  bool running = true;
  BootTime due{};                    // of its next request
  BootTime again = BootTime::max();  // a model is missing: when to look once more
  unsigned times = 0;                // in a row
  std::vector<Outcome> elsewhere{};  // of each point that has no place

  void begin() {
    walk = {};
    running = true;
    due = BootTime::min();
    again = BootTime::max();
  }
};

struct Scheduler::Device {
  std::string name;
  std::uint8_t unit = 1;
  Duration timeout{};
  PlanLimits limits;
  std::vector<Point> points;
  std::vector<Range> forbidden;
  std::vector<Decoder> decoders;
  std::vector<Value> keys;
  std::vector<Cycle> cycles;  // the fastest first: its first block is also the probe
  system::Backoff backoff;
  unsigned failures = 0;
  std::uint64_t missed = 0;  // ticks that were not told yet
  BootTime tell_missed = BootTime::min();
  bool down = false;
  bool link_failed = false;          // down, and not by its own silence: tried at once when the link is back
  std::unique_ptr<Search> search{};  // nullptr: no anchors
  [[nodiscard]] bool searching() const { return search != nullptr && search->running; }
};

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
      cycle.pieces.push_back({.block = block, .quarantined = false, .until = {}, .times = 0, .reason = {}});
    }
    std::sort(cycle.points.begin(), cycle.points.end());
    for (std::uint32_t i = 0; i < cycle.points.size(); ++i) cycle.place_of[cycle.points[i]] = i;
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

std::optional<Turn> Scheduler::next() {
  const BootTime now = clock_.boot_now();
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
    if (!skip_quarantined(*chosen_device, *chosen, now)) continue;  // nothing to ask: the cycle ended
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
  cycle.last_answer = clock_.now();
  if (!device.down) {
    const std::int64_t missed = (now - cycle.due) / cycle.plan.every;
    if (missed > 0) device.missed += static_cast<std::uint64_t>(missed);
    // Told once a second: a link that is asked for more than it can give must not spend its time on saying so.
    if (device.missed > 0 && now >= device.tell_missed) {
      observer_.on_missed(device.name, std::exchange(device.missed, 0));
      device.tell_missed = now + std::chrono::seconds{1};
    }
  }
  const std::int64_t passed = now < cycle.origin ? -1 : (now - cycle.origin) / cycle.plan.every;
  cycle.due = cycle.origin + (passed + 1) * cycle.plan.every;
}

bool Scheduler::skip_quarantined(Device& device, Cycle& cycle, BootTime now) {
  while (cycle.at < cycle.pieces.size()) {
    const Piece& piece = cycle.pieces[cycle.at];
    if (!piece.quarantined || piece.until <= now) return true;
    mark(cycle, piece.block, piece.reason);
    ++cycle.at;
  }
  finish(device, cycle);
  return false;
}

void Scheduler::mark(Cycle& cycle, const Block& block, const Value& reason) {
  for (const std::uint32_t point : block.points) {
    cycle.outcomes[cycle.place_of[point]] = {.kind = Outcome::Kind::bad, .value = reason};
  }
}

void Scheduler::advance(Device& device, Cycle& cycle) {
  ++cycle.at;
  // Pieces in quarantine at the end must not hold the reading back until the next turn.
  skip_quarantined(device, cycle, clock_.boot_now());
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

void Scheduler::answered(std::string_view payload, std::uint32_t id) {
  const Out out = take_out(id);
  Device& device = *out.device;
  came_up(device);
  if (out.cycle == nullptr) return;
  Cycle& cycle = *out.cycle;
  if (device.searching()) return searched(device, cycle, payload);
  cycle.busy = 0;
  cycle.last_answer = clock_.now();
  Piece& piece = cycle.pieces[cycle.at];
  if (piece.quarantined) {
    piece.quarantined = false;
    piece.times = 0;
    cycle.replan = true;
  }
  for (const std::uint32_t point : piece.block.points) {
    const Point& what = device.points[point];
    const std::uint32_t at = std::uint32_t{what.address} - piece.block.address;
    if (what.factor) {
      cycle.unscaled.push_back({point, std::string(payload.substr(std::size_t{at} * 2, what.span() * 2u))});
    } else {
      take(cycle.outcomes[cycle.place_of[point]], device.decoders[point].decode(payload, at));
    }
  }
  advance(device, cycle);
}

void Scheduler::take(Outcome& outcome, Decoded decoded) {
  using Kind = Outcome::Kind;
  outcome.kind = decoded.absent ? Kind::absent : decoded.good() ? Kind::good : Kind::bad;
  outcome.value = decoded.why.empty() ? std::move(decoded.value) : Value::text(decoded.why);
}

// Points that another point scales, now that both were read.
void Scheduler::scale(const Device& device, Cycle& cycle) {
  for (const Unscaled& unscaled : cycle.unscaled) {
    const Decoder& decoder = device.decoders[unscaled.point];
    const std::uint32_t factor = *device.points[unscaled.point].factor;
    const Outcome& power = cycle.outcomes[cycle.place_of[factor]];
    const bool usable = power.kind == Outcome::Kind::good && power.value.is(Kind::integer) &&
                        power.value.as_integer() >= -kFactorMost && power.value.as_integer() <= kFactorMost;
    Decoded decoded = decoder.decode(unscaled.registers, 0, usable ? static_cast<int>(power.value.as_integer()) : 0);
    Outcome& outcome = cycle.outcomes[cycle.place_of[unscaled.point]];
    take(outcome, std::move(decoded));
    if (usable || outcome.kind != Outcome::Kind::good) continue;
    // Better none than one that is wrong by powers of ten.
    const std::string name = "its scale factor '" + device.points[factor].name + "' ";
    outcome.kind = Outcome::Kind::bad;
    outcome.value =
        Value::text(power.kind == Outcome::Kind::bad      ? name + "is bad: " + std::string(power.value.as_text())
                    : power.kind == Outcome::Kind::absent ? name + "is not implemented"
                                                          : name + "is beyond -10..10");
  }
  cycle.unscaled.clear();
}

void Scheduler::refused(std::uint8_t exception, std::uint32_t id) {
  const std::string why = exception_text(exception);
  // A gateway's word that the device behind it does not answer.
  if (exception == 10 || exception == 11) return failed(why, id);
  const Out out = take_out(id);
  Device& device = *out.device;
  came_up(device);
  if (out.cycle == nullptr) return;
  Cycle& cycle = *out.cycle;
  if (device.searching()) return search_refused(device, cycle, exception);
  if (retry_later(device, cycle, exception)) return;
  cycle.busy = 0;
  cycle.last_answer = clock_.now();
  Piece& piece = cycle.pieces[cycle.at];
  const bool by_address = exception == 2 || exception == 3;
  if (by_address && piece.block.divisible(device.points)) {
    if (cycle.splits++ < kSplitsMax) {
      auto [first, second] = split(piece.block, device.points);
      piece.block = std::move(first);
      Piece rest;
      rest.block = std::move(second);
      cycle.pieces.insert(cycle.pieces.begin() + static_cast<std::ptrdiff_t>(cycle.at) + 1, std::move(rest));
      return;  // the same place again, now narrower
    }
  } else if (by_address || exception == 1) {
    Duration held = options_.quarantine.first;
    for (unsigned i = 0; i < piece.times && held < options_.quarantine.most; ++i) held *= 2;
    piece.quarantined = true;
    piece.until = clock_.boot_now() + std::min(held, options_.quarantine.most);
    if (piece.times++ == 0) cycle.replan = true;
    piece.reason = Value::text(why);
  }
  const Block& block = piece.block;
  observer_.on_refused(
      device.name, {.unit = device.unit, .table = block.table, .address = block.address, .count = block.count}, why);
  mark(cycle, block, Value::text(why));
  advance(device, cycle);
}

// Busy (06), or working on it (05): the same request again in this cycle, after a growing pause in which others have
// their turn. The device answers, so it is not down.
bool Scheduler::retry_later(Device& device, Cycle& cycle, std::uint8_t exception) {
  if ((exception != 5 && exception != 6) || device.down || cycle.busy >= kBusyRetriesMax) return false;
  const Duration first = exception == 5 ? Duration{std::chrono::milliseconds{200}} : std::chrono::milliseconds{50};
  const BootTime at = clock_.boot_now() + first * (1u << cycle.busy);
  if (at >= cycle.tick + std::max(cycle.plan.every, Duration{std::chrono::seconds{1}})) return false;
  ++cycle.busy;
  cycle.not_before = at;
  return true;
}

void Scheduler::repeat(std::uint32_t id) { take_out(id); }

void Scheduler::failed(const std::string& why, std::uint32_t id) {
  const Out out = take_out(id);
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

// One step of the way along a device's chain of models.
void Scheduler::searched(Device& device, Cycle& cycle, std::string_view payload) {
  cycle.busy = 0;
  device.search->due = BootTime::min();
  device.search->walk.answered(word_at(payload, 0), word_at(payload, 2));
  if (device.search->walk.over()) search_over(device);
}

void Scheduler::search_refused(Device& device, Cycle& cycle, std::uint8_t exception) {
  device.search->due = BootTime::min();
  // Busy: the same place again, a little later.
  if ((exception == 5 || exception == 6) && cycle.busy < kBusyRetriesMax) {
    device.search->due = clock_.boot_now() + std::chrono::milliseconds{200} * (1u << cycle.busy++);
    return;
  }
  cycle.busy = 0;
  device.search->walk.refused();
  if (device.search->walk.over()) search_over(device);
}

// The points go where their models are.
void Scheduler::search_over(Device& device) {
  using Where = PlacedPoints::Where;
  Search& search = *device.search;
  const BootTime now = clock_.boot_now();
  const PlacedPoints placed = place_points(search.points, search.forbidden, search.anchors, search.walk.chain());
  search.running = false;
  search.again = BootTime::max();
  if (!placed.missing.empty()) {
    Duration pause = options_.quarantine.first;
    for (unsigned i = 0; i < search.times && pause < options_.quarantine.most; ++i) pause *= 2;
    search.again = now + std::min(pause, options_.quarantine.most);
    ++search.times;
  } else {
    search.times = 0;
  }
  search.elsewhere.assign(placed.points.size(), {});
  for (std::size_t i = 0; i < placed.points.size(); ++i) {
    if (placed.where[i] == Where::beyond) search.elsewhere[i] = {.kind = Outcome::Kind::absent, .value = {}};
    if (placed.where[i] != Where::nowhere) continue;
    const std::string why = search.walk.outcome() || !search.walk.chain().models.empty()
                                ? "the device has no " + search.anchors[*search.points[i].anchor].text()
                                : search.walk.outcome().error().what;
    search.elsewhere[i] = {.kind = Outcome::Kind::bad, .value = Value::text(why)};
  }
  device.points = placed.points;
  device.forbidden = placed.forbidden;
  for (Cycle& cycle : device.cycles) {
    std::vector<std::uint32_t> chosen;
    for (const std::uint32_t point : cycle.points) {
      if (placed.where[point] == Where::here) chosen.push_back(point);
    }
    cycle.pieces.clear();
    for (Block& block : plan_reads(device.points, chosen, device.limits, device.forbidden)) {
      cycle.pieces.push_back({.block = std::move(block), .quarantined = false, .until = {}, .times = 0, .reason = {}});
    }
    // What became due meanwhile is not missed: it is read now.
    if (cycle.due <= now) cycle.due = cycle.origin + (now - cycle.origin) / cycle.plan.every * cycle.plan.every;
  }
  observer_.on_placed(device.name, placed, search.walk.chain());
}

// Looks for the models anew, when no cycle is in the middle of its requests.
void Scheduler::search_again(Device& device) {
  const bool idle = std::none_of(device.cycles.begin(), device.cycles.end(),
                                 [](const Cycle& cycle) { return cycle.active || cycle.out; });
  if (idle) device.search->begin();
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

// What is left of the cycle is bad for this reason.
void Scheduler::abandon(Device& device, Cycle& cycle, const Value& reason) {
  for (; cycle.at < cycle.pieces.size(); ++cycle.at) {
    const Piece& piece = cycle.pieces[cycle.at];
    mark(cycle, piece.block, piece.quarantined ? piece.reason : reason);
  }
  finish(device, cycle);
}

void Scheduler::finish(Device& device, Cycle& cycle) {
  cycle.active = false;
  cycle.not_before = BootTime::min();
  if (cycle.out) {
    // Its answer is nobody's any more.
    for (Out& out : out_) {
      if (out.cycle == &cycle) out.cycle = nullptr;
    }
    cycle.out = false;
  }
  if (cycle.replan) replan(device, cycle);
  if (device.down) return;  // it was a probe; the state was told
  if (!cycle.unscaled.empty()) scale(device, cycle);
  Value::Entries good;
  Value::Entries bad;
  bool absent = false;
  for (std::size_t i = 0; i < cycle.points.size(); ++i) {
    Outcome& outcome = cycle.outcomes[i];
    const Point& point = device.points[cycle.points[i]];
    if (point.hidden || point.every != cycle.plan.every) continue;
    if (outcome.kind == Outcome::Kind::absent) {
      absent = true;
      continue;
    }
    const bool is_good = outcome.kind == Outcome::Kind::good;
    if (good.empty() && is_good) good.reserve(cycle.points.size() - i);
    (is_good ? good : bad).emplace_back(device.keys[cycle.points[i]], std::move(outcome.value));
  }
  if (good.empty() && bad.empty() && !absent) return;  // hidden points only
  const Quality quality = bad.empty() ? Quality::good : good.empty() ? Quality::bad : Quality::uncertain;
  Value reasons = bad.empty() ? Value() : Value::map(std::move(bad));
  emit(device, quality, Value::map(std::move(good)), std::move(reasons), cycle.last_answer, cycle.plan.every);
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
    pieces.push_back({.block = std::move(block), .quarantined = false, .until = {}, .times = 0, .reason = {}});
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
  if (!device.down && device.failures >= options_.failures_before_down) {
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
        cycle.pieces.push_back({.block = block, .quarantined = false, .until = {}, .times = 0, .reason = {}});
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

void Scheduler::emit(const Device& device, Quality quality, Value value, Value bad, Time time, Duration every) {
  Reading reading;
  reading.source = options_.source;
  reading.device = device.name;
  reading.time = time;
  reading.clock_trusted = clock_.trusted();
  reading.quality = quality;
  reading.value = std::move(value);
  reading.bad = std::move(bad);
  observer_.on_reading(std::move(reading), every);
}

}  // namespace railhead::modbus
