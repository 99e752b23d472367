// Watchdog: ends a library call that hangs by shutting its socket down.
// Why: rabbitmq-c 0.11 can wait for ever inside amqp_basic_publish, when the peer is frozen or its socket buffer full;
// after shutdown(2) the call returns "connection closed".
// Threads: guard() and Guard belong to the sink's thread; hurry() any; the watch runs on a thread of its own.
#pragma once

#include <atomic>
#include <optional>
#include <thread>

#include "gateway/base/mutex.h"
#include "gateway/base/time.h"
#include "gateway/system/clock.h"

namespace railhead::amqp {

class Watchdog {
 public:
  explicit Watchdog(const system::Clock& clock);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // While it lives, its socket is shut down once `at_most` has passed.
  class Guard {
   public:
    Guard(Watchdog& watchdog, int socket, Duration at_most) : watchdog_(watchdog) { watchdog_.arm(socket, at_most); }
    ~Guard() { watchdog_.disarm(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Watchdog& watchdog_;
  };

  // From now on nothing may take longer than this.
  void hurry(Duration at_most);
  [[nodiscard]] std::uint64_t fired() const { return fired_.load(); }

 private:
  void arm(int socket, Duration at_most) RAILHEAD_EXCLUDES(mutex_);
  void disarm() RAILHEAD_EXCLUDES(mutex_);
  void watch(const std::stop_token& stop);

  const system::Clock& clock_;
  base::Mutex mutex_;
  base::CondVar changed_;
  int socket_ RAILHEAD_GUARDED_BY(mutex_) = -1;
  bool idle_ RAILHEAD_GUARDED_BY(mutex_) = false;  // it waits to be armed
  BootTime due_ RAILHEAD_GUARDED_BY(mutex_){};
  std::optional<Duration> most_ RAILHEAD_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> fired_{0};
  std::jthread thread_;
};

}  // namespace railhead::amqp
