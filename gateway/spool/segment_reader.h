// Reads the frames of one segment out of memory: walks valid ones, and finds the next valid one behind bad bytes.
// Zeros up to the end are the unused rest of a preallocated file and no error; what other bad bytes mean (torn or
// damaged, S8) is not known here. Threads: none of its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/base/result.h"
#include "gateway/spool/format.h"
#include "gateway/system/disk.h"

namespace railhead::spool {

// The first bytes of a file, a window at a time: so they are checked while the processor's cache still has them, and a
// whole segment takes no more memory than a window. Blocks of 4 KiB that the disk cannot give are zeros and counted.
class FileBytes {
 public:
  FileBytes(const system::File& file, std::uint64_t bytes) : file_(file), size_(bytes) {}
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // From `begin` to `end` or beyond, less what lies behind size(). What lies in front of `begin` is forgotten, and what
  // was given before is no longer valid. REQUIRES that `begin` never falls.
  [[nodiscard]] std::string_view need(std::uint64_t begin, std::uint64_t end) {
    if (loaded_ < end && loaded_ < size_) load(begin, end);
    return std::string_view(buffer_).substr(static_cast<std::size_t>(begin - begin_),
                                            static_cast<std::size_t>(loaded_ - begin));
  }
  [[nodiscard]] std::uint64_t unreadable_blocks() const { return unreadable_blocks_; }
  [[nodiscard]] std::string release() { return std::move(buffer_); }

 private:
  void load(std::uint64_t begin, std::uint64_t end);

  const system::File& file_;
  const std::uint64_t size_;
  std::string buffer_;
  std::uint64_t begin_ = 0;   // place in the file of the buffer's first byte
  std::uint64_t loaded_ = 0;  // what lies in front of it and not before begin_ is there
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
  // `before`. Of FileBytes a payload is valid until the next call only.
  SegmentReader(std::string_view bytes, const SegmentHeader& header);
  SegmentReader(FileBytes& bytes, const SegmentHeader& header);
  SegmentReader(std::string_view bytes, const SegmentHeader& header, std::uint64_t offset, Sequence before);

  [[nodiscard]] Item next();
  // What lies at and behind `offset` stays at hand: bytes() may be asked for it. Never falls.
  void keep_from(std::uint64_t offset) { keep_from_ = offset; }
  // Of the file. REQUIRES that they were read and kept.
  [[nodiscard]] std::string_view bytes(std::uint64_t begin, std::uint64_t end) const {
    return window_.substr(static_cast<std::size_t>(begin - window_begin_), static_cast<std::size_t>(end - begin));
  }
  [[nodiscard]] const FrameHeader& header() const { return header_; }
  [[nodiscard]] std::string_view payload() const { return payload_; }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }    // of the frame
  [[nodiscard]] std::uint64_t behind() const { return position_; }  // first byte behind the frame
  [[nodiscard]] std::uint64_t bad_begin() const { return bad_begin_; }
  [[nodiscard]] std::uint64_t bad_end() const { return bad_end_; }

 private:
  [[nodiscard]] bool take(std::uint64_t at);
  [[nodiscard]] std::uint64_t resync(std::uint64_t from, std::string_view rest) const;

  [[nodiscard]] std::string_view need(std::uint64_t begin, std::uint64_t end);

  const std::uint64_t size_;
  std::string_view window_;         // of the file, what is at hand
  std::uint64_t window_begin_ = 0;  // its place in the file
  FileBytes* coming_ = nullptr;     // where more comes from
  std::uint64_t keep_from_ = 0;
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
