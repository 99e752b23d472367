// A Scheduler with its devices behind it, on a clock that moves only here: each request is answered, refused or left
// without an answer at once. A register holds its own address, or what `registers` says, and then there are no others.
// Threads: one test's thread.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/modbus/plan.h"
#include "adapters/modbus/scheduler.h"
#include "tests/adapters/modbus/recording_observer.h"
#include "tests/support/manual_clock.h"

namespace railhead::modbus {

class ScheduledBus {
 public:
  ScheduledBus() : scheduler(plant(), clock, seen, 1) {}
  static SchedulerOptions plant() {
    SchedulerOptions options;
    options.source = "plant";
    return options;
  }

  void add(const DeviceOptions& device) {
    scheduler.add(device, plan_device(device.points, device.limits, device.forbidden));
  }

  // Serves requests until nothing is due for `time`. Each answer takes `answer_time`, a silence the timeout.
  void run_for(Duration time) {
    const BootTime end = clock.boot_now() + time;
    for (;;) {
      while (const auto turn = scheduler.next()) {
        serve(*turn);
        if (clock.boot_now() >= end) return;
      }
      const BootTime due = scheduler.due();
      REQUIRE(due > clock.boot_now());
      if (due >= end) break;
      clock.advance(due - clock.boot_now());
    }
    clock.advance(end - clock.boot_now());
  }

  void serve(const Turn& turn) {
    const ReadRequest& request = turn.request;
    requests.push_back(std::to_string(request.unit) + ":" + std::to_string(request.address) + "+" +
                       std::to_string(request.count));
    ++asked[request.unit];
    if (silent.contains(request.unit)) {
      clock.advance(turn.timeout);
      silence += turn.timeout;
      return scheduler.failed("no answer within 500 ms");
    }
    clock.advance(answer_time);
    if (busy > 0) {
      --busy;
      return scheduler.refused(6);
    }
    std::string payload;
    for (unsigned i = 0; i < request.count; ++i) {
      const unsigned at = request.address + i;
      if (const auto code = refused.find(at); code != refused.end()) return scheduler.refused(code->second);
      if (!registers) {
        payload.push_back(static_cast<char>(at >> 8));
        payload.push_back(static_cast<char>(at));
      } else if (const auto held = registers->find(at); request.table == Table::holding && held != registers->end()) {
        payload += held->second;
      } else {
        return scheduler.refused(2);
      }
    }
    scheduler.answered(payload);
  }

  test::ManualClock clock;
  RecordingObserver seen;
  Scheduler scheduler;
  std::set<unsigned> silent;                 // units
  std::map<unsigned, std::uint8_t> refused;  // address -> exception code
  std::optional<std::map<unsigned, std::string>> registers;
  unsigned busy = 0;  // so many requests are refused with "device busy"
  Duration answer_time = std::chrono::milliseconds{5};
  Duration silence{};
  std::vector<std::string> requests;
  std::map<unsigned, unsigned> asked;
};

}  // namespace railhead::modbus
