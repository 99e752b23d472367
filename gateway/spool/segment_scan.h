// Reads a whole segment and says which of its records count: those that verify and whose group is whole (S6). Used by
// recovery, by compaction, by the repair of damage met while reading, and by `spool verify`. Threads: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string_view>
#include <vector>

#include "gateway/spool/format.h"
#include "gateway/spool/segment_reader.h"

namespace railhead::spool {

inline constexpr std::uint64_t kNotSuperseded = std::numeric_limits<std::uint64_t>::max();

struct ScannedFrame {
  FrameHeader header;
  std::uint64_t offset = 0;
  std::string_view payload;  // valid while it is visited
};

// Bytes that do not verify, or (whole_frames) frames that do but whose group is not whole.
struct Hole {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  Sequence missing_first;
  Sequence missing_last;        // 0: not known, up to the end of the segment
  std::uint16_t neighbour = 0;  // lane index of the record in front of it
  bool zeros = false;
  bool whole_frames = false;
};

struct SegmentScan {
  std::vector<Hole> holes;
  std::vector<FrameHeader> orphans;  // of groups that are not whole, in order
  Sequence last;                     // highest sequence that verified; first - 1 if none
  Sequence proven;                   // highest sequence that this segment proves durable
  std::uint64_t end = 0;             // behind the last whole group or orphan
};

// Scans a part at a time. The header and what the reader reads must remain live; `visit` gets each record that counts,
// in order, when its group is complete. Threads: one caller.
class SegmentScanner {
 public:
  using Visit = std::function<void(const ScannedFrame&)>;
  SegmentScanner(SegmentReader reader, const SegmentHeader& header, std::uint64_t superseded_at, Visit visit);
  // Some `bytes_max` further; false at the end.
  [[nodiscard]] bool go_on(std::uint64_t bytes_max);
  [[nodiscard]] SegmentScan finish();  // REQUIRES that the end was reached

 private:
  [[nodiscard]] ScannedFrame frame_at(std::uint64_t offset) const;
  void break_group();

  SegmentReader reader_;
  const SegmentHeader& header_;
  std::uint64_t superseded_at_;
  Visit visit_;
  SegmentScan scan_;
  std::vector<std::uint64_t> group_;  // that has not ended yet: where its frames lie
  std::uint64_t group_end_ = 0;
  std::uint16_t neighbour_ = 0;
};

// `bytes` is the file from its beginning. Records at or beyond `superseded_at` were written again in a later segment
// and do not count. `visit` gets each record that counts, in order, when its group is complete.
[[nodiscard]] SegmentScan scan_segment(std::string_view bytes, const SegmentHeader& header, std::uint64_t superseded_at,
                                       const std::function<void(const ScannedFrame&)>& visit);
[[nodiscard]] SegmentScan scan_segment(FileBytes& bytes, const SegmentHeader& header, std::uint64_t superseded_at,
                                       const std::function<void(const ScannedFrame&)>& visit);

}  // namespace railhead::spool
