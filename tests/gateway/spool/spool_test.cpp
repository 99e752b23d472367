#include "gateway/spool/spool.h"

#include <stop_token>
#include <string>
#include <vector>

#include "gateway/spool/format.h"
#include "tests/gateway/spool/spool_harness.h"

namespace railhead::spool {
namespace {

TEST_CASE("what was appended is read back in order, with its place and lane") {
  SpoolHarness h;
  h.open();
  CHECK(h.spool->durable() == Sequence(0));
  CHECK(h.put("kafka", {"one", "two"}) == Sequence(2));
  CHECK(h.put("amqp", {"three"}) == Sequence(3));
  h.flush();
  CHECK(h.spool->durable() == Sequence(3));
  const std::vector<Frame> frames = h.get("kafka");
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].payload == "one");
  CHECK(frames[0].sequence == Sequence(1));
  CHECK(frames[0].epoch == h.spool->epoch());
  CHECK(frames[0].lane == h.spool->lane("kafka"));
  REQUIRE(frames[0].appended_boot.has_value());
  CHECK(*frames[0].appended_boot <= h.clock.boot_now());
  CHECK(frames[1].payload == "two");
  CHECK(h.payloads("amqp") == std::vector<std::string>{"three"});
}

TEST_CASE("settled records are not given out again, in any order, also after reopening") {
  SpoolHarness h;
  h.open();
  for (int i = 1; i <= 10; ++i) h.put(i % 2 == 0 ? "a" : "b", {std::to_string(i)});
  h.flush();
  const LaneId a = h.spool->lane("a");
  h.spool->settle(a, Sequence(6), Outcome::delivered);
  h.spool->settle(a, Sequence(2), Outcome::expired);
  h.spool->settle(a, Sequence(2), Outcome::delivered);  // again: counted once
  const std::vector<std::string> owed{"4", "8", "10"};
  CHECK(h.payloads("a") == owed);
  h.reopen();
  CHECK(h.payloads("a") == owed);
  CHECK(h.payloads("b").size() == 5);
  const status::LaneLedger ledger = h.ledger("a");
  CHECK(ledger.accepted == 5);
  CHECK(ledger.delivered == 1);
  CHECK(ledger.expired == 1);
  CHECK(ledger.spooled == 3);
  CHECK(ledger.adds_up());
  CHECK(h.spool->next() == Sequence(11));
}

TEST_CASE("a backlog of many segments is read back whole, and trimmed when all of it is settled") {
  SpoolHarness h(1 << 20, SpoolOptions::WhenFull::block);
  h.open();
  const std::string filler(300, 'x');
  for (int i = 0; i < 2000; ++i) {
    h.put("sink", {std::to_string(i) + filler});
    if (i % 100 == 0) h.flush();
  }
  h.flush();
  CHECK(h.spool->usage().segments > 8);
  h.reopen();
  std::vector<Frame> frames = h.get("sink");
  REQUIRE(frames.size() == 2000);
  for (int i = 0; i < 2000; ++i) {
    REQUIRE(frames[static_cast<std::size_t>(i)].payload == std::to_string(i) + filler);
    REQUIRE(frames[static_cast<std::size_t>(i)].sequence == Sequence(static_cast<std::uint64_t>(i) + 1));
  }
  for (const Frame& frame : frames) h.spool->settle(h.spool->lane("sink"), frame.sequence, Outcome::delivered);
  h.flush();
  CHECK(h.spool->usage().segments == 0);
  CHECK(h.payloads("sink").empty());
  h.reopen();
  CHECK(h.spool->next() == Sequence(2001));
  CHECK(h.put("sink", {"goes on"}) == Sequence(2001));
}

TEST_CASE("a lane that is dropped owes nothing any more, also after reopening; what comes later is owed") {
  SpoolHarness h(1 << 20, SpoolOptions::WhenFull::block);
  h.open();
  for (int i = 0; i < 1000; ++i) {
    h.put("gone", {std::string(300, 'g')});
    h.put("stays", {std::to_string(i)});
    if (i % 100 == 0) h.flush();
  }
  h.flush();
  CHECK(h.spool->drop_lane("gone").value_or(0) == 1000);
  h.put("gone", {"a late one"});
  h.flush();
  for (int round = 0; round < 2; ++round) {
    CHECK(h.payloads("gone") == std::vector<std::string>{"a late one"});
    CHECK(h.payloads("stays").size() == 1000);
    CHECK(h.ledger("gone").dropped == 1000);
    CHECK(h.ledger("gone").dropped_full == 0);
    CHECK(h.ledger("gone").spooled == 1);
    CHECK(h.ledger("gone").adds_up());
    h.reopen();
  }
  CHECK_FALSE(h.spool->drop_lane("never was").has_value());
}

