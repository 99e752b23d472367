// Compaction (S10): what is settled goes before what is owed, what is owed stays what it was.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gateway/spool/compaction.h"
#include "gateway/spool/inspect.h"
#include "gateway/spool/spool.h"
#include "tests/gateway/spool/spool_harness.h"
#include "tests/support/crash_disk.h"
#include "tests/support/effort.h"

namespace railhead::spool {
namespace {

using test::CrashDisk;
using test::DiskImage;

std::string numbered(std::uint64_t number, std::size_t bytes) {
  std::string text = std::to_string(number) + ":";
  text.resize(bytes, 'x');
  return text;
}

// A spool on a disk in memory.
struct Bench {
  explicit Bench(std::uint64_t limit = 1 << 20) {
    options.path = "/spool";
    options.limit = limit;
    options.commit = Duration{0};
    options.state_interval = Duration{0};
    options.tail_bytes = 16 * 1024;
  }
  explicit Bench(const Bench& like, const DiskImage& image) : disk(image), options(like.options) {}

  void open() {
    auto opened = Spool::open(disk, clock, options, reporter);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().what));
    spool = std::move(*opened);
  }
  void reopen() {
    spool.reset();
    open();
  }
  Sequence put(const std::string& lane, const std::string& payload, std::uint8_t klass = 1) {
    return put(std::vector<Entry>{{spool->lane(lane), klass, false, true, payload}});
  }
  Sequence put(const std::vector<Entry>& entries) {
    for (;;) {
      const Result<Sequence> last = spool->append(entries);
      if (last) return *last;
      REQUIRE_MESSAGE(last.error().code == Errc::full, last.error().what);
      flush();
    }
  }
  void flush() { REQUIRE(spool->flush(kPatience).has_value()); }
  std::vector<Frame> owed(const std::string& lane) {
    std::vector<Frame> frames;
    for (Sequence at(1);;) {
      const Result<Sequence> next = spool->read(spool->lane(lane), at, 100, 64 * 1024, frames);
      REQUIRE_MESSAGE(next.has_value(), (next ? "" : next.error().what));
      if (*next == at) return frames;
      at = *next;
    }
  }
  void settle(const std::string& lane, Sequence one) { spool->settle(spool->lane(lane), one, Outcome::delivered); }
  status::LaneLedger ledger(const std::string& lane) { return spool->ledger(spool->lane(lane)); }
  std::size_t damaged() const { return reporter.count(status::Event::spool_damaged); }

  CrashDisk disk;
  system::SystemClock clock;
  test::CapturingReporter reporter;
  SpoolOptions options;
  std::unique_ptr<Spool> spool;
};

// 1 % of the traffic is for a sink that never answers, the rest is delivered at once.
void one_percent(std::uint64_t limit, std::uint64_t records, std::size_t bytes) {
  Bench b(limit);
  b.open();
  std::map<std::uint64_t, std::pair<std::string, Time>> dead;
  const Epoch epoch = b.spool->epoch();
  for (std::uint64_t i = 0; i < records; ++i) {
    if (i % 100 == 50) {
      const std::string payload = numbered(i, bytes);
      dead[b.put("dead", payload).value()] = {payload, {}};
      continue;
    }
    const Sequence one = b.put("live", numbered(i, bytes));
    if (i % 32 == 0) b.flush();
    if (one <= b.spool->durable()) b.settle("live", one);
    if (i % 32 == 0) {
      for (const Frame& frame : b.owed("live")) b.settle("live", frame.sequence);
      REQUIRE(b.spool->usage().bytes <= limit);
    }
  }
  b.flush();
  CHECK(b.spool->usage().compactions > 0);
  for (int round = 0; round < 2; ++round) {
    const std::vector<Frame> frames = b.owed("dead");
    REQUIRE(frames.size() == dead.size());
    for (const Frame& frame : frames) {
      REQUIRE(frame.epoch == epoch);
      REQUIRE(frame.payload == dead.at(frame.sequence.value()).first);
      if (round == 0) dead.at(frame.sequence.value()).second = frame.appended;
      REQUIRE(frame.appended == dead.at(frame.sequence.value()).second);
      REQUIRE(frame.appended_boot.has_value());
    }
    CHECK(b.ledger("dead").dropped == 0);
    CHECK(b.ledger("dead").damaged == 0);
    CHECK(b.ledger("dead").adds_up());
    CHECK(b.ledger("live").adds_up());
    CHECK(b.damaged() == 0);
    b.reopen();
  }
  CHECK(b.spool->epoch() == epoch);
  CHECK(b.spool->usage().segments <= 24);
}

