// RuleMemory: what one rule must not forget of one source (S7): open windows, identifiers seen by dedup, numbers and
// waiting readings of expect_sequence, the last known points of snapshot. Plain data; rule_state_memory.cpp works on
// it, rule_recall.cpp writes and reads it. Threads: one owner.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "gateway/base/time.h"
#include "gateway/message/reading.h"
#include "gateway/message/value.h"
#include "rules/routing/accumulator.h"
#include "rules/routing/compiled.h"

namespace railhead::routing {

// The time of a source's readings. It goes on by boot time when none come, so that idle windows close (S20, S28);
// after a restart it goes on from where it stood.
struct EventClock {
  Time newest = Time::min();          // the greatest time of a reading
  BootTime seen{};                    // when it came
  Time closed_through = Time::min();  // windows that end here or earlier are closed

  [[nodiscard]] bool running() const { return newest != Time::min(); }
  void advance(Time time, BootTime now) {
    if (running() && time <= newest) return;
    newest = time;
    seen = now;
  }
  [[nodiscard]] Time at(BootTime now) const { return newest + std::max(Duration::zero(), now - seen); }
  [[nodiscard]] BootTime when(Time time) const { return seen + (time - newest); }
};

// The window or period that holds `time`: [start, end).
struct Span {
  Time start;
  Time end;
};
[[nodiscard]] Span span_of(Time time, Duration every, const std::string& zone);

struct WindowCell {
  Value key;
  std::string device;
  bool one_device = true;  // all readings so far are of `device`
  bool clock_trusted = true;
  std::vector<Accumulator> values;  // as Window::calls
};

struct OpenWindow {
  Time end;
  std::unordered_map<std::string, WindowCell> cells;  // by the bytes of the key
};

// The identifiers that dedup let through, oldest first.
struct SeenKeys {
  std::unordered_set<std::string> keys;
  std::deque<std::pair<BootTime, std::string>> order;

  void expire(BootTime before) {
    while (!order.empty() && order.front().first <= before) drop_oldest();
  }
  void add(std::string key, BootTime at, std::size_t limit) {
    if (!keys.insert(key).second) return;
    order.emplace_back(at, std::move(key));
    while (order.size() > limit) drop_oldest();
  }
  void drop_oldest() {
    keys.erase(order.front().second);
    order.pop_front();
  }
};

// The numbers of one sender.
struct Numbered {
  static constexpr std::uint64_t kRemembered = 64;
  std::uint64_t highest = 0;
  std::uint64_t seen = 0;  // bit i: highest - i came
  struct Waiting {
    BootTime since;
    Reading reading;
  };
  std::map<std::uint64_t, Waiting> waiting;
};

// What is known of one device.
struct LastPoints {
  Reading reading;     // value: all points ever seen; the rest as in the last reading
  bool heard = false;  // since the last snapshot
};

// The points of `now` in the place of those of `before`, by name.
[[nodiscard]] Value merged_points(const Value& before, const Value& now);

struct RuleMemory {
  RuleNumber rule = 0;
  std::string source;
  EventClock clock;
  std::map<Time, OpenWindow> windows;  // by their start
  std::size_t cells = 0;
  SeenKeys seen;
  std::unordered_map<std::string, Numbered> numbers;
  std::unordered_map<std::string, LastPoints> devices;
  std::optional<Time> period_end;  // of the snapshot that is due next
};

}  // namespace railhead::routing
