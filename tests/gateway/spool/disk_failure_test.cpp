// The disk refuses: the spool takes nothing new, loses nothing it took, and goes on by itself.
#include <random>
#include <string>
#include <vector>

#include "gateway/spool/format.h"
#include "gateway/spool/spool.h"
#include "tests/gateway/spool/spool_harness.h"
#include "tests/support/crash_disk.h"

namespace railhead::spool {
namespace {

using test::CrashDisk;
constexpr std::chrono::milliseconds kSoon{10000};

struct Failing {
  Failing() {
    options.path = "/spool";
    options.limit = 1 << 20;
    options.commit = Duration{0};
    options.retry_interval = std::chrono::milliseconds{20};
  }
  void open() {
    auto opened = Spool::open(disk, clock, options, reporter);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().what));
    spool = std::move(*opened);
  }
  Result<Sequence> put(const std::string& payload) {
    const Entry entry{spool->lane("sink"), 1, false, true, payload};
    return spool->append(std::span<const Entry>(&entry, 1));
  }
  std::vector<std::string> owed() {
    std::vector<Frame> frames;
    for (Sequence at(1);;) {
      const Result<Sequence> next = spool->read(spool->lane("sink"), at, 1000, 1 << 20, frames);
      REQUIRE(next.has_value());
      if (*next == at) break;
      at = *next;
    }
    std::vector<std::string> payloads;
    for (const Frame& frame : frames) payloads.push_back(frame.payload);
    return payloads;
  }
  bool failing() const { return spool->usage().failing; }

  CrashDisk disk;
  system::SystemClock clock;
  test::CapturingReporter reporter;
  SpoolOptions options;
  std::unique_ptr<Spool> spool;
};

TEST_CASE("a full or broken disk refuses appends, keeps what was taken, and is used again by itself") {
  for (const Errc code : {Errc::full, Errc::io, Errc::denied}) {
    INFO(name_of(code));
    Failing f;
    f.open();
    REQUIRE(f.put("durable").has_value());
    REQUIRE(f.spool->flush(kPatience).has_value());
    f.disk.fail_writes(code);
    REQUIRE(f.put("taken").has_value());
    REQUIRE(test::eventually(kSoon, [&] { return f.failing(); }));
    const Result<Sequence> refused = f.put("refused");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::io);
    CHECK(f.spool->durable() == Sequence(1));
    CHECK_FALSE(f.spool->flush(kPatience).has_value());
    CHECK(f.owed() == std::vector<std::string>{"durable"});
    CHECK(f.reporter.count(status::Event::disk_failed) == 1);
    f.disk.heal();
    REQUIRE(test::eventually(kSoon, [&] { return !f.failing(); }));
    CHECK(f.reporter.count(status::Event::disk_recovered) == 1);
    REQUIRE(f.put("again").has_value());
    REQUIRE(f.spool->flush(kPatience).has_value());
    const std::vector<std::string> all{"durable", "taken", "again"};
    CHECK(f.owed() == all);
    f.spool.reset();
    f.open();
    CHECK(f.owed() == all);
    CHECK(f.spool->ledger(f.spool->lane("sink")).adds_up());
    CHECK(f.reporter.count(status::Event::spool_damaged) == 0);
  }
}

TEST_CASE("a failed fdatasync is not tried again: its records go into a new segment and survive a power cut") {
  Failing f;
  f.open();
  REQUIRE(f.put("one").has_value());
  REQUIRE(f.spool->flush(kPatience).has_value());
  f.disk.fail_next_syncs(1);
  REQUIRE(f.put("two").has_value());
  const Sequence second(2);
  REQUIRE(test::eventually(kSoon, [&] { return f.spool->durable() == second; }));
  CHECK(f.reporter.count(status::Event::disk_failed) == 1);
  CHECK(f.spool->usage().segments == 2);
  CHECK(f.owed() == std::vector<std::string>{"one", "two"});
  REQUIRE(f.put("three").has_value());
  const Sequence third(3);
  REQUIRE(test::eventually(kSoon, [&] { return f.spool->durable() == third; }));
  // The failed sync dropped the bytes although a later one of the same file would have said "fine".
  std::mt19937_64 random(1);
  for (const CrashDisk::Survival survival : {CrashDisk::Survival::nothing, CrashDisk::Survival::everything}) {
    CrashDisk after(f.disk.crash(survival, random));
    test::CapturingReporter reporter;
    const auto opened = Spool::open(after, f.clock, f.options, reporter);
    REQUIRE(opened.has_value());
    std::vector<Frame> frames;
    REQUIRE((*opened)->read((*opened)->lane("sink"), Sequence(1), 10, 1000, frames).has_value());
    REQUIRE(frames.size() == 3);
    CHECK(frames[1].payload == "two");
    CHECK(reporter.count(status::Event::spool_damaged) == 0);
    CHECK((*opened)->epoch() == f.spool->epoch());
  }
}

