#include "gateway/system/clock.h"

#include <sys/timex.h>

#include <ctime>
#include <fstream>
#include <optional>
#include <string>

namespace railhead::system {
namespace {

// Never trust a clock that stands before this program was written: 2026-01-01T00:00:00Z.
constexpr Time kNotBefore{std::chrono::seconds{1767225600}};

Duration read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool kernel_is_synchronised() {
  timex state{};
  const int status = adjtimex(&state);
  return status >= 0 && status != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

}  // namespace

Time SystemClock::now() const { return Time{read(CLOCK_REALTIME)}; }
BootTime SystemClock::boot_now() const { return BootTime{read(CLOCK_BOOTTIME)}; }

bool SystemClock::trusted() const {
  if (trust_rtc_) return now() >= kNotBefore;
  // Why kept for a moment: this is asked for each reading, and the system call was a quarter of a message's time.
  constexpr Duration kKept = std::chrono::milliseconds{100};
  thread_local std::optional<BootTime> asked_at;
  thread_local bool synchronised = false;
  const BootTime boot = boot_now();
  if (!asked_at || boot - *asked_at > kKept) {
    synchronised = now() >= kNotBefore && kernel_is_synchronised();
    asked_at = boot;
  }
  return synchronised;
}

std::string boot_id() {
  std::string id = first_line("/proc/sys/kernel/random/boot_id");
  return id.empty() ? std::string(32, '0') : id;
}

std::string machine_id() { return first_line("/etc/machine-id"); }

}  // namespace railhead::system
