// One lane's way through the spool: the tail from memory, the backlog in large sequential reads, segments in which the
// lane owes nothing not at all. Keeps its place between calls; a buffer only while it is behind.
// Threads: reads take turns.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/spool/shelf.h"
#include "gateway/system/disk.h"

namespace railhead::spool {

// Where frames come from.
struct ReadContext {
  system::Disk& disk;
  const std::string& directory;
  BootId boot;
  std::function<void(const SegmentHeader& segment)> damaged;  // a durable frame does not verify
};

[[nodiscard]] Frame make_frame(const ReadContext& context, const SegmentHeader& segment, const FrameHeader& header,
                               LaneId lane, std::string_view payload);

class LaneReader {
 public:
  [[nodiscard]] Result<Sequence> read(const ReadContext& context, Shelf& shelf, LaneId lane, Sequence from,
                                      std::size_t records_max, std::size_t bytes_max, std::vector<Frame>& out);

 private:
  struct Candidate {
    FrameHeader header;
    std::string_view payload;
  };
  struct Part {  // of one segment, as the shelf had it
    std::shared_ptr<const SegmentHeader> header;
    std::shared_ptr<const std::vector<LaneId>> lane_of;
    std::shared_ptr<const TailChunk> chunk;
    IndexPoint start;
    Sequence last;
    std::uint64_t used = 0;
  };
  struct Want {
    LaneId lane;
    Sequence from;
    std::size_t records = 0;
    std::size_t bytes = 0;
  };

  // Each fills candidates_ and returns the sequence to go on at.
  Sequence from_chunk(const Part& part, const Want& want);
  Result<Sequence> from_file(const ReadContext& context, const Part& part, const Want& want);
  Result<Sequence> around_damage(const Part& part, const Want& want);
  Result<Sequence> around_unreadable(const ReadContext& context, const Part& part, const Want& want, const Error& why);
  // Makes [offset, offset + bytes) available in block_; a view of it, shorter at the end of the segment.
  Result<std::string_view> block(std::uint64_t offset, std::size_t bytes, std::uint64_t used);
  Result<void> open(const ReadContext& context, const SegmentHeader& segment);
  void release();

  base::Mutex mutex_;
  std::vector<Candidate> candidates_;
  // Place in the chunk or file read last: the frame `place_next_` or a later one begins at `place_`.
  const TailChunk* chunk_ = nullptr;  // compared only, never followed
  std::uint64_t segment_ = 0;         // of file_; 0: none
  std::uint32_t generation_ = 0;
  std::uint64_t place_ = 0;
  Sequence place_next_;
  std::unique_ptr<system::File> file_;
  std::string block_;
  std::uint64_t block_at_ = 0;
};

}  // namespace railhead::spool
