#include "gateway/system/backoff.h"

#include <algorithm>
#include <random>

namespace railhead::system {

Duration Backoff::next() {
  const double doubled =
      static_cast<double>(options_.first.count()) * static_cast<double>(1ull << std::min(attempts_, 40u));
  ++attempts_;
  // xorshift64
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  state_ ^= state_ << 17;
  const double factor = 0.5 + static_cast<double>(state_ >> 12) / static_cast<double>(1ull << 53);
  const double capped = std::min(doubled, static_cast<double>(options_.most.count()));
  return Duration{static_cast<std::int64_t>(capped * factor)};
}

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace railhead::system
