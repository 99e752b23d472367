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
