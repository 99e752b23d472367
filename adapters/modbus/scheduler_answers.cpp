#include "adapters/modbus/scheduler_parts.h"

#include <algorithm>
#include <utility>

namespace railhead::modbus {

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
  for (const Step& step : piece.steps) {
    if (step.unscaled != 0) {
      const std::string_view registers = payload.substr(std::size_t{step.at} * 2, std::size_t{step.unscaled} * 2);
      cycle.unscaled.push_back({step.point, std::string(registers)});
    } else {
      take(cycle.outcomes[step.place], step.decoder->decode(payload, step.at));
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
      piece = piece_of(device, cycle, std::move(first));
      cycle.pieces.insert(cycle.pieces.begin() + static_cast<std::ptrdiff_t>(cycle.at) + 1,
                          piece_of(device, cycle, std::move(second)));
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
    if (cycle.shown[i] == 0) continue;
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
  // Without an answer: when it was asked.
  const Time time = cycle.last_answer ? *cycle.last_answer : clock_.now() - (clock_.boot_now() - cycle.begun);
  emit(device, quality, Value::map(std::move(good)), std::move(reasons), time, cycle.plan.every);
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
