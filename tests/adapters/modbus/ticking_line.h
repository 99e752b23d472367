// A link with units of one point that is read every kTick, and what came of it. Register 7 holds 7.
// Threads: one test's thread.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "adapters/modbus/link.h"
#include "adapters/modbus/plan.h"
#include "tests/adapters/modbus/recording_observer.h"

namespace railhead::modbus {

inline constexpr Duration kTick = std::chrono::milliseconds{20};
inline constexpr Duration kTimeout = std::chrono::milliseconds{60};

struct TickingLine {
  TickingLine(LinkOptions options, Link::Connector connector, unsigned units, const system::Clock& clock,
              system::EventLoop& loop, system::Resolver& resolver) {
    SchedulerOptions scheduling;
    scheduling.source = "plant";
    scheduling.probe = {.first = std::chrono::milliseconds{30}, .most = std::chrono::milliseconds{100}};
    scheduling.probe_share = 0.5;
    scheduler = std::make_unique<Scheduler>(scheduling, clock, seen, 7);
    for (unsigned i = 0; i < units; ++i) {
      Point point;
      point.name = "p";
      point.address = 7;
      point.every = kTick;
      const DeviceOptions device{.name = "d" + std::to_string(i + 1),
                                 .unit = static_cast<std::uint8_t>(i + 1),
                                 .timeout = kTimeout,
                                 .limits = {},
                                 .points = {point}};
      scheduler->add(device, plan_device(device.points, device.limits));
    }
    options.reconnect = {.first = std::chrono::milliseconds{20}, .most = std::chrono::milliseconds{100}};
    link = std::make_unique<Link>(std::move(options), std::move(connector), loop, resolver, *scheduler, seen, 99);
    link->start();
  }

  // Readings with the value, whatever it is.
  [[nodiscard]] std::size_t good() const {
    return count([](std::int64_t) { return true; });
  }
  [[nodiscard]] std::size_t wrong() const {
    return count([](std::int64_t value) { return value != 7; });
  }
  [[nodiscard]] bool saw(const std::string& event) const {
    for (const std::string& one : seen.events) {
      if (one.starts_with(event)) return true;
    }
    return false;
  }

  RecordingObserver seen;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<Link> link;

 private:
  template <class Matches>
  [[nodiscard]] std::size_t count(Matches matches) const {
    std::size_t found = 0;
    for (const Reading& reading : seen.readings) {
      const Value* value = reading.value.is(Kind::map) ? reading.value.find("p") : nullptr;
      found += value != nullptr && matches(value->as_integer());
    }
    return found;
  }
};

}  // namespace railhead::modbus
