// Files of trimmed segments are used again (S5): what they held before never comes back.
#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gateway/spool/format.h"
#include "gateway/spool/spool.h"
#include "tests/gateway/spool/spool_harness.h"
#include "tests/support/crash_disk.h"
#include "tests/support/effort.h"

namespace railhead::spool {
namespace {

using test::CrashDisk;
using test::DiskImage;

struct Reusing {
  Reusing() { set(); }
  explicit Reusing(const DiskImage& image) : disk(image) { set(); }
  void set() {
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
  // Records of the same sizes, so that the old ones lie where the new ones will.
  void fill(int records) {
    for (int i = 0; i < records; ++i) {
      const std::string payload = std::to_string(++last) + std::string(300, 'x');
      const Entry entry{spool->lane("sink"), 1, false, true, payload};
      const Result<Sequence> put = spool->append(std::span<const Entry>(&entry, 1));
      REQUIRE(put.has_value());
      records_put[put->value()] = payload;
      if (i % 16 == 0) REQUIRE(spool->flush(kPatience).has_value());
    }
    REQUIRE(spool->flush(kPatience).has_value());
  }
  std::map<std::uint64_t, std::string> owed() {
    std::vector<Frame> frames;
    REQUIRE(spool->read(spool->lane("sink"), Sequence(1), 100'000, 1 << 26, frames).has_value());
    std::map<std::uint64_t, std::string> found;
    for (const Frame& frame : frames) REQUIRE(found.emplace(frame.sequence.value(), frame.payload).second);
    return found;
  }
  void settle_all() {
    std::vector<Sequence> all;
    for (const auto& [sequence, payload] : owed()) all.push_back(Sequence(sequence));
    spool->settle(spool->lane("sink"), all, Outcome::delivered);
    REQUIRE(spool->flush(kPatience).has_value());
    records_put.clear();
  }
  std::size_t spares() {
    std::size_t count = 0;
    for (const auto& [path, bytes] : disk.contents().files) count += path.ends_with(".spare") ? 1 : 0;
    return count;
  }
  std::size_t reused_segments() {
    std::size_t count = 0;
    for (const auto& [path, bytes] : disk.contents().files) {
      const Result<SegmentHeader> header = decode_header(bytes);
      count += path.ends_with(".seg") && header && header->reused ? 1 : 0;
    }
    return count;
  }

  CrashDisk disk;
  system::SystemClock clock;
  test::CapturingReporter reporter;
  SpoolOptions options;
  std::unique_ptr<Spool> spool;
  std::uint64_t last = 100'000;
  std::map<std::uint64_t, std::string> records_put;
};

TEST_CASE("a trimmed file is used again; a kill finds the new records alone, in the same epoch, without damage") {
  Reusing r;
  r.open();
  const Epoch epoch = r.spool->epoch();
  for (int round = 0; round < 4; ++round) {
    r.fill(900);
    r.settle_all();
    CHECK(r.spares() <= 2);
  }
  CHECK(r.spares() >= 1);
  r.fill(100);  // in a used file, most of which still holds old bytes
  CHECK(r.reused_segments() >= 1);
  std::mt19937_64 random(3);
  Reusing after(r.disk.crash(CrashDisk::Survival::everything, random));
  after.open();
  CHECK(after.owed() == r.records_put);
  CHECK(after.spool->epoch() == epoch);
  CHECK(after.reporter.count(status::Event::spool_damaged) == 0);
  CHECK(after.reporter.count(status::Event::spool_tail_cut) == 0);
  CHECK(after.spares() == 0);  // of the process before
}

TEST_CASE("a trimmed file whose removal was not synced, because the next one failed, does not come back") {
  Reusing r;
  r.options.state_interval = std::chrono::hours{1};
  r.open();
  r.fill(1500);
  // One is owed in front, so that no low-water mark says what is settled behind.
  const std::uint64_t first = r.records_put.begin()->first;
  std::vector<Sequence> behind;
  for (const auto& [sequence, payload] : r.records_put) {
    if (sequence != first) behind.push_back(Sequence(sequence));
  }
  int renames = 0;
  r.disk.on_operation([&](test::DiskOperation operation) {
    if (operation == test::DiskOperation::rename && ++renames == 2) r.disk.fail_writes(Errc::io);  // behind `lanes`
  });
  r.spool->settle(r.spool->lane("sink"), behind, Outcome::delivered);
  REQUIRE(!r.spool->flush(kPatience).has_value());
  REQUIRE(renames == 2);
  std::vector<DiskImage> cuts;
  std::mt19937_64 random(17);
  r.disk.on_operation([&](test::DiskOperation) {
    for (int i = 0; i < 8; ++i) cuts.push_back(r.disk.crash(CrashDisk::Survival::random, random));
  });
  r.disk.heal();
  REQUIRE(test::eventually(std::chrono::seconds{10}, [&] { return r.spool->flush(kPatience).has_value(); }));
  r.disk.on_operation({});
  REQUIRE(cuts.size() >= 40);
  for (const DiskImage& cut : cuts) {
    Reusing after(cut);
    after.open();
    const std::map<std::uint64_t, std::string> found = after.owed();
    REQUIRE(found.size() == 1);
    REQUIRE(found.begin()->first == first);
  }
}

TEST_CASE("a used file that got a header and nothing yet is empty, however long its header is") {
  Reusing r;
  r.open();
  // Names that make the header as long as the zeros a blank begins with.
  for (char name = 'a'; name < 'a' + 16; ++name) static_cast<void>(r.spool->lane(std::string(120, name)));
  const Epoch epoch = r.spool->epoch();
  std::mt19937_64 random(11);
  std::vector<DiskImage> cuts;
  r.disk.on_operation([&](test::DiskOperation operation) {
    if (operation != test::DiskOperation::sync_directory || cuts.size() >= 4) return;
    DiskImage image = r.disk.crash(CrashDisk::Survival::everything, random);
    for (const auto& [path, bytes] : image.files) {
      const Result<SegmentHeader> header = decode_header(bytes);
      if (!path.ends_with(".seg") || !header || !header->reused || header->frames_begin() < 4096) continue;
      const std::string_view frames = std::string_view(bytes).substr(static_cast<std::size_t>(header->frames_begin()));
      if (decode_frame(frame_seed(*header), frames)) continue;
      cuts.push_back(std::move(image));
      return;
    }
  });
  for (int round = 0; round < 3; ++round) {
    r.fill(400);
    r.settle_all();
  }
  r.disk.on_operation({});
  REQUIRE(cuts.size() == 4);
  for (const DiskImage& cut : cuts) {
    Reusing after(cut);
    after.open();
    CHECK(after.spool->epoch() == epoch);
    CHECK(after.reporter.count(status::Event::spool_tail_cut) == 0);
  }
}

TEST_CASE("power cut at any step of using a file again loses nothing and brings nothing back") {
  Reusing r;
  r.open();
  r.fill(600);
  r.settle_all();
  struct Cut {
    DiskImage image;
    std::uint64_t durable = 0;
    std::uint64_t settled = 0;
  };
  std::vector<Cut> cuts;
  std::mt19937_64 random(5);
  std::atomic<std::uint64_t> settled{0};
  r.disk.on_operation([&](test::DiskOperation) {
    for (const auto survival :
         {CrashDisk::Survival::nothing, CrashDisk::Survival::everything, CrashDisk::Survival::random}) {
      const std::uint64_t durable = r.spool->durable().value();
      cuts.push_back({r.disk.crash(survival, random), durable, settled.load()});
    }
  });
  std::map<std::uint64_t, std::string> all;
  for (int round = 0; round < 2; ++round) {
    r.fill(400);
    all.insert(r.records_put.begin(), r.records_put.end());
    settled = r.spool->durable().value();  // may be gone from here on
    r.settle_all();
  }
  r.disk.on_operation({});
  REQUIRE(cuts.size() > 300);
  for (std::size_t i = 0; i < cuts.size(); i += 1 + cuts.size() / test::effort(400, 60)) {
    Reusing after(cuts[i].image);
    after.open();
    const std::map<std::uint64_t, std::string> found = after.owed();
    for (const auto& [sequence, payload] : found) {
      const auto known = all.find(sequence);
      REQUIRE(known != all.end());
      REQUIRE(known->second == payload);
    }
    for (const auto& [sequence, payload] : all) {
      if (cuts[i].settled < sequence && sequence <= cuts[i].durable) REQUIRE(found.count(sequence) == 1);
    }
    REQUIRE(after.reporter.count(status::Event::spool_damaged) == 0);
  }
}

}  // namespace
}  // namespace railhead::spool
