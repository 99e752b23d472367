#include "gateway/system/event_loop.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <thread>

#include "gateway/system/descriptor.h"
#include "tests/support/manual_clock.h"

namespace railhead::system {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("timers run in the order of their due times, equal ones in the order they were made") {
  test::ManualClock clock;
  EventLoop loop(clock);
  std::string order;
  loop.after(milliseconds{30}, [&] { order += "c"; });
  loop.after(milliseconds{10}, [&] { order += "a"; });
  loop.after(milliseconds{10}, [&] { order += "b"; });
  loop.run_once(Duration{});
  CHECK(order == "");
  clock.advance(milliseconds{10});
  loop.run_once(Duration{});
  CHECK(order == "ab");
  clock.advance(seconds{1});
  loop.run_once(Duration{});
  CHECK(order == "abc");
}

TEST_CASE("a cancelled timer does not run, whoever cancels it") {
  test::ManualClock clock;
  EventLoop loop(clock);
  int ran = 0;
  EventLoop::TimerId second = 0;
  loop.after(milliseconds{1}, [&] { loop.cancel(second); });
  second = loop.after(milliseconds{2}, [&] { ++ran; });
  loop.cancel(loop.after(milliseconds{1}, [&] { ++ran; }));
  loop.cancel(0);
  loop.cancel(4711);
  clock.advance(seconds{1});
  loop.run_once(Duration{});
  CHECK(ran == 0);
}

TEST_CASE("a timer may set itself again without starving the loop") {
  test::ManualClock clock;
  EventLoop loop(clock);
  int ran = 0;
  std::function<void()> again = [&] {
    ++ran;
    loop.after(milliseconds{10}, again);
  };
  loop.after(milliseconds{10}, again);
  for (int i = 0; i < 5; ++i) {
    clock.advance(milliseconds{10});
    loop.run_once(Duration{});
  }
  CHECK(ran == 5);
}

TEST_CASE("readiness reaches its watch; a watch that ended hears nothing") {
  test::ManualClock clock;
  EventLoop loop(clock);
  EventFd first;
  EventFd second;
  int seen = 0;
  loop.watch(second.fd(), EventLoop::kReadable, [&](std::uint32_t) { ++seen; });
  loop.watch(first.fd(), EventLoop::kReadable, [&](std::uint32_t events) {
    CHECK((events & EventLoop::kReadable) != 0);
    first.clear();
    loop.unwatch(first.fd());  // its own
    loop.unwatch(second.fd());
    ++seen;
  });
  first.signal();
  second.signal();
  loop.run_once(Duration{});
  const int after_first = seen;
  CHECK(after_first >= 1);
  first.signal();
  loop.run_once(Duration{});
  CHECK(seen == after_first);
}

TEST_CASE("a descriptor's number that is used again in the same round does not get the old one's events") {
  test::ManualClock clock;
  EventLoop loop(clock);
  std::optional<EventFd> one(std::in_place);
  std::optional<EventFd> other(std::in_place);
  int foreign = 0;
  // Whichever comes first replaces the other by a fresh descriptor of the same number.
  const auto replace = [&](std::optional<EventFd>& self, std::optional<EventFd>& victim) {
    self->clear();
    loop.unwatch(victim->fd());
    const int number = victim->fd();
    victim.reset();
    victim.emplace();
    CHECK(victim->fd() == number);
    loop.watch(victim->fd(), EventLoop::kReadable, [&](std::uint32_t) { ++foreign; });
  };
  loop.watch(one->fd(), EventLoop::kReadable, [&](std::uint32_t) { replace(one, other); });
  loop.watch(other->fd(), EventLoop::kReadable, [&](std::uint32_t) { replace(other, one); });
  one->signal();
  other->signal();
  loop.run_once(Duration{});
  CHECK(foreign == 0);
}

TEST_CASE("change asks for other events") {
  test::ManualClock clock;
  EventLoop loop(clock);
  EventFd always_writable;
  std::uint32_t seen = 0;
  loop.watch(always_writable.fd(), EventLoop::kReadable, [&](std::uint32_t events) { seen |= events; });
  loop.run_once(Duration{});
  CHECK(seen == 0);
  loop.change(always_writable.fd(), EventLoop::kWritable);
  loop.run_once(Duration{});
  CHECK(seen == EventLoop::kWritable);
}

TEST_CASE("wake from another thread ends the wait and calls on_wake; stop ends run") {
  SystemClock clock;
  EventLoop loop(clock);
  int woken = 0;
  loop.on_wake([&] { ++woken; });
  std::stop_source stop;
  std::jthread other([&] { loop.wake(); });
  loop.run_once(seconds{10});
  CHECK(woken == 1);
  std::jthread stopper([&] { stop.request_stop(); });
  loop.run(stop.get_token());  // returns
  CHECK(stop.stop_requested());
}

}  // namespace
}  // namespace railhead::system