TEST_CASE("what a failed fdatasync left behind does not count beside the segment it was written to again") {
  Failing f;
  f.open();
  REQUIRE(f.put("one").has_value());
  REQUIRE(f.spool->flush(kPatience).has_value());
  const std::string abandoned = "/spool/0000000000000001.seg";
  std::string left;  // the bytes reached the disk although the sync said no, and the cut did not
  f.disk.on_operation([&](test::DiskOperation operation) {
    if (operation == test::DiskOperation::write && left.empty()) left = f.disk.contents().files.at(abandoned);
  });
  f.disk.fail_next_syncs(1);
  REQUIRE(f.put("two").has_value());
  const Sequence second(2);
  REQUIRE(test::eventually(kSoon, [&] { return f.spool->durable() == second; }));
  f.disk.on_operation({});
  REQUIRE(left.find("two") != std::string::npos);
  test::DiskImage image = f.disk.contents();
  image.files.at(abandoned) = left;
  CrashDisk after(image);
  test::CapturingReporter reporter;
  const auto opened = Spool::open(after, f.clock, f.options, reporter);
  REQUIRE(opened.has_value());
  std::vector<Frame> frames;
  REQUIRE((*opened)->read((*opened)->lane("sink"), Sequence(1), 10, 1000, frames).has_value());
  REQUIRE(frames.size() == 2);
  CHECK(frames[1].payload == "two");
  CHECK((*opened)->ledger((*opened)->lane("sink")).spooled == 2);
  CHECK((*opened)->ledger((*opened)->lane("sink")).adds_up());
  CHECK(reporter.count(status::Event::spool_damaged) == 0);
  CHECK((*opened)->epoch() == f.spool->epoch());
}

TEST_CASE("a disk that cannot be written at the start still gives out the backlog") {
  Failing f;
  f.open();
  for (int i = 0; i < 5; ++i) REQUIRE(f.put(std::to_string(i)).has_value());
  REQUIRE(f.spool->flush(kPatience).has_value());
  std::mt19937_64 random(1);
  CrashDisk disk(f.disk.crash(CrashDisk::Survival::everything, random));
  disk.fail_writes(Errc::denied);
  const auto opened = Spool::open(disk, f.clock, f.options, f.reporter);
  REQUIRE(opened.has_value());
  Spool& spool = **opened;
  std::vector<Frame> frames;
  REQUIRE(spool.read(spool.lane("sink"), Sequence(1), 10, 1000, frames).has_value());
  CHECK(frames.size() == 5);
  spool.settle(spool.lane("sink"), Sequence(1), Outcome::delivered);
  disk.heal();
  REQUIRE(test::eventually(kSoon, [&] { return !spool.usage().failing; }));
  CHECK(spool.flush(kPatience).has_value());
}

TEST_CASE("damage that a full disk has no room to keep stops nobody: what is delivered makes the room") {
  Failing f;
  f.options.state_interval = std::chrono::milliseconds{1};
  f.open();
  const std::string filler(1000, 'x');
  for (int i = 0; i < 300; ++i) {
    REQUIRE(f.put(filler).has_value());
    if (i % 50 == 49) REQUIRE(f.spool->flush(kPatience).has_value());
  }
  f.spool.reset();
  f.disk.flip_bit("/spool/" + segment_name(3), 5000, 1);
  f.disk.fail_creation("/spool/damaged");  // until a file is removed
  f.disk.on_operation([&](test::DiskOperation operation) {
    if (operation == test::DiskOperation::remove) f.disk.heal();
  });
  f.open();
  const LaneId lane = f.spool->lane("sink");
  std::vector<Frame> frames;
  REQUIRE(f.spool->read(lane, Sequence(1), 1000, 1 << 20, frames).has_value());
  CHECK(frames.size() == 299);
  CHECK(f.failing());
  for (const Frame& frame : frames) {
    if (frame.sequence < Sequence(250)) f.spool->settle(lane, frame.sequence, Outcome::delivered);
  }
  REQUIRE(test::eventually(kSoon, [&] { return !f.failing(); }));
  REQUIRE(f.put("again").has_value());
  REQUIRE(f.spool->flush(kPatience).has_value());
  f.disk.on_operation({});
  std::size_t kept = 0;
  for (const auto& [path, bytes] : f.disk.contents().files)
    kept += path.find("/damaged/") != std::string::npos ? 1u : 0u;
  CHECK(kept == 1);
  CHECK(f.spool->ledger(lane).adds_up());
}

