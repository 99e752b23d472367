// What is known in memory of each segment on disk: where it begins and ends, how many records each lane still owes in
// it, and which ones are settled: one bit a record, kept only while a segment is partly settled (S9). Threads: none of
// its own; the engine guards it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/base/strong.h"
#include "gateway/spool/format.h"
#include "gateway/spool/settled_bits.h"
#include "gateway/spool/spool.h"

namespace railhead::spool {

// A point to start reading at: the frame after `before` begins at `offset`.
struct IndexPoint {
  Sequence before;
  std::uint64_t offset = 0;
  Time appended;  // of that frame
};
inline constexpr std::uint64_t kIndexEvery = std::uint64_t{256} * 1024;

struct LaneCount {
  LaneId lane;
  std::uint32_t total = 0;
  std::uint32_t unsettled = 0;
  std::uint32_t held = 0;    // of the unsettled ones
  std::uint64_t bytes = 0;   // of all frames of the lane
  Sequence settled_through;  // every record of the lane up to here is settled, whatever the bits say

  [[nodiscard]] std::uint64_t unsettled_bytes() const {  // exact when nothing or everything is settled
    return total == 0 ? 0 : bytes / total * unsettled + bytes % total * unsettled / total;
  }
};

// What of a segment's records is of interest to bounds; a bit per class, of records that may still be owed.
inline constexpr std::uint8_t kClassInternal = 3;  // never dropped
[[nodiscard]] constexpr std::uint8_t class_bit(std::uint8_t klass) { return static_cast<std::uint8_t>(1U << klass); }
[[nodiscard]] constexpr std::uint8_t class_of(const FrameHeader& frame) {
  return frame.internal ? kClassInternal : frame.klass;
}

struct Segment {
  std::shared_ptr<const SegmentHeader> header;
  std::shared_ptr<const std::vector<LaneId>> lane_of;  // the header's lane index -> lane
  Sequence last;                                       // durable; header->first - 1 while it has none
  std::uint64_t used = 0;                              // bytes up to the end of the last durable frame
  std::uint64_t allocated = 0;                         // bytes on disk
  bool sealed = false;
  std::uint8_t classes = 0;
  Time first_appended;        // of its first frame; 0 while it has none
  Time newest;                // the latest trusted wall time in it
  Time oldest = Time::max();  // no record owed here has an earlier trusted one
  bool all_trusted = true;    // every frame has a trusted time
  std::uint32_t records = 0;  // frames that verify
  std::vector<IndexPoint> index;
  std::vector<LaneCount> lanes;  // sorted by lane
  SettledBits bits;
  SettledBits held_bits;  // records that wait for their destination (S17); only while there are any
  std::vector<std::pair<Sequence, Sequence>> lost;  // damaged while it was open: first and last of each hole
  std::uint64_t unsettled = 0;                      // sum over lanes
  // Compacted segments have gaps: which sequences they hold, while somebody settles in them.
  std::shared_ptr<const std::vector<Sequence>> members;

  [[nodiscard]] std::uint64_t number() const { return header->number; }
  [[nodiscard]] Sequence first() const { return header->first; }
  [[nodiscard]] bool empty() const { return last < header->first; }
  [[nodiscard]] LaneCount* find(LaneId lane);
  [[nodiscard]] const LaneCount* find(LaneId lane) const;
  [[nodiscard]] LaneCount& count_of(LaneId lane);  // made if missing
  // REQUIRES a record of the segment.
  [[nodiscard]] bool settled(LaneId lane, Sequence one) const;
  void set_settled(Sequence one);  // the bit alone, no count
  // Counts the record as settled; false when it already was, or is not here. REQUIRES members if compacted.
  bool settle(LaneId lane, Sequence one);
  bool settle_member(LaneId lane, Sequence one);  // REQUIRES that the segment holds it
  [[nodiscard]] bool held(Sequence one) const;
  // Marks an unsettled record of the lane as held or not; false when nothing changed.
  bool set_held(LaneId lane, Sequence one, bool held);
  void forget_held(Sequence from, Sequence through);  // the marks alone, no count
  // The same for all that the lane is owed here; returns how many.
  std::uint32_t settle_all(LaneCount& count);
  // Counts a frame that lies at `offset`; as owed or as settled.
  void add(const FrameHeader& frame, LaneId lane, std::uint64_t offset, bool is_settled);
  void forget_marks_if_done();
  // Where to start reading for `from`.
  [[nodiscard]] IndexPoint start_for(Sequence from) const;
  void add_index(const IndexPoint& point);
  // Frames that nobody is owed any more, in bytes; an estimate while partly settled.
  [[nodiscard]] std::uint64_t settled_bytes() const;
};

// In order of sequence; addresses stay valid until the segment is removed.
class SegmentTable {
 public:
  Segment& add(Segment segment);
  // The first segment whose last sequence is at or beyond `one`; nullptr if there is none.
  [[nodiscard]] Segment* at_or_after(Sequence one);
  [[nodiscard]] const Segment* at_or_after(Sequence one) const;
  [[nodiscard]] Segment* with_number(std::uint64_t number);
  // The very file; nullptr when it is gone or was rewritten.
  [[nodiscard]] Segment* same(const SegmentHeader& header);
  [[nodiscard]] const Segment* same(const SegmentHeader& header) const {
    return const_cast<SegmentTable*>(this)->same(header);
  }
  void remove(std::uint64_t number);
  // `segment` takes the place of those, which are neighbours.
  void replace(const std::vector<std::uint64_t>& numbers, Segment segment);

  [[nodiscard]] std::deque<std::unique_ptr<Segment>>& all() { return segments_; }
  [[nodiscard]] const std::deque<std::unique_ptr<Segment>>& all() const { return segments_; }
  [[nodiscard]] bool empty() const { return segments_.empty(); }
  [[nodiscard]] std::uint64_t allocated() const;

 private:
  std::deque<std::unique_ptr<Segment>> segments_;
};

}  // namespace railhead::spool
