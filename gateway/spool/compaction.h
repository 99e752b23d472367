// Compaction (S10): sealed neighbours are written again as one segment that holds only what is still owed, beside them,
// under a name recovery never reads. Nothing counts until the engine gives it its own name. Whole groups stay groups,
// every frame keeps its sequence, epoch and times.
// Memory: one source at a time, one output block, 16 bytes for each record kept or evicted.
// Errors: damaged (a source has bad bytes nobody accounted for yet), and the disk's. Threads: one caller.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/spool/segment_table.h"
#include "gateway/spool/segment_writer.h"
#include "gateway/system/disk.h"

namespace railhead::spool {

inline constexpr std::string_view kCompactNewName = "compact.new";
inline constexpr std::size_t kBootsMax = 200;  // merging stops there: a frame has one byte for its boot

struct CompactionSource {
  Segment segment;                // a copy: what is settled at this moment
  bool damage_accounted = false;  // its holes are counted and kept
};

struct Compacted {
  Segment segment;  // without records when nothing was left: then there is no file
  std::vector<std::pair<Sequence, LaneId>> kept;
  std::vector<std::pair<Sequence, LaneId>> evicted;
};

// Records of a class in `evict` (class_bit) are left out, as if nobody was owed them. The file is durable on return,
// its name is not. REQUIRES sources of one epoch, in order.
[[nodiscard]] Result<Compacted> compact(system::Disk& disk, const std::string& directory,
                                        const std::vector<CompactionSource>& sources, std::uint8_t evict,
                                        WriteCounts& counts);

}  // namespace railhead::spool
