// When a commit happens (S13), who is told, and what an idle spool does.
#include <poll.h>

#include <thread>

#include "gateway/spool/commit_pace.h"
#include "gateway/spool/spool.h"
#include "tests/gateway/spool/spool_harness.h"
#include "tests/support/crash_disk.h"
#include "tests/support/manual_clock.h"

namespace railhead::spool {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kSoon{10000};

TEST_CASE(
    "the first append after an idle interval is due at once, the next at the end of the interval or when enough "
    "waits") {
  CommitPace pace(milliseconds{10}, 1000);
  const BootTime start{std::chrono::seconds{100}};
  CHECK(pace.wait(start, 1) == Duration{0});
  pace.committed(start);
  CHECK(pace.wait(start, 1) == milliseconds{10});
  CHECK(pace.wait(start + milliseconds{4}, 999) == milliseconds{6});
  CHECK(pace.wait(start + milliseconds{4}, 1000) == Duration{0});
  CHECK(pace.wait(start + milliseconds{10}, 1) == Duration{0});
  CHECK(pace.wait(start + std::chrono::hours{1}, 1) == Duration{0});
  CommitPace back_to_back(Duration{0}, 1000);
  back_to_back.committed(start);
  CHECK(back_to_back.wait(start, 1) == Duration{0});
}

struct Paced {
  Paced() {
    options.path = "/spool";
    options.limit = 16 << 20;
    options.commit = std::chrono::hours{1};  // of the manual clock
    auto opened = Spool::open(disk, clock, options, reporter);
    REQUIRE(opened.has_value());
    spool = std::move(*opened);
  }
  Sequence put(const std::string& payload) {
    const Entry entry{spool->lane("sink"), 1, false, true, payload};
    const Result<Sequence> last = spool->append(std::span<const Entry>(&entry, 1));
    REQUIRE(last.has_value());
    return *last;
  }
  bool durable(std::uint64_t sequence) {
    return test::eventually(kSoon, [&] { return Sequence(sequence) <= spool->durable(); });
  }
  test::CrashDisk disk;
  test::ManualClock clock;
  test::CapturingReporter reporter;
  SpoolOptions options;
  std::unique_ptr<Spool> spool;
};

TEST_CASE("appends within the interval share one sync at its end") {
  Paced p;
  p.put("at once");
  REQUIRE(p.durable(1));
  const std::uint64_t operations = p.disk.operations();
  for (int i = 0; i < 100; ++i) p.put("waits");
  p.clock.advance(std::chrono::minutes{30});
  CHECK(p.spool->durable() == Sequence(1));
  CHECK(p.disk.operations() == operations);
  p.clock.advance(std::chrono::minutes{31});
  REQUIRE(p.durable(101));
  CHECK(p.disk.operations() == operations + 2);  // one write, one sync
}

TEST_CASE("256 KiB do not wait for the end of the interval") {
  Paced p;
  p.put("at once");
  REQUIRE(p.durable(1));
  const std::string filler(30000, 'x');
  for (int i = 0; i < 8; ++i) p.put(filler);
  CHECK(p.spool->durable() == Sequence(1));
  p.put(filler);
  REQUIRE(p.durable(10));
}

TEST_CASE("subscribers are signalled whenever durable rises, and not after they left") {
  Paced p;
  const system::EventFd event;
  p.spool->subscribe(&event);
  p.put("one");
  pollfd waiting{event.fd(), POLLIN, 0};
  REQUIRE(::poll(&waiting, 1, 10000) == 1);
  CHECK(p.spool->durable() == Sequence(1));
  event.clear();
  p.spool->unsubscribe(&event);
  p.put("two");
  REQUIRE(p.spool->flush(kPatience).has_value());
  CHECK(::poll(&waiting, 1, 0) == 0);
}

TEST_CASE("nothing is written when nothing happens, and lane states only after their interval") {
  Paced p;
  p.put("one");
  REQUIRE(p.durable(1));
  const std::uint64_t operations = p.disk.operations();
  p.spool->settle(p.spool->lane("sink"), Sequence(1), Outcome::delivered);
  p.clock.advance(milliseconds{999});
  CHECK(p.spool->ledger(p.spool->lane("sink")).delivered == 1);
  CHECK(p.disk.operations() == operations);
  p.clock.advance(milliseconds{2});
  REQUIRE(test::eventually(kSoon, [&] { return p.disk.operations() > operations; }));
  REQUIRE(p.spool->flush(kPatience).has_value());
  const std::uint64_t saved = p.disk.operations();
  p.clock.advance(std::chrono::hours{100});
  REQUIRE(p.spool->flush(kPatience).has_value());  // nothing to flush
  CHECK(p.disk.operations() == saved);
}

TEST_CASE("times: wall clock, whether it was trusted, and the age in boot time") {
  Paced p;
  p.clock.trust(false);
  p.put("one");
  REQUIRE(p.durable(1));
  p.clock.advance(std::chrono::seconds{5});
  std::vector<Frame> frames;
  REQUIRE(p.spool->read(p.spool->lane("sink"), Sequence(1), 1, 100, frames).has_value());
  REQUIRE(frames.size() == 1);
  CHECK_FALSE(frames[0].clock_trusted);
  CHECK(frames[0].appended == p.clock.now() - std::chrono::seconds{5});
  REQUIRE(frames[0].appended_boot.has_value());
  CHECK(p.clock.boot_now() - *frames[0].appended_boot == std::chrono::seconds{5});
}

TEST_CASE("many threads append, read and settle at once; every record is delivered once and the ledger adds up") {
  SpoolHarness h(4 << 20, SpoolOptions::WhenFull::block);
  h.options.state_interval = milliseconds{5};
  h.open();
  constexpr int kAppenders = 3;
  constexpr std::uint64_t kEach = 20000;
  const LaneId lanes[2] = {h.spool->lane("a"), h.spool->lane("b")};
  std::vector<std::thread> threads;
  for (int t = 0; t < kAppenders; ++t) {
    threads.emplace_back([&] {
      const std::string payload(100, 'p');
      for (std::uint64_t i = 0; i < kEach;) {
        const Entry group[2] = {{lanes[0], 1, false, false, payload}, {lanes[1], 2, false, true, payload}};
        if (h.spool->append(group)) {
          ++i;
        } else {
          std::this_thread::sleep_for(std::chrono::microseconds{200});
        }
      }
    });
  }
  std::atomic<std::uint64_t> delivered[2] = {0, 0};
  for (int lane = 0; lane < 2; ++lane) {
    threads.emplace_back([&, lane] {
      Sequence at(1);
      std::vector<Frame> frames;
      std::vector<Sequence> done;
      while (delivered[lane] < kAppenders * kEach) {
        frames.clear();
        done.clear();
        const Result<Sequence> next = h.spool->read(lanes[lane], at, 500, 100000, frames);
        if (!next) return;
        at = *next;
        for (const Frame& frame : frames) done.push_back(frame.sequence);
        h.spool->settle(lanes[lane], done, Outcome::delivered);
        delivered[lane] += frames.size();
        if (frames.empty()) std::this_thread::sleep_for(std::chrono::microseconds{200});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  h.flush();
  for (int lane = 0; lane < 2; ++lane) {
    const status::LaneLedger ledger = h.spool->ledger(lanes[lane]);
    CHECK(ledger.accepted == kAppenders * kEach);
    CHECK(ledger.delivered == kAppenders * kEach);
    CHECK(ledger.spooled == 0);
    CHECK(ledger.adds_up());
  }
  CHECK(h.spool->usage().segments <= 2);
}

}  // namespace
}  // namespace railhead::spool
