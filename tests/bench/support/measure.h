// What the benchmarks measure with: processor time, memory, medians, the yardstick, system calls.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace railhead::bench {

// Seconds.
[[nodiscard]] double wall_seconds();
[[nodiscard]] double process_cpu_seconds();  // user and system, all threads
[[nodiscard]] double thread_cpu_seconds();   // of the calling thread
// Of this process's threads whose name begins with `prefix`.
[[nodiscard]] double named_threads_cpu_seconds(const std::string& prefix);
// Of another process; nullopt when it is gone.
[[nodiscard]] std::optional<double> cpu_seconds_of(int pid);
// RssAnon of this process.
[[nodiscard]] std::uint64_t anonymous_bytes();

// The calling thread (and threads it makes) on these cores only; false when the machine does not allow it.
bool pin_to(const std::vector<int>& cores);

[[nodiscard]] double median(std::vector<double> values);
// share 0.99: the value that 99 % do not exceed.
[[nodiscard]] double percentile(std::vector<double> values, double share);

// 1 Y: one simdjson DOM parse of sensor.json, measured now.
struct Yardstick {
  double seconds = 0;
  std::string kernel;  // "haswell", ...
  bool fallback = false;
};
[[nodiscard]] Yardstick yardstick();

// What one call costs. Each round stands between two of the yardstick's own: what slows the machine for a while slows
// both.
struct InYardsticks {
  double seconds = 0;
  double ratio = 0;  // Y
};
[[nodiscard]] InYardsticks in_yardsticks(const std::function<void()>& once);

// Runs this program once more with `arguments` under strace -f -c and gives the number of system calls it made, or
// nothing when strace is not there.
[[nodiscard]] std::optional<double> system_calls_of(const std::vector<std::string>& arguments);

}  // namespace railhead::bench
