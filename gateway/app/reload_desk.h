// ReloadDesk: who asks over the control socket for a reload waits here for what came of it; main's thread does the
// work, once for all who wait. A signal or a watched file asks too, without waiting. Threads: ask() any, the others
// main's.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "gateway/base/result.h"
#include "gateway/base/time.h"

namespace railhead::app {

class ReloadDesk {
 public:
  static constexpr Duration kAnswerWithin = std::chrono::seconds{60};

  // Wakes main's thread (SIGHUP) and waits for answer(). Errc::timeout if it does not come.
  [[nodiscard]] Result<void> ask();
  // Who asked until now: what is read from now on answers them.
  [[nodiscard]] std::uint64_t asked() const;
  void answer(std::uint64_t asked, const Result<void>& result);

 private:
  mutable std::mutex mutex_;
  std::condition_variable answered_;
  std::uint64_t asked_ = 0;
  std::uint64_t answered_through_ = 0;
  Result<void> last_;
};

}  // namespace railhead::app
