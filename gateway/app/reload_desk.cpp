#include "gateway/app/reload_desk.h"

#include <signal.h>
#include <unistd.h>

namespace railhead::app {

Result<void> ReloadDesk::ask() {
  using Clock = std::chrono::steady_clock;
  const base::MutexLock lock(mutex_);
  const std::uint64_t mine = asked_ + 1;
  const Clock::time_point until = Clock::now() + kAnswerWithin;
  while (answered_through_ < mine) {
    if (closed_) return fail(Errc::stopped, "the gateway is stopping or being made anew: ask again in some seconds");
    if (asked_ < mine) {
      asked_ = mine;
      ::kill(::getpid(), SIGHUP);
    }
    if (!answered_.wait_for(mutex_, until - Clock::now())) {
      return fail(Errc::timeout, "the gateway is busy; see its log for what becomes of the reload");
    }
  }
  return last_;
}

std::uint64_t ReloadDesk::asked() const {
  const base::MutexLock lock(mutex_);
  return asked_;
}

void ReloadDesk::answer(std::uint64_t asked, const Result<void>& result) {
  {
    const base::MutexLock lock(mutex_);
    answered_through_ = asked;
    last_ = result;
  }
  answered_.notify_all();
}

void ReloadDesk::set_closed(bool closed) {
  {
    const base::MutexLock lock(mutex_);
    closed_ = closed;
  }
  answered_.notify_all();
}

}  // namespace railhead::app
