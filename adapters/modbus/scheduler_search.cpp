#include "adapters/modbus/scheduler_parts.h"
#include "adapters/modbus/wire.h"

#include <algorithm>
#include <utility>

namespace railhead::modbus {

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
      cycle.pieces.push_back(piece_of(device, cycle, std::move(block)));
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

}  // namespace railhead::modbus