TEST_CASE("dropping a lane leaves what its neighbours hold in the same segment held") {
  SpoolHarness h;
  h.open();
  h.put("gone", {"1", "2", "3"});
  h.put("stays", {"4", "5", "6"});
  h.flush();
  h.spool->hold(h.spool->lane("gone"), std::vector{Sequence(1), Sequence(3)});
  h.spool->hold(h.spool->lane("stays"), std::vector{Sequence(4), Sequence(5)});
  CHECK(h.spool->drop_lane("gone").value_or(0) == 3);
  CHECK(h.ledger("gone").dropped == 3);
  CHECK(h.ledger("gone").held == 0);
  CHECK(h.ledger("gone").adds_up());
  CHECK(h.ledger("stays").held == 2);
  CHECK(h.ledger("stays").spooled == 1);
  h.spool->release(h.spool->lane("gone"), std::vector{Sequence(1), Sequence(3)});  // its sink comes too late
  h.spool->release(h.spool->lane("stays"), std::vector{Sequence(4)});
  h.spool->settle(h.spool->lane("stays"), Sequence(5), Outcome::delivered);
  CHECK(h.ledger("gone").held + h.ledger("gone").spooled == 0);
  CHECK(h.ledger("stays").held == 0);
  CHECK(h.ledger("stays").spooled == 2);
  CHECK(h.ledger("stays").adds_up());
  h.put("gone", {"7"});
  h.flush();
  h.spool->hold(h.spool->lane("gone"), std::vector{Sequence(7)});
  CHECK(h.ledger("gone").held == 1);
  CHECK(h.ledger("gone").adds_up());
}

TEST_CASE("the backlog of a lane is told in bytes and by the time of its oldest record") {
  SpoolHarness h;
  h.open();
  const Time before = h.clock.now();
  h.put("sink", {"one", "two"});
  h.put("sink", {"three"});
  h.put("other", {std::string(1000, 'x')});
  h.flush();
  const auto info = [&](const std::string& name) {
    for (const LaneInfo& lane : h.spool->lanes()) {
      if (lane.name == name) return lane;
    }
    FAIL("no lane");
    return LaneInfo{};
  };
  CHECK(info("sink").backlog_bytes == 2 * frame_bytes(3) + frame_bytes(5));
  CHECK(info("other").backlog_bytes == 1044);
  REQUIRE(info("sink").oldest.has_value());
  const Time first = *info("sink").oldest;
  CHECK(first >= before);
  h.spool->settle(h.spool->lane("sink"), Sequence(1), Outcome::delivered);
  h.spool->settle(h.spool->lane("sink"), Sequence(2), Outcome::delivered);
  CHECK(info("sink").first_unsettled == Sequence(3));
  CHECK(*info("sink").oldest > first);
  h.spool->settle(h.spool->lane("sink"), Sequence(3), Outcome::delivered);
  CHECK(info("sink").backlog_bytes == 0);
  CHECK_FALSE(info("sink").oldest.has_value());
  CHECK(h.spool->usage().payload_bytes >= 1011);
}

TEST_CASE("reading all frames ends where its caller has enough, without an error") {
  SpoolHarness h(1 << 20);
  h.open();
  for (int i = 0; i < 300; ++i) {
    h.put("sink", {std::string(1000, 'x')});
    if (i % 50 == 49) h.flush();
  }
  REQUIRE(h.spool->usage().segments > 2);
  std::stop_source enough;
  int told = 0;
  const auto visit = [&](const Frame&) {
    if (++told == 150) enough.request_stop();
  };
  CHECK(h.spool->for_each(Sequence(1), visit, enough.get_token()).has_value());
  CHECK(told == 150);
  CHECK(h.spool->for_each(Sequence(1), visit).has_value());
  CHECK(told == 450);
}

}  // namespace
}  // namespace railhead::spool
