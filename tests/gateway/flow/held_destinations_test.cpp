// What is held and where it goes on, without a spool.
#include "gateway/flow/held_destinations.h"

#include <doctest/doctest.h>

using namespace railhead;
using namespace std::chrono_literals;
using flow::HeldDestinations;

namespace {

constexpr std::size_t kTelemetry = 0;
constexpr HeldDestinations::Position at(std::uint64_t telemetry, std::uint64_t alarms = 1) {
  return {Sequence(telemetry), Sequence(alarms)};
}

}  // namespace

TEST_CASE("the records of a held destination are stepped over, those of others are not") {
  HeldDestinations held;
  held.hold("a");
  CHECK(held.skips("a", kTelemetry, Sequence(7), Sequence(6)));
  CHECK_FALSE(held.skips("b", kTelemetry, Sequence(8), Sequence(6)));
  CHECK(held.waits("a"));
  CHECK_FALSE(held.waits("b"));
  CHECK_FALSE(held.wanted(kTelemetry, Sequence(9)));
}

TEST_CASE("what is let out is read again from its beginning up to the lane's own reading, and then held no more") {
  HeldDestinations held;
  held.hold("a");
  for (std::uint64_t one = 5; one < 10; ++one) CHECK(held.skips("a", kTelemetry, Sequence(one), Sequence(4)));
  held.release("a");
  CHECK(held.skips("a", kTelemetry, Sequence(10), Sequence(4)));  // until it has arrived
  REQUIRE(held.wanted(kTelemetry, Sequence(11)) == Sequence(0));
  for (std::uint64_t one = 3; one <= 10; ++one) {
    const HeldDestinations::Take take = held.take("a", kTelemetry, Sequence(one));
    CHECK(take.given);
    CHECK(take.first == (one >= 5));  // those before were given before it was held
  }
  CHECK_FALSE(held.take("a", kTelemetry, Sequence(10)).given);
  held.looked_through(kTelemetry, Sequence(11));
  held.looked_through(1, Sequence(1));
  held.forget_arrived(at(11));
  CHECK(held.empty());
}

TEST_CASE("a probe is one record; it and the rest come when the destination is let out") {
  HeldDestinations held;
  held.hold("a");
  for (std::uint64_t one = 5; one < 10; ++one) CHECK(held.skips("a", kTelemetry, Sequence(one), Sequence(4)));
  held.probe("a");
  const HeldDestinations::Take probe = held.take("a", kTelemetry, Sequence(5));
  CHECK(probe.given);
  CHECK(probe.probe);
  CHECK_FALSE(held.take("a", kTelemetry, Sequence(6)).given);
  held.forget_arrived(at(10));
  CHECK_FALSE(held.empty());
  held.probe("a");
  REQUIRE(held.wanted(kTelemetry, Sequence(10)) == Sequence(5));
  CHECK_FALSE(held.take("a", kTelemetry, Sequence(5)).first);  // it was given before
  held.release("a");
  CHECK(held.take("a", kTelemetry, Sequence(6)).first);
}

TEST_CASE("after a rewind nothing is forgotten before the reading has come by again") {
  HeldDestinations held;
  held.hold("a");
  CHECK(held.skips("a", kTelemetry, Sequence(5), Sequence(4)));
  held.release("a");
  held.rewind();
  held.forget_arrived(at(0, 0));
  REQUIRE_FALSE(held.empty());
  CHECK(held.skips("a", kTelemetry, Sequence(5), Sequence(4)));
}

TEST_CASE("what the lane held by itself is let out when its time has come") {
  HeldDestinations held;
  held.hold("a", BootTime{5s});
  held.hold("b");
  CHECK(held.next_due() == BootTime{5s});
  held.release_due(BootTime{4s});
  CHECK(held.waits("a"));
  held.release_due(BootTime{5s});
  CHECK_FALSE(held.waits("a"));
  CHECK(held.waits("b"));
  CHECK_FALSE(held.next_due());
}
