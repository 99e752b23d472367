// EventLoop: epoll, timers and a wake-up from outside, for one thread's non-blocking work (Modbus links, MQTT
// sessions). Timers run on boot time (S20). A callback may add or remove watches and timers, its own too. Threads:
// everything is the loop's thread's alone, but wake() (any thread).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>

#include "gateway/base/time.h"
#include "gateway/system/clock.h"

namespace railhead::system {

class EventLoop {
 public:
  enum : std::uint32_t { kReadable = 1, kWritable = 2, kError = 4 };  // kError: hang-up or error, delivered always
  using OnReady = std::function<void(std::uint32_t events)>;
  using OnTimer = std::function<void()>;
  using TimerId = std::uint64_t;  // 0 is none

  explicit EventLoop(const Clock& clock);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void watch(int fd, std::uint32_t events, OnReady on_ready);  // one watch per descriptor
  void change(int fd, std::uint32_t events);
  void unwatch(int fd);  // before the descriptor is closed

  TimerId at(BootTime due, OnTimer on_timer);
  TimerId after(Duration delay, OnTimer on_timer);
  void cancel(TimerId timer);  // unknown and 0 are fine

  // Makes a waiting run() return to its loop and calls on_wake (if set) on the loop's thread.
  void wake() const noexcept;
  void on_wake(std::function<void()> callback);

  // Until `stop` is requested.
  void run(const std::stop_token& stop);
  // One round: waits at most `at_most` for something, then handles what is due.
  void run_once(Duration at_most);

  [[nodiscard]] BootTime now() const { return clock_.boot_now(); }

 private:
  struct State;
  const Clock& clock_;
  std::unique_ptr<State> state_;
};

}  // namespace railhead::system
