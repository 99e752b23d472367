#include "gateway/spool/segment_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "gateway/base/bytes.h"

namespace railhead::spool {

bool all_zero(std::string_view bytes) noexcept {
  if (bytes.empty()) return true;
  return bytes[0] == '\0' && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

Result<ReadBack> read_whole(const system::File& file, std::uint64_t at_most, std::string buffer) {
  const Result<std::uint64_t> size = file.size();
  if (!size) return fail(size.error());
  const std::uint64_t wanted = at_most == 0 ? *size : std::min(*size, at_most);
  ReadBack read;
  read.bytes = std::move(buffer);
  if (file.read_at(0, static_cast<std::size_t>(wanted), read.bytes)) return read;
  // A block the disk cannot give must not take its neighbours along.
  constexpr std::size_t kBlock = 4096;
  read.bytes.assign(static_cast<std::size_t>(wanted), '\0');
  std::string block;
  for (std::uint64_t at = 0; at < wanted; at += kBlock) {
    const std::size_t bytes = static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, wanted - at));
    if (file.read_at(at, bytes, block)) {
      std::memcpy(read.bytes.data() + at, block.data(), block.size());
    } else {
      ++read.unreadable_blocks;
    }
  }
  return read;
}

SegmentReader::SegmentReader(std::string_view bytes, const SegmentHeader& header)
    : SegmentReader(bytes, header, header.frames_begin(), Sequence(header.first.value() - 1)) {}

SegmentReader::SegmentReader(std::string_view bytes, const SegmentHeader& header, std::uint64_t offset, Sequence before)
    : bytes_(bytes), header_of_(header), seed_(frame_seed(header)), position_(offset), before_(before) {}

bool SegmentReader::take(std::uint64_t at) {
  const std::optional<FrameHeader> frame = decode_frame(seed_, bytes_.substr(static_cast<std::size_t>(at)));
  if (!frame || frame->sequence <= before_) return false;
  header_ = *frame;
  offset_ = at;
  payload_ = bytes_.substr(static_cast<std::size_t>(at) + kFrameHeaderBytes, frame->payload_bytes);
  // The last frame of a file cut to its length may lack its padding.
  position_ = std::min<std::uint64_t>(at + frame->frame_bytes(), bytes_.size());
  before_ = frame->sequence;
  return true;
}

SegmentReader::Item SegmentReader::next() {
  if (position_ >= bytes_.size()) return Item::end;
  if (take(position_)) return Item::frame;
  const std::uint64_t found = resync(position_);
  if (found >= bytes_.size()) {
    const std::string_view rest = bytes_.substr(static_cast<std::size_t>(position_));
    if (all_zero(rest)) return Item::end;
    // What an earlier life of the file left behind.
    if (header_of_.reused && all_zero(rest.substr(0, kTerminatorBytes))) return Item::end;
  }
  bad_begin_ = position_;
  bad_end_ = found;
  position_ = found;
  return Item::bad;
}

std::uint64_t SegmentReader::resync(std::uint64_t from) const {
  // At most this many frames can lie in the rest, so a sequence beyond is noise: only plausible places are verified.
  const std::uint64_t last =
      header_of_.compacted ? header_of_.last.value() : before_.value() + (bytes_.size() - from) / kFrameHeaderBytes + 1;
  std::uint64_t at = (from + kFrameAlignment) & ~std::uint64_t{kFrameAlignment - 1};
  for (; at + kFrameHeaderBytes <= bytes_.size(); at += kFrameAlignment) {
    const char* place = bytes_.data() + at;
    const std::uint64_t sequence = base::load_le<std::uint64_t>(place + 12);
    if (sequence <= before_.value() || sequence > last) continue;
    if (decode_frame(seed_, bytes_.substr(static_cast<std::size_t>(at)))) return at;
  }
  return bytes_.size();
}

}  // namespace railhead::spool
