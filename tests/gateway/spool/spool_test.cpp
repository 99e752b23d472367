#include "gateway/spool/spool.h"

#include <string>
#include <vector>

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
  REQUIRE(frames[0].age.has_value());
  CHECK(*frames[0].age >= Duration{0});
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

}  // namespace
}  // namespace railhead::spool
