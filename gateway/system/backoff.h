// Backoff: exponential waiting with jitter, so that a fleet does not come back all at once. Threads: one owner.
#pragma once

#include <cstdint>

#include "gateway/base/time.h"

namespace railhead::system {

class Backoff {
 public:
  struct Options {
    Duration first = std::chrono::milliseconds{200};
    Duration most = std::chrono::seconds{30};
  };
  // A connection that lived so long begins anew with the first wait.
  static constexpr Duration kStable = std::chrono::seconds{10};
  Backoff(Options options, std::uint64_t seed) : options_(options), state_(seed | 1) {}

  // The next wait: doubles each time up to `most`, then scaled by a random factor in [0.5, 1).
  [[nodiscard]] Duration next();
  void reset() { attempts_ = 0; }
  [[nodiscard]] unsigned attempts() const { return attempts_; }

 private:
  Options options_;
  std::uint64_t state_;
  unsigned attempts_ = 0;
};

// A seed from the system's entropy.
[[nodiscard]] std::uint64_t random_seed();

}  // namespace railhead::system
