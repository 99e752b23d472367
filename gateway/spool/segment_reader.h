// Reads the frames of one segment out of memory: walks valid ones, and finds the next valid one behind bad bytes.
// Zeros up to the end are the unused rest of a preallocated file and no error; what other bad bytes mean (torn or
// damaged, S8) is not known here. Threads: none of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/base/result.h"
#include "gateway/spool/format.h"
#include "gateway/system/disk.h"

namespace railhead::spool {

// The first bytes of a file, read as they are needed: so they are checked while the processor's cache still has them.
// Blocks of 4 KiB that the disk cannot give are zeros and counted.
class FileBytes {
 public:
  // `buffer` is what the bytes are read into: one that is used again need not be filled with zeros first.
  FileBytes(const system::File& file, std::uint64_t bytes, std::string buffer = {});
  // All of them; those in front of what was needed so far are there, behind it lies anything.
  [[nodiscard]] std::string_view view() const { return buffer_; }
  void need(std::uint64_t end) {
    if (loaded_ < end) load(end);
  }
  [[nodiscard]] std::uint64_t unreadable_blocks() const { return unreadable_blocks_; }
  [[nodiscard]] std::string release() { return std::move(buffer_); }

 private:
  void load(std::uint64_t end);

  const system::File& file_;
  std::string buffer_;
  std::uint64_t loaded_ = 0;
  std::uint64_t unreadable_blocks_ = 0;
};

// The first `at_most` bytes of the file (all if 0).
struct ReadBack {
  std::string bytes;
  std::uint64_t unreadable_blocks = 0;
};
[[nodiscard]] Result<ReadBack> read_whole(const system::File& file, std::uint64_t at_most = 0);

class SegmentReader {
 public:
  enum class Item : std::uint8_t {
    frame,  // header() and payload()
    bad,    // bad_begin() .. bad_end() do not verify; a frame follows, unless bad_end() is the end
    end,
  };

  // `bytes` is the file from offset 0; it and the header must remain live. Starts at `offset`, after the record
  // `before`.
  SegmentReader(std::string_view bytes, const SegmentHeader& header);
  SegmentReader(FileBytes& bytes, const SegmentHeader& header);
  SegmentReader(std::string_view bytes, const SegmentHeader& header, std::uint64_t offset, Sequence before);

  [[nodiscard]] Item next();
  [[nodiscard]] const FrameHeader& header() const { return header_; }
  [[nodiscard]] std::string_view payload() const { return payload_; }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }    // of the frame
  [[nodiscard]] std::uint64_t behind() const { return position_; }  // first byte behind the frame
  [[nodiscard]] std::uint64_t bad_begin() const { return bad_begin_; }
  [[nodiscard]] std::uint64_t bad_end() const { return bad_end_; }

 private:
  [[nodiscard]] bool take(std::uint64_t at);
  [[nodiscard]] std::uint64_t resync(std::uint64_t from) const;

  std::string_view bytes_;
  FileBytes* coming_ = nullptr;  // not all of bytes_ may be there yet
  const SegmentHeader& header_of_;
  std::uint32_t seed_;
  std::uint64_t position_;
  Sequence before_;
  FrameHeader header_{};
  std::string_view payload_;
  std::uint64_t offset_ = 0;
  std::uint64_t bad_begin_ = 0;
  std::uint64_t bad_end_ = 0;
};

[[nodiscard]] bool all_zero(std::string_view bytes) noexcept;

}  // namespace railhead::spool
