// Bounds in time (S12, S20): `age` and `keep_delivered`, by times of a trusted clock alone.
#include <string>
#include <vector>

#include "gateway/spool/spool.h"
#include "tests/gateway/spool/spool_harness.h"
#include "tests/support/crash_disk.h"

namespace railhead::spool {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

struct Aging {
  Aging() {
    options.path = "/spool";
    options.limit = 1 << 20;
    options.commit = Duration{0};
    options.state_interval = Duration{0};
  }
  void open() {
    auto opened = Spool::open(disk, clock, options, reporter);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().what));
    spool = std::move(*opened);
  }
  void put(const std::string& payload, bool internal = false) {
    const Entry entry{spool->lane(internal ? "@state" : "sink"), 1, internal, true, payload};
    REQUIRE(spool->append(std::span<const Entry>(&entry, 1)).has_value());
    REQUIRE(spool->flush(kPatience).has_value());
  }
  std::vector<std::string> owed() {
    std::vector<Frame> frames;
    REQUIRE(spool->read(spool->lane("sink"), Sequence(1), 100'000, 1 << 26, frames).has_value());
    std::vector<std::string> payloads;
    for (const Frame& frame : frames) payloads.push_back(frame.payload);
    return payloads;
  }
  // Makes the committer look: it does with every commit, when it is time.
  void pass(Duration time) {
    clock.advance(time);
    REQUIRE(spool->flush(kPatience).has_value());
    REQUIRE(spool->flush(kPatience).has_value());
  }
  status::LaneLedger ledger() { return spool->ledger(spool->lane("sink")); }

  test::CrashDisk disk;
  test::ManualClock clock;
  test::CapturingReporter reporter;
  SpoolOptions options;
  std::unique_ptr<Spool> spool;
};

TEST_CASE("records older than `age` expire one by one, are counted and told, also in an idle spool") {
  Aging a;
  a.options.age = hours{24};
  a.open();
  a.put("state", true);
  a.put("old");
  a.pass(hours{10});
  a.put("younger");
  a.pass(hours{13});
  CHECK(a.owed() == std::vector<std::string>{"old", "younger"});
  a.clock.advance(hours{2});
  REQUIRE(test::eventually(std::chrono::seconds{10}, [&] { return a.ledger().expired == 1; }));  // nobody touches it
  CHECK(a.owed() == std::vector<std::string>{"younger"});
  CHECK(a.reporter.count(status::Event::spool_aged) == 1);
  a.spool.reset();
  a.open();
  CHECK(a.owed() == std::vector<std::string>{"younger"});
  CHECK(a.ledger().expired == 1);
  CHECK(a.ledger().adds_up());
  a.pass(hours{30});
  CHECK(a.owed().empty());
  CHECK(a.ledger().expired == 2);
  CHECK(a.spool->ledger(a.spool->lane("@state")).spooled == 1);  // the gateway's own state does not age
}

TEST_CASE("a clock that boots in 1970 and steps to now leaves a backlog of 10,000 intact") {
  Aging a;
  a.options.limit = 8 << 20;
  a.options.age = hours{24};
  a.clock.step_wall(Time{minutes{3}});
  a.clock.trust(false);
  a.open();
  for (int i = 0; i < 10'000; ++i) {
    const Entry entry{a.spool->lane("sink"), 1, false, true, "1970"};
    REQUIRE(a.spool->append(std::span<const Entry>(&entry, 1)).has_value());
  }
  REQUIRE(a.spool->flush(kPatience).has_value());
  a.clock.step_wall(Time{std::chrono::seconds{1'800'000'000}});
  a.clock.trust(true);
  a.pass(hours{1});
  a.put("now");
  a.pass(hours{20});
  CHECK(a.owed().size() == 10'001);
  a.pass(hours{20});
  CHECK(a.owed().size() == 10'000);  // the one with a trusted time aged
  CHECK(a.ledger().expired == 1);
  a.spool.reset();
  a.open();
  a.pass(hours{100});
  CHECK(a.owed().size() == 10'000);  // nor does the next start trust the old times
  a.clock.trust(false);
  a.put("untrusted");
  a.pass(hours{100});
  CHECK(a.owed().size() == 10'001);
}

TEST_CASE(
    "settled records stay for replay until keep_delivered is over, and are the first to go when space is needed") {
  Aging a;
  a.options.keep_delivered = hours{48};
  a.open();
  const auto fill = [&](int records) {
    for (int i = 0; i < records; ++i) a.put(std::string(1000, 'x'));
  };
  const auto settle_all = [&] {
    std::vector<Frame> frames;
    REQUIRE(a.spool->read(a.spool->lane("sink"), Sequence(1), 100'000, 1 << 26, frames).has_value());
    for (const Frame& frame : frames) a.spool->settle(frame.lane, frame.sequence, Outcome::delivered);
    REQUIRE(a.spool->flush(kPatience).has_value());
  };
  const auto on_disk = [&] {
    std::size_t records = 0;
    REQUIRE(a.spool->for_each(Sequence(1), [&](const Frame& frame) { records += frame.settled ? 1 : 0; }).has_value());
    return records;
  };
  fill(300);
  settle_all();
  CHECK(on_disk() == 300);
  a.spool.reset();
  a.open();
  CHECK(on_disk() == 300);
  CHECK(a.owed().empty());
  // A dead lane needs the space: kept ones go first, nothing owed is dropped.
  fill(600);
  CHECK(a.ledger().dropped == 0);
  CHECK(a.owed().size() == 600);
  CHECK(on_disk() < 300);
  CHECK(a.spool->usage().bytes <= a.options.limit);
  settle_all();
  const std::size_t kept = on_disk();
  CHECK(kept >= 600);
  a.spool.reset();
  a.open();
  a.pass(hours{47});
  CHECK(on_disk() == kept);
  a.clock.advance(hours{2});
  REQUIRE(test::eventually(std::chrono::seconds{10}, [&] { return on_disk() == 0; }));
  CHECK(a.ledger().delivered == 900);
}

}  // namespace
}  // namespace railhead::spool
