#include "adapters/amqp/watchdog.h"

#include <sys/socket.h>

#include <algorithm>

#include "gateway/system/thread.h"

namespace railhead::amqp {
namespace {

constexpr std::chrono::milliseconds kLook{500};  // how late it may come, while armed

}  // namespace

Watchdog::Watchdog(const system::Clock& clock) : clock_(clock) {
  thread_ = system::start_thread("amqp-watch", [this](std::stop_token stop) { watch(stop); });
}

Watchdog::~Watchdog() { thread_.request_stop(); }

void Watchdog::arm(int socket, Duration at_most) {
  const base::MutexLock lock(mutex_);
  socket_ = socket;
  due_ = clock_.boot_now() + (most_ ? std::min(at_most, *most_) : at_most);
  // Why not else: this happens at each publish; the watch looks twice a second by itself while there are any.
  if (idle_) changed_.notify_all();
}

void Watchdog::disarm() {
  const base::MutexLock lock(mutex_);
  socket_ = -1;
}

void Watchdog::hurry(Duration at_most) {
  const base::MutexLock lock(mutex_);
  most_ = at_most;
  due_ = std::min(due_, clock_.boot_now() + at_most);
  changed_.notify_all();
}

void Watchdog::watch(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const base::MutexLock lock(mutex_);  // or it comes between the watch's look and its wait
    changed_.notify_all();
  });
  const base::MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    if (socket_ < 0) {
      idle_ = true;
      changed_.wait(mutex_);
      idle_ = false;
      continue;
    }
    if (clock_.boot_now() >= due_) {
      ::shutdown(socket_, SHUT_RDWR);
      fired_.fetch_add(1);
      socket_ = -1;
      continue;
    }
    changed_.wait_for(mutex_, kLook);
  }
}

}  // namespace railhead::amqp
