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

FileBytes::FileBytes(const system::File& file, std::uint64_t bytes, std::string buffer)
    : file_(file), buffer_(std::move(buffer)) {
  buffer_.resize(static_cast<std::size_t>(bytes));
}

void FileBytes::load(std::uint64_t end) {
  constexpr std::uint64_t kStep = 256 * 1024;
  constexpr std::uint64_t kBlock = 4096;
  const std::uint64_t begin = loaded_;
  loaded_ = std::min<std::uint64_t>(std::max(end, begin + kStep), buffer_.size());
  const auto read = [&](std::uint64_t from, std::uint64_t to) {
    const std::size_t wanted = static_cast<std::size_t>(to - from);
    const Result<std::size_t> got = file_.read_to(from, wanted, buffer_.data() + from);
    const std::size_t there = got ? *got : 0;
    std::memset(buffer_.data() + from + there, 0, wanted - there);
    return got.has_value();
  };
  if (begin >= loaded_ || read(begin, loaded_)) return;
  // A block the disk cannot give must not take its neighbours along.
  for (std::uint64_t at = begin; at < loaded_; at += kBlock) {
    if (!read(at, std::min(at + kBlock, loaded_))) ++unreadable_blocks_;
  }
}

Result<ReadBack> read_whole(const system::File& file, std::uint64_t at_most) {
  const Result<std::uint64_t> size = file.size();
  if (!size) return fail(size.error());
  FileBytes bytes(file, at_most == 0 ? *size : std::min(*size, at_most));
  bytes.need(bytes.view().size());
  const std::uint64_t unreadable = bytes.unreadable_blocks();
  return ReadBack{bytes.release(), unreadable};
}

SegmentReader::SegmentReader(std::string_view bytes, const SegmentHeader& header)
    : SegmentReader(bytes, header, header.frames_begin(), Sequence(header.first.value() - 1)) {}

SegmentReader::SegmentReader(std::string_view bytes, const SegmentHeader& header, std::uint64_t offset, Sequence before)
    : bytes_(bytes), header_of_(header), seed_(frame_seed(header)), position_(offset), before_(before) {}

SegmentReader::SegmentReader(FileBytes& bytes, const SegmentHeader& header) : SegmentReader(bytes.view(), header) {
  coming_ = &bytes;
}

bool SegmentReader::take(std::uint64_t at) {
  if (coming_ != nullptr && at + kFrameHeaderBytes <= bytes_.size()) {
    coming_->need(at + kFrameHeaderBytes);
    coming_->need(at + frame_bytes(base::load_le<std::uint32_t>(bytes_.data() + at)));
  }
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
  if (coming_ != nullptr) coming_->need(bytes_.size());
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
