// Clock: where time enters (S20). Tests use ManualClock (tests/support/manual_clock.h) and never sleep.
// Threads: all functions may be called from any thread.
#pragma once

#include "gateway/base/time.h"

namespace railhead::system {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time; may step and may be wrong.
  [[nodiscard]] virtual Time now() const = 0;
  // CLOCK_BOOTTIME: never steps, counts through suspend. Timeouts, rates, backoff and ttl within a boot use this.
  [[nodiscard]] virtual BootTime boot_now() const = 0;
  // The wall clock is synchronised (adjtimex), and not before the build date.
  [[nodiscard]] virtual bool trusted() const = 0;
};

class SystemClock final : public Clock {
 public:
  // trust_rtc: `clock: { trust: rtc }`, the box's own clock is believed without synchronisation.
  explicit SystemClock(bool trust_rtc = false) : trust_rtc_(trust_rtc) {}
  [[nodiscard]] Time now() const override;
  [[nodiscard]] BootTime boot_now() const override;
  [[nodiscard]] bool trusted() const override;

 private:
  bool trust_rtc_;
};

// /proc/sys/kernel/random/boot_id, or 32 zeros where there is none.
[[nodiscard]] std::string boot_id();
// /etc/machine-id without line end, or empty.
[[nodiscard]] std::string machine_id();

}  // namespace railhead::system
