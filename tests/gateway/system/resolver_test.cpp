#include "gateway/system/resolver.h"

#include <doctest/doctest.h>

#include <optional>

#include "gateway/system/clock.h"

namespace railhead::system {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Harness {
  template <class Condition>
  bool until(Condition condition) {
    const BootTime end = clock.boot_now() + seconds{20};
    while (!condition() && clock.boot_now() < end) loop.run_once(milliseconds{20});
    return condition();
  }
  SystemClock clock;
  EventLoop loop{clock};
  Resolver resolver{loop};
  std::optional<Result<std::vector<Address>>> answer;
  Resolver::OnResolved keep() {
    return [this](Result<std::vector<Address>> addresses) { answer = std::move(addresses); };
  }
};

TEST_CASE("numeric addresses come back as they are, never from within the call") {
  Harness harness;
  harness.resolver.resolve("127.0.0.1", 502, harness.keep());
  CHECK_FALSE(harness.answer);
  REQUIRE(harness.until([&] { return harness.answer.has_value(); }));
  REQUIRE(*harness.answer);
  CHECK((**harness.answer).front().text() == "127.0.0.1:502");
  harness.answer.reset();
  harness.resolver.resolve("::1", 1883, harness.keep());
  REQUIRE(harness.until([&] { return harness.answer.has_value(); }));
  CHECK((**harness.answer).front().text() == "[::1]:1883");
}

TEST_CASE("names come back through the thread") {
  Harness harness;
  harness.resolver.resolve("localhost", 80, harness.keep());
  REQUIRE(harness.until([&] { return harness.answer.has_value(); }));
  REQUIRE(*harness.answer);
  CHECK_FALSE((**harness.answer).empty());
}

TEST_CASE("a name that does not resolve is unavailable") {
  Harness harness;
  harness.resolver.resolve("no such name", 80, harness.keep());
  REQUIRE(harness.until([&] { return harness.answer.has_value(); }));
  REQUIRE_FALSE(*harness.answer);
  CHECK(harness.answer->error().code == Errc::unavailable);
  CHECK(harness.answer->error().what.find("resolve 'no such name'") == 0);
}

TEST_CASE("a cancelled question is never answered") {
  Harness harness;
  bool other = false;
  const auto ticket = harness.resolver.resolve("127.0.0.1", 1, harness.keep());
  harness.resolver.cancel(ticket);
  harness.resolver.resolve("127.0.0.1", 2, [&](Result<std::vector<Address>>) { other = true; });
  REQUIRE(harness.until([&] { return other; }));
  CHECK_FALSE(harness.answer);
}

TEST_CASE("the resolver may go while a look-up runs") {
  SystemClock clock;
  EventLoop loop(clock);
  {
    Resolver resolver(loop);
    resolver.resolve("localhost", 80, [](Result<std::vector<Address>>) { CHECK(false); });
  }
  loop.run_once(milliseconds{10});
}

}  // namespace
}  // namespace railhead::system
