#include "gateway/status/forecast.h"

#include <cmath>
#include <vector>

namespace railhead::status {
namespace {

constexpr Duration kEvery = std::chrono::seconds{10};
constexpr Duration kLongest = std::chrono::hours{24 * 365 * 10};

}  // namespace

std::optional<Duration> time_until_full(std::span<const FillSample> samples, std::uint64_t limit_bytes) {
  if (samples.empty()) return std::nullopt;
  const FillSample& first = samples.front();
  const FillSample& last = samples.back();
  if (limit_bytes > 0 && last.owed_bytes >= limit_bytes) return Duration::zero();
  const Duration span = last.at - first.at;
  if (span < kForecastLeast || last.owed_bytes <= first.owed_bytes) return std::nullopt;
  const double rate = static_cast<double>(last.owed_bytes - first.owed_bytes) / static_cast<double>(span.count());
  const double left = static_cast<double>(limit_bytes - last.owed_bytes) / rate;
  if (left >= static_cast<double>(kLongest.count())) return kLongest;
  return Duration{std::llround(left)};
}

void FillForecast::add(BootTime now, std::uint64_t owed_bytes) {
  // The newest sample moves with the time until it is a step away from the one before.
  if (samples_.size() >= 2 && samples_.back().at - samples_[samples_.size() - 2].at < kEvery) samples_.pop_back();
  samples_.push_back({now, owed_bytes});
  while (samples_.size() > 2 && now - samples_[1].at >= kForecastSpan) samples_.pop_front();
}

std::optional<Duration> FillForecast::until_full(std::uint64_t limit_bytes) const {
  const std::vector<FillSample> all(samples_.begin(), samples_.end());
  return time_until_full(all, limit_bytes);
}

}  // namespace railhead::status