TEST_CASE("a dead lane with 1 % of the traffic loses nothing while everything else flows past the limit many times") {
  one_percent(1 << 20, 30'000, 200);  // some 7 limits
}

TEST_CASE("the same on 32 MiB with large records") {
  one_percent(test::effort(32 << 20, 2 << 20), test::effort(60'000, 2'500), 2'000);
}

TEST_CASE("what a bound drops is the oldest of the lowest class, and never more than it must") {
  Bench b;
  b.open();
  std::map<std::uint8_t, std::vector<std::uint64_t>> put;
  for (std::uint64_t i = 0; i < 6'000; ++i) {
    const std::uint8_t klass = i % 10 == 0 ? 2 : i % 10 < 4 ? 0 : 1;
    put[klass].push_back(b.put("dead", numbered(i, 250), klass).value());
    if (i % 32 == 0) b.flush();
    REQUIRE(b.spool->usage().bytes <= b.options.limit);
  }
  b.flush();
  std::map<std::uint8_t, std::vector<std::uint64_t>> left;
  const std::vector<Frame> frames = b.owed("dead");
  for (const Frame& frame : frames) left[frame.klass].push_back(frame.sequence.value());
  CHECK(left[2] == put[2]);
  CHECK(left[1].size() > left[2].size());
  // Low ones are there only where they are youngest: in the segment still being written.
  CHECK(left[0].size() < 120);
  for (std::uint8_t klass = 0; klass < 2; ++klass) {
    const std::vector<std::uint64_t>& all = put[klass];
    REQUIRE(left[klass].size() <= all.size());
    CHECK(std::equal(left[klass].rbegin(), left[klass].rend(), all.rbegin()));  // the oldest went
  }
  const status::LaneLedger ledger = b.ledger("dead");
  CHECK(ledger.dropped == ledger.dropped_full);
  CHECK(ledger.dropped == 6'000 - frames.size());
  CHECK(ledger.adds_up());
  // 294 bytes each on disk: what is kept fills most of the limit.
  CHECK(frames.size() * 296 > (1 << 20) * 6 / 10);
  b.reopen();
  CHECK(b.owed("dead").size() == frames.size());
  CHECK(b.ledger("dead").dropped == ledger.dropped);
  CHECK(b.damaged() == 0);
}

TEST_CASE("a settlement of a record that was dropped meanwhile counts nothing") {
  Bench b;
  b.open();
  std::vector<Sequence> low;
  for (std::uint64_t i = 0; i < 8'000; ++i) {
    const Sequence one = b.put("sink", numbered(i, 200), i % 2 == 0 ? 0 : 2);
    if (i % 2 == 0) low.push_back(one);
    if (i % 32 == 0) b.flush();
  }
  b.flush();
  const status::LaneLedger before = b.ledger("sink");
  REQUIRE(before.dropped > 1'000);
  const std::size_t owed = b.owed("sink").size();
  REQUIRE(owed == before.spooled);
  std::set<std::uint64_t> still;
  for (const Frame& frame : b.owed("sink")) still.insert(frame.sequence.value());
  std::uint64_t delivered = 0;
  for (const Sequence one : low) {
    if (still.count(one.value()) != 0) ++delivered;
    b.settle("sink", one);
    b.settle("sink", one);
  }
  CHECK(b.ledger("sink").delivered == delivered);
  CHECK(b.owed("sink").size() == owed - delivered);
  CHECK(b.ledger("sink").adds_up());
  b.reopen();
  CHECK(b.owed("sink").size() == owed - delivered);
}

TEST_CASE("groups stay whole through compaction, also where some of their records are settled") {
  Bench b;
  b.open();
  std::map<std::uint64_t, std::string> kept;
  for (std::uint64_t i = 0; i < 4'000; ++i) {
    const std::string first = numbered(i, 100);
    const std::string second = numbered(i, 250);
    const std::string third = numbered(i, 30);
    const Sequence last = b.put({{b.spool->lane("dead"), 1, false, false, first},
                                 {b.spool->lane("live"), 1, false, false, second},
                                 {b.spool->lane("dead"), 1, false, true, third}});
    if (i % 16 == 0) b.flush();
    if (i % 10 == 3) {
      kept[last.value() - 2] = first;
      kept[last.value()] = third;
    } else {
      b.flush();
      b.settle("dead", Sequence(last.value() - 2));
      b.settle("dead", last);
    }
    if (i % 16 == 0) {
      for (const Frame& frame : b.owed("live")) b.settle("live", frame.sequence);
    }
  }
  b.flush();
  REQUIRE(b.spool->usage().compactions > 0);
  for (int round = 0; round < 2; ++round) {
    std::map<std::uint64_t, std::string> found;
    for (const Frame& frame : b.owed("dead")) found.emplace(frame.sequence.value(), frame.payload);
    CHECK(found == kept);
    CHECK(b.damaged() == 0);
    b.reopen();
  }
}

TEST_CASE("a disk full to the brim still takes the lane states, so that settling frees space") {
  Bench b;
  b.options.when_full = SpoolOptions::WhenFull::block;
  b.open();
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    b.put("sink", numbered(i, 250));
    if (i % 32 == 0) b.flush();
  }
  b.flush();
  b.disk.fail_creation();  // not a block is left: no new file, nothing preallocated
  std::vector<Sequence> all;
  for (const Frame& frame : b.owed("sink")) all.push_back(frame.sequence);
  b.spool->settle(b.spool->lane("sink"), all, Outcome::delivered);
  REQUIRE(test::eventually(std::chrono::seconds{10}, [&] { return b.spool->usage().segments <= 1; }));
  const DiskImage image = b.disk.contents();
  Bench after(b, image);
  after.open();
  CHECK(after.owed("sink").empty());
}

TEST_CASE("block mode makes room by compaction, drops nothing, and then takes again") {
  Bench b;
  b.options.when_full = SpoolOptions::WhenFull::block;
  b.open();
  std::uint64_t taken = 0;
  std::uint64_t dead = 0;
  for (std::uint64_t i = 0; i < 200'000 && taken < 20'000; ++i) {
    const bool is_dead = i % 50 == 0;
    const std::string payload = numbered(i, 300);
    const std::vector<Entry> entries{{b.spool->lane(is_dead ? "dead" : "live"), 1, false, true, payload}};
    const Result<Sequence> put = b.spool->append(entries);
    if (put) {
      ++taken;
      if (is_dead) ++dead;
    }
    if (i % 32 == 0) {
      b.flush();
      for (const Frame& frame : b.owed("live")) b.settle("live", frame.sequence);
    }
    REQUIRE(b.spool->usage().bytes <= b.options.limit);
  }
  CHECK(taken == 20'000);
  b.flush();
  CHECK(b.owed("dead").size() == dead);
  CHECK(b.ledger("dead").dropped == 0);
}

TEST_CASE("a flipped bit in a compacted segment costs what it hits; the others come, the ledger says so") {
  Bench b;
  b.open();
  std::size_t dead = 0;
  for (std::uint64_t i = 0; i < 8'000; ++i) {
    b.put(i % 20 == 0 ? "dead" : "live", numbered(i, 250));
    if (i % 20 == 0) ++dead;
    if (i % 32 == 0) {
      b.flush();
      for (const Frame& frame : b.owed("live")) b.settle("live", frame.sequence);
    }
  }
  b.flush();
  b.spool.reset();
  const DiskImage image = b.disk.contents();
  std::string compacted;
  for (const auto& [path, bytes] : image.files) {
    if (path.find(".0000000") != std::string::npos && bytes.size() > 4096) compacted = path;
  }
  REQUIRE_FALSE(compacted.empty());
  for (const bool lanes_lost : {false, true}) {
    INFO(lanes_lost);
    DiskImage spoilt = image;
    if (lanes_lost) spoilt.files.erase("/spool/lanes");
    spoilt.files.at(compacted)[2000] ^= 4;
    Bench again(b, spoilt);
    again.open();
    CHECK(again.owed("dead").size() == dead - 1);
    CHECK(again.ledger("dead").damaged == 1);
    CHECK(again.ledger("dead").adds_up());
    CHECK(again.damaged() == 1);
    // And it can be compacted once more.
    for (std::uint64_t i = 0; i < 8'000; ++i) {
      again.put("live", numbered(i, 250));
      if (i % 32 == 0) {
        again.flush();
        for (const Frame& frame : again.owed("live")) again.settle("live", frame.sequence);
      }
    }
    CHECK(again.owed("dead").size() == dead - 1);
    again.reopen();
    CHECK(again.owed("dead").size() == dead - 1);
    CHECK(again.ledger("dead").damaged == 1);
  }
}

TEST_CASE("what is done ahead is written a little behind each commit: no commit waits for a whole segment") {
  Bench b(test::effort(16 << 20, 8 << 20));  // segments of 1 MiB
  b.options.state_interval = std::chrono::hours{1};
  b.open();
  std::vector<Sequence> dead;
  std::vector<Sequence> late;
  std::uint64_t before = 0;
  std::uint64_t compactions = 0;
  std::size_t steps = 0;
  std::size_t at_once = 0;
  bool lagging = true;  // the sink, until there is hardly room for another segment: that one has to wait
  for (std::uint64_t i = 0; i < 3'000; ++i) {
    const std::string payload = numbered(i, test::effort(10'000, 5'000));
    const bool for_dead = i % 4 == 0;  // to the end: with the limit reached, every segment needs another's room
    const Sequence put = b.put(for_dead ? "dead" : "live", payload);
    if (for_dead) dead.push_back(put);
    const Sequence last(b.spool->next().value() - 1);
    REQUIRE(test::eventually(std::chrono::seconds{10}, [&] { return last <= b.spool->durable(); }));
    if (!for_dead) late.push_back(put);
    lagging = lagging && b.spool->usage().bytes < b.options.limit / 16 * 13;
    if (!lagging) {
      for (const Sequence one : late) b.settle("live", one);
      late.clear();
    }
    const auto file = b.disk.open("/spool/" + std::string(kCompactNewName), system::OpenMode::read);
    const std::uint64_t bytes = file ? *(*file)->size() : 0;
    if (bytes > before) {
      ++steps;
      CHECK(bytes - before <= 128 * 1024);
    }
    const std::uint64_t now = b.spool->usage().compactions;
    if (before == 0 && bytes == 0 && now > compactions) ++at_once;
    before = bytes;
    compactions = now;
  }
  CHECK(compactions >= 10);
  CHECK(at_once <= 3);
  CHECK(steps >= test::effort<std::size_t>(5, 3) * (compactions - at_once));
  CHECK(b.owed("dead").size() == dead.size());
  CHECK(b.ledger("dead").adds_up());
}

TEST_CASE("power cut at any step of a compaction: the old files or the new one, each record once") {
  std::mt19937_64 random(7);
  Bench b;
  b.open();
  std::map<std::uint64_t, std::string> dead;
  std::vector<DiskImage> cuts;
  bool cutting = false;
  b.disk.on_operation([&](test::DiskOperation) {
    if (!cutting || cuts.size() >= 600) return;
    for (const auto survival : {CrashDisk::Survival::nothing, CrashDisk::Survival::everything,
                                CrashDisk::Survival::random, CrashDisk::Survival::random}) {
      cuts.push_back(b.disk.crash(survival, random));
    }
  });
  for (std::uint64_t i = 0; i < 7'000; ++i) {
    if (i == 4'500) {
      b.flush();
      cutting = true;
    }
    // While power is cut only what is settled at once is added: what the dead lane is owed stays the same.
    if (i % 20 == 0 && i < 4'500) {
      const std::string payload = numbered(i, 250);
      dead[b.put("dead", payload).value()] = payload;
    } else {
      b.put("live", numbered(i, 250));
    }
    if (i % 32 == 0) {
      b.flush();
      for (const Frame& frame : b.owed("live")) b.settle("live", frame.sequence);
    }
  }
  b.disk.on_operation({});
  REQUIRE(b.spool->usage().compactions > 0);
  REQUIRE(cuts.size() >= 600);
  for (std::size_t i = 0; i < cuts.size(); i += test::effort(1, 11)) {
    Bench after(b, cuts[i]);
    after.open();
    std::map<std::uint64_t, std::string> found;
    for (const Frame& frame : after.owed("dead")) REQUIRE(found.emplace(frame.sequence.value(), frame.payload).second);
    REQUIRE(found == dead);
    REQUIRE(after.ledger("dead").spooled == dead.size());
    REQUIRE(after.ledger("dead").damaged == 0);
    REQUIRE(after.ledger("live").damaged == 0);
    REQUIRE(after.ledger("live").carried_over == 0);
    REQUIRE(after.damaged() == 0);
  }
}

}  // namespace
}  // namespace railhead::spool
