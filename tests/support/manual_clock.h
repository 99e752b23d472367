// A clock that stands still until the test moves it. Threads: any.
#pragma once

#include <atomic>

#include "gateway/system/clock.h"

namespace railhead::test {

class ManualClock final : public system::Clock {
 public:
  // 2026-06-01T00:00:00Z, boot 1000 s ago, trusted.
  [[nodiscard]] Time now() const override { return Time{Duration{now_.load()}}; }
  [[nodiscard]] BootTime boot_now() const override { return BootTime{Duration{boot_.load()}}; }
  [[nodiscard]] bool trusted() const override { return trusted_.load(); }
  void advance(Duration by) {
    now_ += by.count();
    boot_ += by.count();
  }
  void step_wall(Time to) { now_ = to.time_since_epoch().count(); }
  void trust(bool trusted) { trusted_ = trusted; }

 private:
  std::atomic<std::int64_t> now_{1780272000'000000000};
  std::atomic<std::int64_t> boot_{1000'000000000};
  std::atomic<bool> trusted_{true};
};

}  // namespace railhead::test
