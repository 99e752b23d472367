// FillForecast: when a spool is full at the present rate: how fast what is owed grew over the last minutes, and what is
// left. Nothing while it does not grow, or before a minute was seen. Threads: one owner.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include "gateway/base/time.h"

namespace railhead::status {

struct FillSample {
  BootTime at;
  std::uint64_t owed_bytes = 0;
};

inline constexpr Duration kForecastSpan = std::chrono::minutes{10};
inline constexpr Duration kForecastLeast = std::chrono::minutes{1};

// From the samples in order of time. nullopt: it does not grow, or they span less than kForecastLeast. Zero: it is
// full.
[[nodiscard]] std::optional<Duration> time_until_full(std::span<const FillSample> samples, std::uint64_t limit_bytes);

class FillForecast {
 public:
  void add(BootTime now, std::uint64_t owed_bytes);
  [[nodiscard]] std::optional<Duration> until_full(std::uint64_t limit_bytes) const;

 private:
  std::deque<FillSample> samples_;  // kForecastSpan, one each kEvery; the last is the newest
};

}  // namespace railhead::status