TEST_CASE("a compacted segment whose name could not be synced is written again before the old files go") {
  Failing f;
  f.options.state_interval = Duration{0};
  f.options.tail_bytes = 0;
  f.open();
  const LaneId dead = f.spool->lane("dead");
  const LaneId sink = f.spool->lane("sink");
  const std::string filler(1000, 'x');
  std::vector<Sequence> owed;
  std::mt19937_64 random(1);
  bool failed = false;
  // The sync of the directory behind the compacted file's name, each time, fails once.
  f.disk.on_operation([&](test::DiskOperation operation) {
    if (operation != test::DiskOperation::rename) return;
    const Result<std::vector<std::string>> names = f.disk.list("/spool");
    for (const std::string& name : *names) {
      if (failed || !segment_number(name) || segment_generation(name) == 0) continue;
      failed = true;
      f.disk.fail_next_directory_syncs(1);
    }
  });
  for (int i = 0; i < 3000; ++i) {
    Result<Sequence> put;
    const Entry entry{i % 20 == 0 ? dead : sink, 1, false, true, filler};
    REQUIRE(test::eventually(kSoon, [&] { return (put = f.spool->append({&entry, 1})).has_value(); }));
    REQUIRE(test::eventually(kSoon, [&] { return *put <= f.spool->durable(); }));
    if (i % 20 == 0) {
      owed.push_back(*put);
    } else {
      f.spool->settle(sink, *put, Outcome::delivered);
    }
    if (i % 10 != 0 || !failed) continue;
    // What a power cut leaves: the names that are durable, and nothing else.
    CrashDisk after(f.disk.crash(CrashDisk::Survival::nothing, random));
    test::CapturingReporter reporter;
    const auto opened = Spool::open(after, f.clock, f.options, reporter);
    REQUIRE(opened.has_value());
    std::vector<Frame> frames;
    for (Sequence at(1);;) {
      const Result<Sequence> next = (*opened)->read((*opened)->lane("dead"), at, 1000, 1 << 20, frames);
      REQUIRE(next.has_value());
      if (*next == at) break;
      at = *next;
    }
    REQUIRE(frames.size() == owed.size());
  }
  f.disk.on_operation({});
  CHECK(failed);
  CHECK(f.spool->usage().compactions > 0);
}

// Bounds

TEST_CASE("drop_oldest drops whole segments, counts each record per lane, and says so") {
  Failing f;
  f.open();
  const std::string filler(1000, 'x');
  for (int i = 0; i < 3000; ++i) {
    while (!f.put(filler)) std::this_thread::yield();
    if (i % 50 == 0) REQUIRE(f.spool->flush(kPatience).has_value());
    REQUIRE(f.spool->usage().bytes <= f.options.limit);
  }
  REQUIRE(f.spool->flush(kPatience).has_value());
  const status::LaneLedger ledger = f.spool->ledger(f.spool->lane("sink"));
  CHECK(ledger.accepted == 3000);
  CHECK(ledger.dropped > 1900);
  CHECK(ledger.adds_up());
  CHECK(f.owed().size() == ledger.spooled);
  CHECK(f.reporter.count(status::Event::spool_dropped) > 0);
  f.spool->settle(f.spool->lane("sink"), Sequence(1), Outcome::delivered);  // dropped before: no change
  CHECK(f.spool->ledger(f.spool->lane("sink")).delivered == 0);
  f.spool.reset();
  f.open();
  CHECK(f.spool->ledger(f.spool->lane("sink")).dropped == ledger.dropped);
  CHECK(f.owed().size() == ledger.spooled);
}

