#include "gateway/spool/lane_reader.h"

#include <algorithm>

#include "gateway/spool/segment_reader.h"
#include "gateway/spool/segment_scan.h"

namespace railhead::spool {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

}  // namespace

Frame make_frame(const ReadContext& context, const SegmentHeader& segment, const FrameHeader& header, LaneId lane,
                 std::string_view payload) {
  Frame frame;
  frame.epoch = segment.epoch;
  frame.sequence = header.sequence;
  frame.lane = lane;
  frame.appended = header.appended;
  frame.clock_trusted = header.clock_trusted;
  if (header.boot < segment.boots.size() && segment.boots[header.boot] == context.boot) {
    frame.appended_boot = BootTime(header.appended_boot);
  }
  frame.internal = header.internal;
  frame.klass = header.klass;
  frame.payload.assign(payload);
  return frame;
}

Result<Sequence> LaneReader::read(const ReadContext& context, Shelf& shelf, LaneId lane, Sequence from,
                                  std::size_t records_max, std::size_t bytes_max, std::vector<Frame>& out) {
  const base::MutexLock turn(mutex_);
  Want want{lane, std::max(from, Sequence(1)), records_max, bytes_max};
  std::shared_ptr<const SegmentHeader> condemned;
  while (want.records > 0 && want.bytes > 0) {
    Part part;
    {
      const base::MutexLock lock(shelf.mutex);
      const Sequence durable(shelf.durable.load(std::memory_order_relaxed));
      const Segment* segment = shelf.segments.at_or_after(want.from);
      if (segment == nullptr || durable < want.from) {
        want.from = std::max(from, durable.next());
        chunk_ = nullptr;
        break;
      }
      want.from = std::max(want.from, segment->first());
      const LaneCount* count = segment->find(lane);
      if (count == nullptr || count->unsettled == 0) {
        want.from = segment->last.next();
        continue;
      }
      part.header = segment->header;
      part.lane_of = segment->lane_of;
      part.start = segment->start_for(want.from);
      part.last = segment->last;
      part.used = segment->used;
      if (!shelf.tail.empty() && shelf.tail.front()->first <= want.from) {
        const auto behind = std::upper_bound(
            shelf.tail.begin(), shelf.tail.end(), want.from,
            [](Sequence wanted, const std::shared_ptr<TailChunk>& chunk) { return wanted < chunk->first; });
        const std::shared_ptr<TailChunk>& chunk = *std::prev(behind);
        if (want.from <= chunk->last && chunk->segment == part.header->number && !part.header->compacted) {
          part.chunk = chunk;
        }
      }
    }
    candidates_.clear();
    Sequence go_on;
    if (part.chunk != nullptr) {
      release();
      go_on = from_chunk(part, want);
    } else {
      chunk_ = nullptr;
      const Result<Sequence> reached = from_file(context, part, want);
      if (!reached) {
        {
          const base::MutexLock lock(shelf.mutex);
          const Segment* const segment = shelf.segments.same(*part.header);
          const LaneCount* const count = segment != nullptr ? segment->find(lane) : nullptr;
          if (count == nullptr || count->unsettled == 0) continue;  // trimmed or rewritten meanwhile
          if (reached.error().code != Errc::unavailable || condemned == part.header) return reached;
        }
        condemned = part.header;  // it is owed, and gone
        context.damaged(*part.header);
        continue;
      }
      go_on = *reached;
    }
    {
      const base::MutexLock lock(shelf.mutex);
      const Segment* segment = shelf.segments.same(*part.header);
      if (segment == nullptr) continue;  // trimmed or rewritten meanwhile: look again
      const LaneCount* count = segment->find(lane);
      if (!segment->bits.empty() || !segment->lost.empty() || count->unsettled < count->total) {
        std::erase_if(candidates_, [&](const Candidate& one) { return segment->settled(lane, one.header.sequence); });
      }
    }
    for (const Candidate& one : candidates_) {
      out.push_back(make_frame(context, *part.header, one.header, lane, one.payload));
      want.records -= std::min<std::size_t>(want.records, 1);
      want.bytes -= std::min(want.bytes, one.payload.size());
    }
    want.from = go_on;
  }
  candidates_.clear();
  return want.from;
}

Sequence LaneReader::from_chunk(const Part& part, const Want& want) {
  const std::string_view frames = part.chunk->frames.view();
  const bool goes_on = chunk_ == part.chunk.get() && place_next_ <= want.from;
  std::size_t at = goes_on ? static_cast<std::size_t>(place_) : 0;
  std::size_t bytes = 0;
  Sequence next = want.from;
  while (at < frames.size() && candidates_.size() < want.records && bytes < want.bytes) {
    const FrameHeader header = decode_frame_header(frames.data() + at);
    if (want.from <= header.sequence && (*part.lane_of)[header.lane] == want.lane) {
      candidates_.push_back({header, frames.substr(at + kFrameHeaderBytes, header.payload_bytes)});
      bytes += header.payload_bytes;
    }
    next = std::max(next, header.sequence.next());
    at += header.frame_bytes();
  }
  chunk_ = part.chunk.get();
  place_ = at;
  place_next_ = next;
  return next;
}

