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

void FileBytes::load(std::uint64_t begin, std::uint64_t end) {
  constexpr std::uint64_t kStep = 64 * 1024;
  constexpr std::uint64_t kWindow = 256 * 1024;
  constexpr std::uint64_t kBlock = 4096;
  begin = begin / kBlock * kBlock;
  const std::uint64_t from = std::max(loaded_, begin);
  loaded_ = std::min((std::max(end, from + kStep) + kBlock - 1) / kBlock * kBlock, size_);
  if (loaded_ - begin_ > buffer_.size() && begin_ < begin) {
    std::memmove(buffer_.data(), buffer_.data() + (begin - begin_), static_cast<std::size_t>(from - begin));
    begin_ = begin;
  }
  if (loaded_ - begin_ > buffer_.size()) {
    buffer_.resize(static_cast<std::size_t>(std::min(std::max(loaded_ - begin_, kWindow), size_ - begin_)));
  }
  const auto read = [&](std::uint64_t first, std::uint64_t behind) {
    const std::size_t wanted = static_cast<std::size_t>(behind - first);
    char* const to = buffer_.data() + (first - begin_);
    const Result<std::size_t> got = file_.read_to(first, wanted, to);
    const std::size_t there = got ? *got : 0;
    std::memset(to + there, 0, wanted - there);
    return got.has_value();
  };
  if (from >= loaded_ || read(from, loaded_)) return;
  // A block the disk cannot give must not take its neighbours along.
  for (std::uint64_t at = from; at < loaded_; at += kBlock) {
    if (!read(at, std::min(at + kBlock, loaded_))) ++unreadable_blocks_;
  }
}

Result<ReadBack> read_whole(const system::File& file, std::uint64_t at_most) {
  const Result<std::uint64_t> size = file.size();
  if (!size) return fail(size.error());
  FileBytes bytes(file, at_most == 0 ? *size : std::min(*size, at_most));
  static_cast<void>(bytes.need(0, bytes.size()));
  const std::uint64_t unreadable = bytes.unreadable_blocks();
  return ReadBack{bytes.release(), unreadable};
}

SegmentReader::SegmentReader(std::string_view bytes, const SegmentHeader& header)
    : SegmentReader(bytes, header, header.frames_begin(), Sequence(header.first.value() - 1)) {}

SegmentReader::SegmentReader(std::string_view bytes, const SegmentHeader& header, std::uint64_t offset, Sequence before)
    : size_(bytes.size()),
      window_(bytes),
      header_of_(header),
      seed_(frame_seed(header)),
      position_(offset),
      before_(before) {}

SegmentReader::SegmentReader(FileBytes& bytes, const SegmentHeader& header)
    : size_(bytes.size()),
      coming_(&bytes),
      header_of_(header),
      seed_(frame_seed(header)),
      position_(header.frames_begin()),
      before_(Sequence(header.first.value() - 1)) {}

std::string_view SegmentReader::need(std::uint64_t begin, std::uint64_t end) {
  end = std::min(end, size_);
  if (window_begin_ + window_.size() < end) {
    window_begin_ = std::min(keep_from_, begin);
    window_ = coming_->need(window_begin_, end);
  }
  return bytes(begin, end);
}

bool SegmentReader::take(std::uint64_t at) {
  if (at + kFrameHeaderBytes > size_) return false;
  const std::size_t payload_bytes = base::load_le<std::uint32_t>(need(at, at + kFrameHeaderBytes).data());
  const std::string_view there = need(at, at + frame_bytes(payload_bytes));
  if (!frame_verifies(seed_, there)) return false;
  header_ = decode_frame_header(there.data());
  if (header_.sequence <= before_) return false;
  offset_ = at;
  payload_ = there.substr(kFrameHeaderBytes, payload_bytes);
  // The last frame of a file cut to its length may lack its padding.
  position_ = at + there.size();
  before_ = header_.sequence;
  return true;
}

SegmentReader::Item SegmentReader::next() {
  if (position_ >= size_) return Item::end;
  if (take(position_)) return Item::frame;
  const std::string_view rest = need(position_, size_);
  const std::uint64_t found = resync(position_, rest);
  if (found >= size_) {
    if (all_zero(rest)) return Item::end;
    // What an earlier life of the file left behind.
    if (header_of_.reused && all_zero(rest.substr(0, kTerminatorBytes))) return Item::end;
  }
  bad_begin_ = position_;
  bad_end_ = found;
  position_ = found;
  return Item::bad;
}

// `rest` is the file from `from` on.
std::uint64_t SegmentReader::resync(std::uint64_t from, std::string_view rest) const {
  // At most this many frames can lie in the rest, so a sequence beyond is noise: only plausible places are verified.
  const std::uint64_t last =
      header_of_.compacted ? header_of_.last.value() : before_.value() + rest.size() / kFrameHeaderBytes + 1;
  std::uint64_t at = (from + kFrameAlignment) & ~std::uint64_t{kFrameAlignment - 1};
  for (; at + kFrameHeaderBytes <= size_; at += kFrameAlignment) {
    const std::string_view place = rest.substr(static_cast<std::size_t>(at - from));
    const std::uint64_t sequence = base::load_le<std::uint64_t>(place.data() + 12);
    if (sequence <= before_.value() || sequence > last) continue;
    if (frame_verifies(seed_, place)) return at;
  }
  return size_;
}

}  // namespace railhead::spool
