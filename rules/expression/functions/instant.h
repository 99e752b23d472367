// A point in time as the language has it: years 0001 to 9999, nanoseconds [langdef "Timestamps"].
// Threads: pure functions; time zones are read from the system's database once and then kept.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/time.h"
#include "gateway/message/value.h"

namespace railhead::expression {

struct Instant {
  std::int64_t seconds = 0;  // since 1970 UTC
  std::int32_t nanos = 0;    // 0..999'999'999, always forward
  friend auto operator<=>(const Instant&, const Instant&) = default;
};

inline constexpr std::int64_t kFirstSecond = -62'135'596'800;  // 0001-01-01T00:00:00Z
inline constexpr std::int64_t kLastSecond = 253'402'300'799;   // 9999-12-31T23:59:59Z

[[nodiscard]] Instant instant_of(const Value& timestamp);
// An error if the language cannot hold it.
[[nodiscard]] Value value_of(Instant instant);
[[nodiscard]] Value shifted(const Value& timestamp, Duration by);
[[nodiscard]] Value between(const Value& earlier, const Value& later);  // a duration

[[nodiscard]] std::optional<Instant> parse_instant(std::string_view rfc3339);
[[nodiscard]] std::string instant_text(Instant instant);
// "1h45m47.5s", "-1.5h", "0"; units h m s ms us ns.
[[nodiscard]] std::optional<Duration> parse_cel_duration(std::string_view text);

}  // namespace railhead::expression
