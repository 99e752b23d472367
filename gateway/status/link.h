// LinkStatus: what one source or sink says of itself, for health, status and the watchdog. One owner writes, all read.
// Threads: any; every function is lock-free or briefly locked.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "gateway/base/mutex.h"
#include "gateway/base/time.h"

namespace railhead::status {

class LinkStatus {
 public:
  enum class State : std::uint8_t { starting, up, degraded, down };

  // `why` is for people: "connection refused". Empty when up.
  void set(State state, std::string why = {}) RAILHEAD_EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    state_ = state;
    why_ = std::move(why);
  }
  [[nodiscard]] State state() const RAILHEAD_EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    return state_;
  }
  [[nodiscard]] std::string why() const RAILHEAD_EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    return why_;
  }

  // The owner's loop turned: what the watchdog lives on. Call it at least every few seconds, also when idle; or say
  // until when it waits with nothing to do, and call it when something wakes it earlier.
  void progress(BootTime now) { progress_.store(now.time_since_epoch().count(), std::memory_order_relaxed); }
  void sleeps_until(BootTime due) { progress(due); }
  // May lie ahead.
  [[nodiscard]] BootTime last_progress() const { return BootTime{Duration{progress_.load(std::memory_order_relaxed)}}; }

  // Messages it received that were not taken yet (a full spool, a failing disk): unacknowledged, and nobody else knows
  // of them.
  void held(std::uint32_t messages) { held_.store(messages, std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t held() const { return held_.load(std::memory_order_relaxed); }

  // How many devices (Modbus) are there and how many of them do not answer.
  void devices(std::uint32_t total, std::uint32_t down) {
    devices_total_.store(total, std::memory_order_relaxed);
    devices_down_.store(down, std::memory_order_relaxed);
  }
  // How much of the time its busiest line is in use, in thousandths (Modbus).
  void busy(std::uint32_t permille) { busy_permille_.store(permille, std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t busy_permille() const { return busy_permille_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t devices_total() const { return devices_total_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t devices_down() const { return devices_down_.load(std::memory_order_relaxed); }

 private:
  mutable base::Mutex mutex_;
  State state_ RAILHEAD_GUARDED_BY(mutex_) = State::starting;
  std::string why_ RAILHEAD_GUARDED_BY(mutex_);
  std::atomic<std::int64_t> progress_{0};
  std::atomic<std::uint32_t> held_{0};
  std::atomic<std::uint32_t> devices_total_{0};
  std::atomic<std::uint32_t> busy_permille_{0};
  std::atomic<std::uint32_t> devices_down_{0};
};

}  // namespace railhead::status
