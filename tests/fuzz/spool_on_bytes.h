// A spool opened on files of a fuzzer's making; aborts when it does what it must not. Threads: one caller.
#pragma once

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gateway/spool/format.h"
#include "gateway/spool/spool.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/crash_disk.h"
#include "tests/support/manual_clock.h"

namespace railhead::test {

inline void complain(const std::string& what) {
  std::cerr << what << "\n";
  std::abort();
}

inline void open_spool_on(const std::map<std::string, std::string>& files) {
  FrozenDisk disk;
  disk.directories = {"/", "/spool"};
  for (const auto& [name, bytes] : files) disk.files.emplace("/spool/" + name, FileBytes(bytes));
  spool::SpoolOptions options;
  options.path = "/spool";
  options.limit = 1 << 20;
  options.when_full = spool::SpoolOptions::WhenFull::block;
  for (const bool again : {false, true}) {
    CrashDisk running(disk);
    ManualClock clock;
    CapturingReporter reporter;
    {
      const auto opened = spool::Spool::open(running, clock, options, reporter);
      if (!opened) {
        if (opened.error().code != Errc::unsupported) complain("not opened: " + opened.error().what);
        if (running.frozen().hash() != disk.hash()) complain("a refused directory was touched");
        return;
      }
      for (const spool::LaneInfo& lane : (*opened)->lanes()) {
        Sequence at(1);
        Sequence before;
        for (;;) {
          std::vector<spool::Frame> frames;
          const Result<Sequence> next = (*opened)->read(lane.id, at, 1000, 1 << 20, frames);
          if (!next) complain("not readable: " + next.error().what);
          for (const spool::Frame& frame : frames) {
            if (frame.sequence <= before) complain("out of order");
            before = frame.sequence;
          }
          if (*next == at) break;
          if (*next < at) complain("reading goes back");
          at = *next;
        }
      }
    }
    FrozenDisk after = running.frozen();
    if (again && after.hash() != disk.hash()) complain("a second start changed the disk");
    disk = std::move(after);
  }
}

// Two records of one lane.
inline std::pair<std::string, std::string> example_segment() {
  spool::SegmentHeader header;
  header.epoch = Epoch(7);
  header.number = 1;
  header.first = Sequence(1);
  header.boots.resize(1);
  header.lanes = {"kafka"};
  std::string bytes = spool::encode_header(header);
  for (std::uint64_t sequence = 1; sequence <= 2; ++sequence) {
    spool::FrameHeader frame;
    frame.payload_bytes = 5;
    frame.group_begins = frame.group_ends = true;
    frame.sequence = Sequence(sequence);
    std::string text(frame.frame_bytes(), '\0');
    spool::encode_frame_header(frame, text.data());
    text.replace(spool::kFrameHeaderBytes, 5, "hello");
    spool::finish_frame(spool::frame_seed(Epoch(7), 1), text.data(), Sequence(sequence - 1));
    bytes += text;
  }
  return {spool::segment_name(1), bytes};
}

}  // namespace railhead::test
