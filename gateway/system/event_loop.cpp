#include "gateway/system/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <span>
#include <utility>
#include <vector>

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

// To the nanosecond, where the kernel can (5.11); otherwise rounded up to a millisecond: waking too early would spin.
int wait(int epoll, std::span<epoll_event> ready, Duration at_most) {
  at_most = std::min(at_most, Duration{std::chrono::hours{1}});
  static std::atomic<bool> exact{true};
  if (exact.load(std::memory_order_relaxed)) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(at_most);
    const timespec timeout{static_cast<time_t>(seconds.count()), static_cast<long>((at_most - seconds).count())};
    const int count = ::epoll_pwait2(epoll, ready.data(), static_cast<int>(ready.size()), &timeout, nullptr);
    // EPERM: so the filters of older containers answer a call they do not know.
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    exact.store(false, std::memory_order_relaxed);
  }
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
  return ::epoll_wait(epoll, ready.data(), static_cast<int>(ready.size()), static_cast<int>(milliseconds));
}

}  // namespace

struct EventLoop::State {
  struct Watch {
    std::uint64_t generation = 0;
    std::shared_ptr<OnReady> on_ready;  // nullptr: none
  };
  Descriptor epoll;
  EventFd waker;
  std::function<void()> on_wake;
  std::vector<Watch> watches;  // by descriptor
  std::uint64_t generations = 0;

  // Timers: a heap of places in `slots`, the earliest first. Why not a map: a Modbus link sets one twice a request.
  struct Slot {
    OnTimer on_timer;
    BootTime due{};
    std::uint64_t order = 0;       // of equal times the one set first
    std::uint32_t generation = 1;  // part of the identifier: an old one finds nothing
    std::uint32_t at = 0;          // in the heap
  };
  std::vector<Slot> slots;
  std::vector<std::uint32_t> free;
  std::vector<std::uint32_t> heap;
  std::uint64_t orders = 0;

  [[nodiscard]] bool before(std::uint32_t left, std::uint32_t right) const {
    const Slot& a = slots[left];
    const Slot& b = slots[right];
    return a.due != b.due ? a.due < b.due : a.order < b.order;
  }
  void put(std::size_t at, std::uint32_t slot) {
    heap[at] = slot;
    slots[slot].at = static_cast<std::uint32_t>(at);
  }
  void rise(std::size_t at) {
    const std::uint32_t slot = heap[at];
    for (; at > 0 && before(slot, heap[(at - 1) / 2]); at = (at - 1) / 2) put(at, heap[(at - 1) / 2]);
    put(at, slot);
  }
  void sink(std::size_t at) {
    const std::uint32_t slot = heap[at];
    for (std::size_t child = 2 * at + 1; child < heap.size(); child = 2 * at + 1) {
      if (child + 1 < heap.size() && before(heap[child + 1], heap[child])) ++child;
      if (!before(heap[child], slot)) break;
      put(at, heap[child]);
      at = child;
    }
    put(at, slot);
  }
  // Takes the timer out and gives what it would have called.
  OnTimer remove(std::uint32_t slot) {
    const std::size_t at = slots[slot].at;
    const std::uint32_t last = heap.back();
    heap.pop_back();
    if (last != slot) {
      put(at, last);
      rise(at);
      sink(slots[last].at);
    }
    if (++slots[slot].generation == 0) slots[slot].generation = 1;  // the identifier 0 is none
    free.push_back(slot);
    return std::exchange(slots[slot].on_timer, nullptr);
  }
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
  const auto place = static_cast<std::size_t>(fd);
  if (place >= state_->watches.size()) state_->watches.resize(place + 1);
  RAILHEAD_ASSERT(state_->watches[place].on_ready == nullptr);
  state_->watches[place] = {++state_->generations, std::make_shared<OnReady>(std::move(on_ready))};
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
  const auto place = static_cast<std::size_t>(fd);
  if (place >= state_->watches.size() || state_->watches[place].on_ready == nullptr) return;
  state_->watches[place].on_ready.reset();
  ::epoll_ctl(state_->epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::at(BootTime due, OnTimer on_timer) {
  State& state = *state_;
  if (state.free.empty()) {
    state.free.push_back(static_cast<std::uint32_t>(state.slots.size()));
    state.slots.emplace_back();
  }
  const std::uint32_t place = state.free.back();
  state.free.pop_back();
  State::Slot& slot = state.slots[place];
  slot.on_timer = std::move(on_timer);
  slot.due = due;
  slot.order = ++state.orders;
  state.heap.push_back(place);
  state.rise(state.heap.size() - 1);
  return TimerId{slot.generation} << 32 | place;
}

EventLoop::TimerId EventLoop::after(Duration delay, OnTimer on_timer) { return at(now() + delay, std::move(on_timer)); }

void EventLoop::cancel(TimerId timer) {
  const auto place = static_cast<std::uint32_t>(timer);
  if (timer == 0 || place >= state_->slots.size() || state_->slots[place].generation != timer >> 32) return;
  state_->remove(place);
}

void EventLoop::wake() const noexcept { state_->waker.signal(); }
void EventLoop::on_wake(std::function<void()> callback) { state_->on_wake = std::move(callback); }

void EventLoop::run(const std::stop_token& stop) {
  const std::stop_callback waker(stop, [this] { wake(); });
  while (!stop.stop_requested()) run_once(std::chrono::hours{1});
}

void EventLoop::run_once(Duration at_most) {
  if (!state_->heap.empty()) at_most = std::min(at_most, state_->slots[state_->heap.front()].due - now());
  at_most = std::max(at_most, Duration::zero());
  std::array<epoll_event, 64> ready{};
  const std::uint64_t newest = state_->generations;
  const int count = wait(state_->epoll.get(), ready, at_most);
  RAILHEAD_ASSERT(count >= 0 || errno == EINTR);
  for (int i = 0; i < count; ++i) {
    // A watch made during this round may reuse a descriptor number: its events are not these.
    const State::Watch& watch = state_->watches[static_cast<std::size_t>(ready[static_cast<std::size_t>(i)].data.fd)];
    if (watch.on_ready == nullptr || watch.generation > newest) continue;
    const std::shared_ptr<OnReady> callback = watch.on_ready;
    (*callback)(from_epoll(ready[static_cast<std::size_t>(i)].events));
  }
  const BootTime due = now();
  while (!state_->heap.empty() && state_->slots[state_->heap.front()].due <= due) {
    const OnTimer on_timer = state_->remove(state_->heap.front());
    on_timer();
  }
}

}  // namespace railhead::system
