#include "gateway/app/reload_desk.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <future>

#include "tests/support/process.h"

namespace railhead::app {
namespace {

using namespace std::chrono_literals;

TEST_CASE("who asks for a reload hears what came of it; a closed desk keeps nobody waiting") {
  ::signal(SIGHUP, SIG_IGN);
  ReloadDesk desk;
  const auto ask = [&](std::uint64_t nth) {
    std::future<Result<void>> asked = std::async(std::launch::async, [&] { return desk.ask(); });
    REQUIRE(test::eventually(5s, [&] { return desk.asked() == nth; }));
    return asked;
  };
  std::future<Result<void>> asked = ask(1);
  desk.answer(1, {});
  CHECK(asked.get().has_value());
  asked = ask(2);
  desk.answer(2, fail(Errc::refused, "line 3"));
  CHECK(asked.get().error().what == "line 3");
  asked = ask(3);
  desk.set_closed(true);
  CHECK(asked.get().error().code == Errc::stopped);
  CHECK(desk.ask().error().code == Errc::stopped);
  CHECK(desk.asked() == 3);
  desk.set_closed(false);
  asked = ask(4);
  desk.answer(4, {});
  CHECK(asked.get().has_value());
  ::signal(SIGHUP, SIG_DFL);
}

}  // namespace
}  // namespace railhead::app
