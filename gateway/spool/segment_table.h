// What is known in memory of each segment on disk: where it begins and ends, how many records each lane still owes in
// it, and which ones are settled: one bit a record, kept only while a segment is partly settled (S9). Threads: none of
// its own; the engine guards it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "gateway/base/strong.h"
#include "gateway/spool/format.h"
#include "gateway/spool/spool.h"

namespace railhead::spool {

// A point to start reading at: the frame after `before` begins at `offset`.
struct IndexPoint {
  Sequence before;
  std::uint64_t offset = 0;
};
inline constexpr std::uint64_t kIndexEvery = std::uint64_t{256} * 1024;

struct LaneCount {
  LaneId lane;
  std::uint32_t total = 0;
  std::uint32_t unsettled = 0;
  std::uint32_t held = 0;  // of the unsettled ones
};

struct Segment {
  std::shared_ptr<const SegmentHeader> header;
  std::shared_ptr<const std::vector<LaneId>> lane_of;  // the header's lane index -> lane
  Sequence last;                                       // durable; header->first - 1 while it has none
  std::uint64_t used = 0;                              // bytes up to the end of the last durable frame
  std::uint64_t allocated = 0;                         // bytes on disk
  bool sealed = false;
  std::vector<IndexPoint> index;
  std::vector<LaneCount> lanes;  // sorted by lane
  std::vector<std::uint64_t> bits;
  std::vector<std::uint64_t> held_bits;  // records that wait for their destination (S17); only while there are any
  std::uint64_t unsettled = 0;           // sum over lanes

  [[nodiscard]] std::uint64_t number() const { return header->number; }
  [[nodiscard]] Sequence first() const { return header->first; }
  [[nodiscard]] bool empty() const { return last < header->first; }
  [[nodiscard]] LaneCount* find(LaneId lane);
  [[nodiscard]] const LaneCount* find(LaneId lane) const;
  [[nodiscard]] LaneCount& count_of(LaneId lane);  // made if missing
  [[nodiscard]] bool settled(Sequence one) const;
  void set_settled(Sequence one);  // the bit alone, no count
  // Counts the record as settled; false when it already was, or is not here.
  bool settle(LaneId lane, Sequence one);
  [[nodiscard]] bool held(Sequence one) const;
  // Marks an unsettled record of the lane as held or not; false when nothing changed.
  bool set_held(LaneId lane, Sequence one, bool held);
  // Where to start reading for `from`.
  [[nodiscard]] IndexPoint start_for(Sequence from) const;
  void add_index(Sequence before, std::uint64_t offset);
};

// In order of sequence; addresses stay valid until the segment is removed.
class SegmentTable {
 public:
  Segment& add(Segment segment);
  // The first segment whose last sequence is at or beyond `one`; nullptr if there is none.
  [[nodiscard]] Segment* at_or_after(Sequence one);
  [[nodiscard]] const Segment* at_or_after(Sequence one) const;
  [[nodiscard]] Segment* with_number(std::uint64_t number);
  void remove(std::uint64_t number);

  [[nodiscard]] std::deque<std::unique_ptr<Segment>>& all() { return segments_; }
  [[nodiscard]] const std::deque<std::unique_ptr<Segment>>& all() const { return segments_; }
  [[nodiscard]] bool empty() const { return segments_.empty(); }
  [[nodiscard]] std::uint64_t allocated() const;

 private:
  std::deque<std::unique_ptr<Segment>> segments_;
};

}  // namespace railhead::spool
