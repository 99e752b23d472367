#include "gateway/app/reload_desk.h"

#include <signal.h>
#include <unistd.h>

namespace railhead::app {

Result<void> ReloadDesk::ask() {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = ++asked_;
  ::kill(::getpid(), SIGHUP);
  const bool answered = answered_.wait_for(lock, kAnswerWithin, [&] { return answered_through_ >= mine; });
  if (!answered) return fail(Errc::timeout, "the gateway is busy; see its log for what becomes of the reload");
  return last_;
}

std::uint64_t ReloadDesk::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

void ReloadDesk::answer(std::uint64_t asked, const Result<void>& result) {
  const std::lock_guard lock(mutex_);
  answered_through_ = asked;
  last_ = result;
  answered_.notify_all();
}

}  // namespace railhead::app
