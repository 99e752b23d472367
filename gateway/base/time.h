// Times inside the house (S20, S21). Wall time is int64 nanoseconds since 1970 UTC, never time_t (32 bit on ARM);
// boot time counts from the machine's start, also through suspend, and never steps: timeouts, rates, backoff, ttl.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace railhead {

using Duration = std::chrono::nanoseconds;
using Time = std::chrono::sys_time<Duration>;

struct BootClockTag {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<BootClockTag>;
  static constexpr bool is_steady = true;
};
using BootTime = std::chrono::time_point<BootClockTag, Duration>;

// RFC 3339 in UTC with as many digits of the second as needed: "2026-01-01T00:00:00Z", "...00.125Z". Years 0001..9999
// parse; what Time cannot hold (before 1677, after 2262) is nullopt.
[[nodiscard]] std::string to_rfc3339(Time time);
// The same for all years 0001..9999, by seconds since 1970 and nanoseconds after them.
[[nodiscard]] std::string to_rfc3339(std::int64_t seconds, std::uint32_t nanoseconds);
// Always three digits of the second: for logs.
[[nodiscard]] std::string to_rfc3339_ms(Time time);
// Digits of the second beyond the ninth are cut.
[[nodiscard]] std::optional<Time> parse_rfc3339(std::string_view text);
struct Seconds {
  std::int64_t since_1970 = 0;
  std::uint32_t nanoseconds = 0;  // after it, below 1e9
};
// The same for all years.
[[nodiscard]] std::optional<Seconds> parse_rfc3339_seconds(std::string_view text);

}  // namespace railhead
