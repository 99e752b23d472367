#include "adapters/panel/systemd.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <chrono>

namespace railhead::panel {

void ServiceManager::reloading() {
  // steady_clock is CLOCK_MONOTONIC here, the clock that systemd compares with.
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

void ServiceManager::status(const std::string& line) {
  std::string one_line = line;
  std::replace(one_line.begin(), one_line.end(), '\n', ' ');
  send("STATUS=" + one_line);
}

std::optional<Duration> ServiceManager::watchdog_interval() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds{microseconds};
}

void ServiceManager::send(const std::string& message) { sd_notify(0, message.c_str()); }

}  // namespace railhead::panel
