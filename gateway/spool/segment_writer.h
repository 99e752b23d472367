// Writes one segment: preallocated, header first, frames appended and synced in runs, cut to its length when sealed.
// After a failed write or sync the object must be given up: what it last wrote is unknown, and a sync is never tried
// again as if it could succeed. Threads: the committer's alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/spool/format.h"
#include "gateway/system/disk.h"

namespace railhead::spool {

struct WriteCounts {
  std::uint64_t bytes_written = 0;
  std::uint64_t syncs = 0;
};

class SegmentWriter {
 public:
  // Makes the file with room for `capacity` bytes and writes its header; out of `spare` (a name in the directory, ""
  // for none), a file that was used before and is a blank now: its blocks are written already, which makes syncing
  // cheaper. The name is durable on return, the header with the first append.
  [[nodiscard]] static Result<std::unique_ptr<SegmentWriter>> create(system::Disk& disk, const std::string& directory,
                                                                     const std::string& spare, SegmentHeader header,
                                                                     std::uint64_t capacity, WriteCounts& counts);
  // Appends frames that carry this segment's checksums; durable on return.
  [[nodiscard]] Result<void> append(std::string_view frames);
  // Gives back what was preallocated and not used.
  [[nodiscard]] Result<void> seal();

  [[nodiscard]] const std::shared_ptr<const SegmentHeader>& header() const { return header_; }
  [[nodiscard]] std::uint32_t seed() const { return seed_; }
  [[nodiscard]] std::uint64_t used() const { return used_; }
  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }

 private:
  SegmentWriter(std::unique_ptr<system::File> file, SegmentHeader header, std::uint64_t capacity, WriteCounts& counts);

  std::unique_ptr<system::File> file_;
  std::shared_ptr<const SegmentHeader> header_;
  std::uint32_t seed_;
  std::uint64_t used_;
  std::uint64_t capacity_;
  WriteCounts& counts_;
};

}  // namespace railhead::spool
