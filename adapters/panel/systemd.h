// What the service manager hears of us: sd_notify(3). Without NOTIFY_SOCKET every call does nothing.
// Threads: any.
#pragma once

#include <optional>
#include <string>

#include "gateway/base/time.h"

namespace railhead::panel {

class ServiceManager {
 public:
  virtual ~ServiceManager() = default;
  virtual void ready() { send("READY=1"); }
  // Type=notify-reload wants the time of the request (CLOCK_MONOTONIC); ready() again ends it.
  virtual void reloading();
  virtual void stopping() { send("STOPPING=1"); }
  // One line for `systemctl status`.
  virtual void status(const std::string& line);
  virtual void feed_watchdog() { send("WATCHDOG=1"); }

  // WatchdogSec= of the unit, nullopt when nobody watches.
  [[nodiscard]] static std::optional<Duration> watchdog_interval();

 private:
  static void send(const std::string& message);
};

}  // namespace railhead::panel