TEST_CASE("block refuses when the limit is reached and takes again when something is settled") {
  Failing f;
  f.options.when_full = SpoolOptions::WhenFull::block;
  f.options.state_interval = std::chrono::milliseconds{1};
  f.open();
  const std::string filler(1000, 'x');
  int taken = 0;
  for (;;) {
    const Result<Sequence> put = f.put(filler);
    if (!put) {
      CHECK(put.error().code == Errc::full);
      break;
    }
    if (++taken % 50 == 0) REQUIRE(f.spool->flush(kPatience).has_value());
    REQUIRE(taken < 2000);
  }
  CHECK(taken > 700);
  REQUIRE(f.spool->flush(kPatience).has_value());
  CHECK(f.spool->usage().bytes <= f.options.limit);
  CHECK(f.spool->usage().full);
  CHECK(f.reporter.count(status::Event::spool_full) == 1);
  CHECK(f.owed().size() == static_cast<std::size_t>(taken));
  for (std::uint64_t i = 1; i <= 300; ++i) f.spool->settle(f.spool->lane("sink"), Sequence(i), Outcome::delivered);
  REQUIRE(test::eventually(kSoon, [&] { return f.put(filler).has_value(); }));
  CHECK_FALSE(f.spool->usage().full);
  CHECK(f.spool->ledger(f.spool->lane("sink")).dropped == 0);
}

TEST_CASE("keep_free stops growth but leaves the spool its reserve") {
  Failing f;
  f.options.keep_free = 100 << 20;
  f.open();
  const std::string filler(1000, 'x');
  f.disk.set_free_bytes(50 << 20);  // others took the disk
  for (int i = 0; i < 1000; ++i) {
    while (!f.put(filler)) std::this_thread::yield();
    if (i % 20 == 0) REQUIRE(f.spool->flush(kPatience).has_value());
  }
  REQUIRE(f.spool->flush(kPatience).has_value());
  CHECK(f.spool->usage().bytes <= f.options.limit / 4);
  CHECK(f.spool->usage().bytes >= f.options.limit / 8);
  CHECK(f.spool->usage().limit == f.options.limit / 4);
  CHECK(f.spool->ledger(f.spool->lane("sink")).adds_up());
}

// Error paths

TEST_CASE("a group that can never fit is refused as invalid, a neighbour of it is not") {
  Failing f;
  f.open();
  const std::string huge(200 * 1024, 'x');
  const Result<Sequence> put = f.put(huge);
  REQUIRE_FALSE(put.has_value());
  CHECK(put.error().code == Errc::invalid);
  const std::string big(100 * 1024, 'y');  // more than a segment of 64 KiB: gets one of its own
  REQUIRE(f.put(big).has_value());
  REQUIRE(f.put("small").has_value());
  REQUIRE(f.spool->flush(kPatience).has_value());
  CHECK(f.owed() == std::vector<std::string>{big, "small"});
}

TEST_CASE("a read error is told and does not count as damage") {
  Failing f;
  f.options.tail_bytes = 0;
  f.open();
  REQUIRE(f.put("one").has_value());
  REQUIRE(f.spool->flush(kPatience).has_value());
  f.disk.fail_reads(true);
  std::vector<Frame> frames;
  const Result<Sequence> read = f.spool->read(f.spool->lane("sink"), Sequence(1), 10, 1000, frames);
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().code == Errc::io);
  f.disk.heal();
  CHECK(f.owed() == std::vector<std::string>{"one"});
  CHECK(f.spool->ledger(f.spool->lane("sink")).damaged == 0);
}

TEST_CASE("files that are set aside are never lost when power fails, and are told once") {
  test::FrozenDisk start;
  start.directories = {"/"};
  {
    CrashDisk disk(start);
    test::ManualClock clock;
    test::CapturingReporter reporter;
    SpoolOptions options;
    options.path = "/spool";
    const auto spool = Spool::open(disk, clock, options, reporter);
    REQUIRE(spool.has_value());
    REQUIRE((*spool)->flush(kPatience).has_value());
    start = disk.frozen();
  }
  const std::vector<std::string> strangers{segment_name(7), segment_name(8)};
  for (const std::string& name : strangers) start.files["/spool/" + name] = test::FileBytes(name + " is no segment");
  std::mt19937_64 random(1);
  CrashDisk disk(start);
  test::ManualClock clock;
  test::CapturingReporter reporter;
  SpoolOptions options;
  options.path = "/spool";
  std::string lost;
  disk.on_operation([&](test::DiskOperation) {
    const test::FrozenDisk left = disk.crash_frozen(CrashDisk::Survival::nothing, random);
    for (const std::string& name : strangers) {
      if (left.files.count("/spool/" + name) + left.files.count("/spool/damaged/" + name) == 0) lost = name;
    }
  });
  {
    const auto spool = Spool::open(disk, clock, options, reporter);
    REQUIRE(spool.has_value());
    const test::FrozenDisk left = disk.crash_frozen(CrashDisk::Survival::nothing, random);
    for (const std::string& name : strangers) CHECK(left.files.count("/spool/damaged/" + name) == 1);
  }
  CHECK(lost.empty());
}

}  // namespace
}  // namespace railhead::spool
