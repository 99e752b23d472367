// Compaction (S10): sealed neighbours are written again as one segment that holds only what is still owed, beside them,
// under a name recovery never reads. Nothing counts until the engine gives it its own name. Whole groups stay groups,
// every frame keeps its sequence, epoch and times.
// Memory: one source at a time, one output block, 16 bytes for each record kept or evicted; between steps, too.
// Errors: damaged (a source has bad bytes nobody accounted for yet), and the disk's. Threads: one caller.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/spool/frame_buffer.h"
#include "gateway/spool/segment_scan.h"
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

// One compaction, in steps, so that commits can go on between them. Records of a class in `evict` (class_bit) are left
// out, as if nobody was owed them. REQUIRES sources of one epoch, in order.
class Compaction {
 public:
  Compaction(system::Disk& disk, std::string directory, std::vector<CompactionSource> sources, std::uint8_t evict,
             WriteCounts& counts);
  ~Compaction();  // an unfinished file goes
  Compaction(const Compaction&) = delete;
  Compaction& operator=(const Compaction&) = delete;

  // Reads some `bytes` of the sources and makes durable what is written of them: a step takes no longer than that. True
  // when all is done: then the file is durable, its name is not. After an error it is of no more use. Errors also:
  // unavailable (a source is gone).
  [[nodiscard]] Result<bool> step(std::uint64_t bytes);
  [[nodiscard]] const std::vector<CompactionSource>& sources() const { return sources_; }
  [[nodiscard]] std::uint8_t evicts() const { return evict_; }
  // REQUIRES that all is done. The file is the caller's then.
  [[nodiscard]] Compacted take();

 private:
  struct Reading;
  void make_header();
  [[nodiscard]] Result<void> begin();
  [[nodiscard]] Result<void> open_source();
  [[nodiscard]] Result<void> end_source();
  void visit(const CompactionSource& source, const ScannedFrame& frame);
  void add_group(const SegmentHeader& from);
  [[nodiscard]] Result<void> write_block();
  [[nodiscard]] Result<void> sync();
  [[nodiscard]] Result<void> finish();

  system::Disk& disk_;
  const std::string directory_;
  const std::vector<CompactionSource> sources_;
  const std::uint8_t evict_;
  WriteCounts& counts_;
  SegmentHeader header_;
  std::uint32_t seed_ = 0;
  std::map<LaneId, std::uint16_t> lane_places_;
  std::unique_ptr<system::File> file_;
  bool made_ = false;                 // the file, and nobody took it
  std::size_t place_ = 0;             // of the source at hand
  std::unique_ptr<Reading> reading_;  // that source
  std::uint64_t written_ = 0;         // up to here the file is
  FrameBuffer block_;
  std::vector<std::pair<ScannedFrame, LaneId>> group_;  // what is kept of the group at hand
  Result<void> failed_;
  Compacted out_;
};

}  // namespace railhead::spool
