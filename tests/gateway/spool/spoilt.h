// A spool on a disk in memory, whose files can be spoilt while it is closed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gateway/spool/format.h"
#include "gateway/spool/segment_reader.h"
#include "tests/gateway/spool/spool_harness.h"
#include "tests/support/crash_disk.h"

namespace railhead::spool {

class Spoilt {
 public:
  Spoilt() {
    options.path = "/spool";
    options.limit = 1 << 20;
    options.when_full = SpoolOptions::WhenFull::block;
    options.commit = Duration{0};
  }
  void open() {
    if (!disk) disk = std::make_unique<test::CrashDisk>(image);
    reporter = std::make_unique<test::CapturingReporter>();
    auto opened = Spool::open(*disk, clock, options, *reporter);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().what));
    spool = std::move(*opened);
  }
  // Orderly end, or as after kill -9 (with everything written surviving).
  void close() {
    spool.reset();
    image = disk->contents();
    disk.reset();
  }
  void kill() {
    std::mt19937_64 random(1);
    image = disk->crash(test::CrashDisk::Survival::everything, random);
    spool.reset();
    disk.reset();
  }
  void put(const std::string& lane, const std::vector<std::string>& payloads) {
    std::vector<Entry> entries;
    for (const std::string& payload : payloads) entries.push_back({spool->lane(lane), 1, false, false, payload});
    entries.back().ends_group = true;
    REQUIRE(spool->append(entries).has_value());
  }
  // `count` records of some 1000 bytes, each durable before the next.
  void fill(const std::string& lane, int count) {
    for (int i = 0; i < count; ++i) {
      const Sequence wanted = spool->next();
      put(lane, {std::to_string(wanted.value()) + std::string(1000, 'x')});
      REQUIRE(spool->flush(kPatience).has_value());
    }
  }
  std::vector<std::uint64_t> owed(const std::string& lane) {
    std::vector<std::uint64_t> sequences;
    std::vector<Frame> frames;
    for (Sequence at(1);;) {
      frames.clear();
      const Result<Sequence> next = spool->read(spool->lane(lane), at, 1000, 1 << 20, frames);
      REQUIRE(next.has_value());
      for (const Frame& frame : frames) sequences.push_back(frame.sequence.value());
      if (*next == at) return sequences;
      at = *next;
    }
  }
  std::string segment(std::size_t place) const {
    for (const auto& [path, bytes] : image.files) {
      if (path.find(".seg") != std::string::npos && path.find("damaged") == std::string::npos && place-- == 0)
        return path;
    }
    return {};
  }
  // Offset of the frame with this sequence in the segment at `path`.
  std::uint64_t offset_of(const std::string& path, std::uint64_t sequence) const {
    const std::string& bytes = image.files.at(path);
    const Result<SegmentHeader> header = decode_header(bytes);
    REQUIRE(header.has_value());
    SegmentReader reader(bytes, *header);
    while (reader.next() == SegmentReader::Item::frame) {
      if (reader.header().sequence.value() == sequence) return reader.offset();
    }
    FAIL("no such frame");
    return 0;
  }
  std::size_t damaged_files() const {
    std::size_t count = 0;
    for (const auto& [path, bytes] : disk->contents().files)
      count += path.find("/damaged/") != std::string::npos ? 1u : 0u;
    return count;
  }
  status::LaneLedger ledger(const std::string& lane) { return spool->ledger(spool->lane(lane)); }

  test::DiskImage image;
  std::unique_ptr<test::CrashDisk> disk;
  system::SystemClock clock;
  std::unique_ptr<test::CapturingReporter> reporter;
  SpoolOptions options;
  std::unique_ptr<Spool> spool;
};

inline std::vector<std::uint64_t> numbers(std::uint64_t first, std::uint64_t last,
                                          const std::vector<std::uint64_t>& but = {}) {
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = first; i <= last; ++i) {
    if (std::find(but.begin(), but.end(), i) == but.end()) all.push_back(i);
  }
  return all;
}

}  // namespace railhead::spool
