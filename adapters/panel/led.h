// The status LED: NAMUR NE 107 on one or two LEDs of the kernel's LED class (/sys/class/leds/NAME).
//
//   state                 green and red                green alone
//   good                  green                        on
//   maintenance           green, 1 s on 1 s off        1 s on, 1 s off
//   out_of_specification  red, 1 s on 1 s off          four short flashes in 2 s
//   failure               red                          one short flash in 2 s
//   (no gateway)          dark                         dark
//
// Dark when dead. A process that is killed cannot switch its LED off, so the LED must go out by itself: with the
// kernel's `pattern` trigger each refresh lights it for kDeadManSpan only, then it goes dark (a dead man's switch in
// the kernel, which survives kill -9 and a hang of the status thread). Where the kernel has no such trigger, or its
// files may not be written, plain brightness is used and the lit LEDs are named in `record`, from which the systemd
// unit's ExecStopPost= puts them out after any end of the process. Not covered then: a hang, until the watchdog ends
// it. Kernel: Documentation/leds/leds-class.rst, ABI/testing/sysfs-class-led-trigger-pattern ("brightness ms" pairs; a
// pair with 0 ms makes a step of what would be a fade). Errors: a write that fails is the event led_failed, once until
// a write succeeds again; never more. Threads: a StatusLeds is one thread's.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/status/health.h"
#include "gateway/status/reporter.h"

namespace railhead::panel {

// The patterns repeat every 2 s and change every 250 ms: show() wants to be called as often.
inline constexpr Duration kLedTick = std::chrono::milliseconds{250};
inline constexpr Duration kLedPeriod = std::chrono::seconds{2};
inline constexpr Duration kDeadManSpan = std::chrono::seconds{3};
inline constexpr Duration kDeadManRefresh = std::chrono::seconds{1};

struct Lamps {
  bool green = false;
  bool red = false;
  friend bool operator==(const Lamps&, const Lamps&) = default;
};

// Which lamp is lit at `time`. With two_colours false only green is used.
[[nodiscard]] Lamps lamps(status::HealthState state, BootTime time, bool two_colours);

struct LedOptions {
  std::filesystem::path root = "/sys/class/leds";
  std::string green;  // name below root, empty: there is none
  std::string red;
  std::filesystem::path record;  // empty: not written
};

class StatusLeds {
 public:
  StatusLeds(LedOptions options, status::Reporter& reporter);
  ~StatusLeds();  // dark
  StatusLeds(const StatusLeds&) = delete;
  StatusLeds& operator=(const StatusLeds&) = delete;

  void show(status::HealthState state, BootTime now);
  void dark();
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  class Led;
  void drive(Led& led, bool lit, BootTime now);

  const LedOptions options_;
  status::Reporter& reporter_;
  std::unique_ptr<Led> green_;
  std::unique_ptr<Led> red_;
  bool failed_ = false;
};

}  // namespace railhead::panel
