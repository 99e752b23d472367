// A spool in a directory that goes away, and five plain words: put, get, settle, reopen, flush.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/spool/spool.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/manual_clock.h"
#include "tests/support/process.h"

namespace railhead::spool {

inline constexpr Duration kPatience = std::chrono::seconds{10};

class SpoolHarness {
 public:
  explicit SpoolHarness(std::uint64_t limit = 4 << 20,
                        SpoolOptions::WhenFull when_full = SpoolOptions::WhenFull::drop_oldest)
      : disk(system::posix_disk()) {
    options.path = directory.path() + "/spool";
    options.limit = limit;
    options.when_full = when_full;
    options.commit = Duration{0};
  }

  void open() {
    Result<std::unique_ptr<Spool>> opened = Spool::open(*disk, clock, options, reporter);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().what));
    spool = std::move(*opened);
  }
  void reopen() {
    spool.reset();
    open();
  }
  // One group of these payloads in one lane.
  Sequence put(const std::string& lane, const std::vector<std::string>& payloads) {
    std::vector<Entry> entries;
    for (const std::string& payload : payloads) entries.push_back({spool->lane(lane), 1, false, false, payload});
    entries.back().ends_group = true;
    const Result<Sequence> last = spool->append(entries);
    REQUIRE_MESSAGE(last.has_value(), (last ? "" : last.error().what));
    return *last;
  }
  void flush() {
    const Result<void> flushed = spool->flush(kPatience);
    REQUIRE_MESSAGE(flushed.has_value(), (flushed ? "" : flushed.error().what));
  }
  // Everything the lane still owes.
  std::vector<Frame> get(const std::string& lane, Sequence from = Sequence(1)) {
    std::vector<Frame> frames;
    for (Sequence at = from;;) {
      const Result<Sequence> next = spool->read(spool->lane(lane), at, 100, 64 * 1024, frames);
      REQUIRE_MESSAGE(next.has_value(), (next ? "" : next.error().what));
      if (*next == at) return frames;
      at = *next;
    }
  }
  std::vector<std::string> payloads(const std::string& lane) {
    std::vector<std::string> found;
    for (const Frame& frame : get(lane)) found.push_back(frame.payload);
    return found;
  }
  status::LaneLedger ledger(const std::string& lane) { return spool->ledger(spool->lane(lane)); }

  test::TemporaryDirectory directory;
  std::unique_ptr<system::Disk> disk;
  system::SystemClock clock;
  test::CapturingReporter reporter;
  SpoolOptions options;
  std::unique_ptr<Spool> spool;
};

}  // namespace railhead::spool
