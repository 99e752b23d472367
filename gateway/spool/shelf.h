// What appenders, the committer, lane readers and settlers share: the table of segments, the lanes with their ledgers,
// and the tail of what was written last. One mutex; no file is touched while it is held.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/spool/frame_buffer.h"
#include "gateway/spool/segment_table.h"

namespace railhead::spool {

class LaneReader;

// Frames first..last as they are in the segment.
struct TailChunk {
  std::uint64_t segment = 0;
  Sequence first;
  Sequence last;
  FrameBuffer frames;
};

struct Lane {
  std::string name;
  status::LaneLedger ledger;
  std::shared_ptr<LaneReader> reader;
};

struct Shelf {
  mutable base::Mutex mutex;
  SegmentTable segments RAILHEAD_GUARDED_BY(mutex);
  std::vector<Lane> lanes RAILHEAD_GUARDED_BY(mutex);
  std::map<std::string, LaneId, std::less<>> lane_by_name RAILHEAD_GUARDED_BY(mutex);
  std::deque<std::shared_ptr<TailChunk>> tail RAILHEAD_GUARDED_BY(mutex);
  std::size_t tail_bytes RAILHEAD_GUARDED_BY(mutex) = 0;
  std::deque<std::shared_ptr<const SegmentHeader>> known_members RAILHEAD_GUARDED_BY(mutex);  // oldest first
  std::string note RAILHEAD_GUARDED_BY(mutex);
  std::atomic<std::uint64_t> durable{0};  // raised under the mutex

  // What is held in a segment counts as spooled again.
  void release_held(Segment& segment) RAILHEAD_REQUIRES(mutex) {
    for (LaneCount& count : segment.lanes) release_held(count);
    segment.held_bits.clear();
  }
  // The same for one lane that is about to be settled in that segment: bits of settled records mean nothing.
  void release_held(LaneCount& count) RAILHEAD_REQUIRES(mutex) { release_held(count, count.held); }
  void release_held(LaneCount& count, std::uint32_t records) RAILHEAD_REQUIRES(mutex) {
    status::LaneLedger& ledger = lanes[count.lane.value()].ledger;
    ledger.held -= records;
    ledger.spooled += records;
    count.held -= records;
  }
  // Settles a record that no sink did; false when it already was. The caller counts where it went. REQUIRES that the
  // segment holds it.
  [[nodiscard]] bool take_off(Segment& segment, LaneId lane, Sequence one) RAILHEAD_REQUIRES(mutex) {
    status::LaneLedger& ledger = lanes[lane.value()].ledger;
    if (segment.set_held(lane, one, false)) {
      --ledger.held;
      ++ledger.spooled;
    }
    if (!segment.settle_member(lane, one)) return false;
    --ledger.spooled;
    return true;
  }
};

}  // namespace railhead::spool
