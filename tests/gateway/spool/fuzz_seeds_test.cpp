// The seeds of tests/fuzz/{segment,lane_state}_fuzz.cpp are files a spool has written, in the present format.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gateway/spool/lane_state.h"
#include "gateway/spool/segment_scan.h"
#include "tests/gateway/spool/spool_harness.h"
#include "tests/support/crash_disk.h"
#include "tests/support/places.h"

namespace railhead::spool {
namespace {

namespace fs = std::filesystem;

// With RAILHEAD_UPDATE the seeds are written anew: after a change of the format.
void keep(const std::string& target, const std::string& name, const std::string& bytes) {
  const fs::path path = fs::path(test::source_directory()) / "tests/fuzz/corpus" / target / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

void write_seeds() {
  test::CrashDisk disk;
  test::ManualClock clock;
  test::CapturingReporter reporter;
  SpoolOptions options;
  options.path = "/spool";
  options.limit = 1 << 20;
  options.when_full = SpoolOptions::WhenFull::block;
  const auto opened = Spool::open(disk, clock, options, reporter);
  REQUIRE(opened.has_value());
  Spool& spool = **opened;
  const LaneId kafka = spool.lane("kafka");
  const LaneId audit = spool.lane("audit");
  const auto add = [&](std::vector<Entry> entries) {
    entries.back().ends_group = true;
    REQUIRE(spool.append(entries).has_value());
    REQUIRE(spool.flush(kPatience).has_value());
  };
  const auto keep_both = [&](const std::string& name) {
    for (const auto& [path, bytes] : disk.contents().files) {
      if (path.ends_with(".seg")) keep("segment", name, bytes.substr(0, bytes.find_last_not_of('\0') + 9));
      if (path.ends_with("/lanes")) keep("lane_state", name, bytes);
    }
  };
  keep_both("empty");
  add({{kafka, 1, false, false, "one"}});
  keep_both("one");
  for (const auto& [path, bytes] : disk.contents().files) {
    if (!path.ends_with(".seg")) continue;
    std::string strange = bytes.substr(0, bytes.find_last_not_of('\0') + 9);
    strange[static_cast<std::size_t>(decode_header(bytes)->frames_begin()) + 10] = 77;
    keep("segment", "lane_beyond_the_header", strange);
  }
  add({{kafka, 2, false, false, "two"}, {audit, 0, false, false, ""}, {kafka, 1, true, false, "a group of three"}});
  add({{audit, 1, false, false, std::string(300, 'x')}});
  spool.set_note("a note");
  spool.settle(kafka, Sequence(2), Outcome::delivered);
  REQUIRE(spool.flush(kPatience).has_value());
  keep_both("settled_out_of_order");
}

TEST_CASE("the seeds of the fuzz targets are in the present format") {
  if (std::getenv("RAILHEAD_UPDATE") != nullptr) write_seeds();
  const fs::path corpus = fs::path(test::source_directory()) / "tests/fuzz/corpus";
  const std::string hint = " (after a change of the format: RAILHEAD_UPDATE=1 test_gateway_spool -tc='the seeds*')";
  for (const char* name : {"one", "settled_out_of_order"}) {
    const std::string segment = test::read_file((corpus / "segment" / name).string());
    const Result<SegmentHeader> header = decode_header(segment);
    REQUIRE_MESSAGE(header.has_value(), name, hint);
    std::size_t records = 0;
    static_cast<void>(scan_segment(segment, *header, kNotSuperseded, [&](const ScannedFrame&) { ++records; }));
    CHECK_MESSAGE(records >= 1, name, hint);
    CHECK_MESSAGE(decode_state(test::read_file((corpus / "lane_state" / name).string())).has_value(), name, hint);
  }
}

}  // namespace
}  // namespace railhead::spool
