// The status thread: snapshot -> health -> LED, systemd's status line and watchdog, the event health_changed.
// Once a second a snapshot is taken and judged; the LED's pattern moves every kLedTick when there is an LED.
// The watchdog is fed only while every part of the gateway turns (status::alive): the thread itself proves nothing.
// Threads: tick() is the thread's own (or a test's); health() and the rest any.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "adapters/panel/led.h"
#include "adapters/panel/systemd.h"
#include "gateway/base/mutex.h"
#include "gateway/status/health.h"
#include "gateway/status/reporter.h"
#include "gateway/system/clock.h"

namespace railhead::panel {

inline constexpr Duration kSnapshotEvery = std::chrono::seconds{1};

class StatusThread {
 public:
  struct Parts {
    const system::Clock& clock;
    status::Reporter& reporter;
    ServiceManager& service_manager;
    StatusLeds* leds = nullptr;  // null: there is none
    std::function<status::Snapshot()> take_snapshot;
    std::function<void()> every_second;  // may be empty; for instance Log::tick
  };

  explicit StatusThread(Parts parts) : parts_(std::move(parts)) {}
  StatusThread(const StatusThread&) = delete;
  StatusThread& operator=(const StatusThread&) = delete;

  void start();
  // Ends the thread. The LEDs stay as they are: ~StatusLeds darkens them.
  void stop();

  void tick();
  [[nodiscard]] status::Health health() const RAILHEAD_EXCLUDES(mutex_);

 private:
  void take(BootTime now);

  const Parts parts_;
  std::optional<BootTime> taken_;
  std::string status_line_;
  mutable base::Mutex mutex_;
  status::Health health_ RAILHEAD_GUARDED_BY(mutex_);
  base::Mutex sleep_mutex_;
  base::CondVar sleep_;
  std::jthread thread_;
};

}  // namespace railhead::panel
