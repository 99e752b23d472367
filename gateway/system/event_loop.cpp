#include "gateway/system/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <unordered_map>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/system/descriptor.h"

namespace railhead::system {
namespace {

std::uint32_t to_epoll(std::uint32_t events) {
  std::uint32_t mask = 0;
  if ((events & EventLoop::kReadable) != 0) mask |= EPOLLIN;
  if ((events & EventLoop::kWritable) != 0) mask |= EPOLLOUT;
  return mask;
}

std::uint32_t from_epoll(std::uint32_t mask) {
  std::uint32_t events = 0;
  if ((mask & EPOLLIN) != 0) events |= EventLoop::kReadable;
  if ((mask & EPOLLOUT) != 0) events |= EventLoop::kWritable;
  if ((mask & (EPOLLERR | EPOLLHUP)) != 0) events |= EventLoop::kError;
  return events;
}

}  // namespace

struct EventLoop::State {
  struct Watch {
    std::uint64_t generation = 0;
    std::shared_ptr<OnReady> on_ready;
  };
  Descriptor epoll;
  EventFd waker;
  std::function<void()> on_wake;
  std::unordered_map<int, Watch> watches;
  std::uint64_t generations = 0;
  std::map<std::pair<BootTime, TimerId>, OnTimer> timers;
  std::unordered_map<TimerId, BootTime> due_of;
  TimerId timer_ids = 0;
};

EventLoop::EventLoop(const Clock& clock) : clock_(clock), state_(std::make_unique<State>()) {
  state_->epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
  RAILHEAD_ASSERT(state_->epoll.valid());
  watch(state_->waker.fd(), kReadable, [this](std::uint32_t) {
    state_->waker.clear();
    if (state_->on_wake) state_->on_wake();
  });
}

EventLoop::~EventLoop() = default;

void EventLoop::watch(int fd, std::uint32_t events, OnReady on_ready) {
  RAILHEAD_ASSERT(!state_->watches.contains(fd));
  state_->watches[fd] = {++state_->generations, std::make_shared<OnReady>(std::move(on_ready))};
  epoll_event event{};
  event.events = to_epoll(events);
  event.data.fd = fd;
  RAILHEAD_ASSERT(::epoll_ctl(state_->epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void EventLoop::change(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = to_epoll(events);
  event.data.fd = fd;
  RAILHEAD_ASSERT(::epoll_ctl(state_->epoll.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void EventLoop::unwatch(int fd) {
  if (state_->watches.erase(fd) != 0) ::epoll_ctl(state_->epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::at(BootTime due, OnTimer on_timer) {
  const TimerId id = ++state_->timer_ids;
  state_->timers.emplace(std::pair{due, id}, std::move(on_timer));
  state_->due_of.emplace(id, due);
  return id;
}

EventLoop::TimerId EventLoop::after(Duration delay, OnTimer on_timer) { return at(now() + delay, std::move(on_timer)); }

void EventLoop::cancel(TimerId timer) {
  const auto found = state_->due_of.find(timer);
  if (found == state_->due_of.end()) return;
  state_->timers.erase({found->second, timer});
  state_->due_of.erase(found);
}

void EventLoop::wake() const noexcept { state_->waker.signal(); }
void EventLoop::on_wake(std::function<void()> callback) { state_->on_wake = std::move(callback); }

void EventLoop::run(const std::stop_token& stop) {
  const std::stop_callback waker(stop, [this] { wake(); });
  while (!stop.stop_requested()) run_once(std::chrono::hours{1});
}

void EventLoop::run_once(Duration at_most) {
  if (!state_->timers.empty()) at_most = std::min(at_most, state_->timers.begin()->first.first - now());
  at_most = std::max(at_most, Duration::zero());
  // Rounded up to a millisecond: waking too early would spin.
  const auto timeout_ms = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
  std::array<epoll_event, 64> ready{};
  const std::uint64_t newest = state_->generations;
  const int count = ::epoll_wait(state_->epoll.get(), ready.data(), static_cast<int>(ready.size()),
                                 static_cast<int>(std::min<std::int64_t>(timeout_ms, 3'600'000)));
  RAILHEAD_ASSERT(count >= 0 || errno == EINTR);
  for (int i = 0; i < count; ++i) {
    // A watch made during this round may reuse a descriptor number: its events are not these.
    const auto found = state_->watches.find(ready[static_cast<std::size_t>(i)].data.fd);
    if (found == state_->watches.end() || found->second.generation > newest) continue;
    const std::shared_ptr<OnReady> callback = found->second.on_ready;
    (*callback)(from_epoll(ready[static_cast<std::size_t>(i)].events));
  }
  const BootTime due = now();
  while (!state_->timers.empty() && state_->timers.begin()->first.first <= due) {
    auto node = state_->timers.extract(state_->timers.begin());
    state_->due_of.erase(node.key().second);
    node.mapped()();
  }
}

}  // namespace railhead::system