Result<Sequence> LaneReader::from_file(const ReadContext& context, const Part& part, const Want& want) {
  std::uint64_t at = part.start.offset;
  if (segment_ == part.header->number && generation_ == part.header->generation && place_next_ <= want.from &&
      at < place_)
    at = place_;
  if (const Result<void> opened = open(context, *part.header); !opened) return fail(opened.error());
  const std::uint32_t seed = frame_seed(*part.header);
  std::size_t bytes = 0;
  Sequence next = want.from;
  while (at < part.used && next <= part.last && candidates_.size() < want.records && bytes < want.bytes) {
    Result<std::string_view> here = block(at, kFrameHeaderBytes, part.used);
    if (!here) return around_unreadable(context, part, want, here.error());
    std::size_t whole = here->size() < kFrameHeaderBytes ? 0 : decode_frame_header(here->data()).frame_bytes();
    if (whole > part.used - at) whole = here->size();  // nonsense: the check below says so
    if (whole > here->size()) {
      // The candidates look into the block that would be replaced: hand them out first.
      if (!candidates_.empty()) break;
      here = block(at, whole, part.used);
      if (!here) return around_unreadable(context, part, want, here.error());
    }
    const std::optional<FrameHeader> header = decode_frame(seed, *here);
    // A whole frame in the place of another is damage, too: sequences only rise.
    if (!header || (want.from <= header->sequence && header->sequence < next)) {
      if (!candidates_.empty()) break;
      context.damaged(*part.header);
      return around_damage(part, want);
    }
    if (want.from <= header->sequence && header->lane < part.lane_of->size() &&
        (*part.lane_of)[header->lane] == want.lane) {
      candidates_.push_back({*header, here->substr(kFrameHeaderBytes, header->payload_bytes)});
      bytes += header->payload_bytes;
    }
    next = std::max(next, header->sequence.next());
    at += header->frame_bytes();
    // A new block would move the candidates' bytes away.
    if (!candidates_.empty() && at + kFrameHeaderBytes > block_at_ + block_.size()) break;
  }
  place_ = at;
  place_next_ = next;
  if (at >= part.used) next = std::max(next, part.last.next());
  return next;
}

// Blocks that the disk does not give are damage where it gives others; else it may give them later.
Result<Sequence> LaneReader::around_unreadable(const ReadContext& context, const Part& part, const Want& want,
                                               const Error& why) {
  if (const Result<void> opened = open(context, *part.header); !opened) return fail(opened.error());
  const Result<ReadBack> read = read_whole(*file_, part.used);
  if (!read || all_zero(read->bytes)) return fail(why);
  context.damaged(*part.header);
  return around_damage(part, want);
}

// Rare: reads the whole segment and steps over what does not verify.
Result<Sequence> LaneReader::around_damage(const Part& part, const Want& want) {
  Result<ReadBack> read = read_whole(*file_, part.used);
  if (!read) return fail(read.error());
  block_ = std::move(read->bytes);
  block_at_ = 0;
  place_next_ = Sequence(0);
  place_ = 0;
  std::size_t bytes = 0;
  SegmentReader reader(block_, *part.header);
  for (auto item = reader.next(); item != SegmentReader::Item::end; item = reader.next()) {
    if (item != SegmentReader::Item::frame || reader.header().sequence < want.from) continue;
    if (candidates_.size() >= want.records || bytes >= want.bytes) return reader.header().sequence;
    if (reader.header().lane < part.lane_of->size() && (*part.lane_of)[reader.header().lane] == want.lane) {
      candidates_.push_back({reader.header(), reader.payload()});
      bytes += reader.payload().size();
    }
  }
  return part.last.next();
}

Result<std::string_view> LaneReader::block(std::uint64_t offset, std::size_t bytes, std::uint64_t used) {
  const bool inside = offset >= block_at_ && offset - block_at_ < block_.size() &&
                      (offset - block_at_ + bytes <= block_.size() || block_at_ + block_.size() >= used);
  if (!inside) {
    const std::uint64_t wanted = std::min<std::uint64_t>(std::max(bytes, kReadBytes), used - offset);
    block_at_ = offset;
    if (const Result<void> read = file_->read_at(offset, static_cast<std::size_t>(wanted), block_); !read) {
      release();
      return fail(read.error());
    }
  }
  const std::size_t begin = static_cast<std::size_t>(offset - block_at_);
  const std::size_t end = static_cast<std::size_t>(std::min<std::uint64_t>(block_.size(), used - block_at_));
  return std::string_view(block_).substr(begin, end - begin);
}

Result<void> LaneReader::open(const ReadContext& context, const SegmentHeader& segment) {
  if (file_ != nullptr && segment_ == segment.number && generation_ == segment.generation) return {};
  release();
  Result<std::unique_ptr<system::File>> file =
      context.disk.open(context.directory + "/" + segment_name(segment), system::OpenMode::read);
  if (!file) return fail(file.error());
  file_ = std::move(*file);
  segment_ = segment.number;
  generation_ = segment.generation;
  return {};
}

void LaneReader::release() {
  if (file_ == nullptr) return;
  file_.reset();
  segment_ = 0;
  std::string().swap(block_);
  block_at_ = 0;
}

}  // namespace railhead::spool
