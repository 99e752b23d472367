// ReloadDesk: who asks over the control socket for a reload waits here for what came of it; main's thread does the
// work, once for all who wait. A signal or a watched file asks too, without waiting. Threads: ask() any, the others
// main's.
#pragma once

#include <cstdint>

#include "gateway/base/mutex.h"
#include "gateway/base/result.h"
#include "gateway/base/time.h"

namespace railhead::app {

class ReloadDesk {
 public:
  static constexpr Duration kAnswerWithin = std::chrono::seconds{60};

  // Wakes main's thread (SIGHUP) and waits for answer(). Errors: timeout, if it does not come; stopped, when the desk
  // is closed meanwhile.
  [[nodiscard]] Result<void> ask() RAILHEAD_EXCLUDES(mutex_);
  // Who asked until now: what is read from now on answers them.
  [[nodiscard]] std::uint64_t asked() const RAILHEAD_EXCLUDES(mutex_);
  void answer(std::uint64_t asked, const Result<void>& result) RAILHEAD_EXCLUDES(mutex_);
  // Closed nobody waits here, so that what serves the askers can be stopped. Open at first.
  void set_closed(bool closed) RAILHEAD_EXCLUDES(mutex_);

 private:
  mutable base::Mutex mutex_;
  base::CondVar answered_;
  bool closed_ RAILHEAD_GUARDED_BY(mutex_) = false;
  std::uint64_t asked_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::uint64_t answered_through_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  Result<void> last_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::app
