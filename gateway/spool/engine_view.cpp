// The engine's part that only looks: records for lanes and for those who walk the log, ledgers, backlogs, usage.
// Any thread.
#include <algorithm>
#include <chrono>

#include "gateway/spool/engine.h"
#include "gateway/spool/segment_reader.h"
#include "gateway/spool/segment_scan.h"

namespace railhead::spool {

ReadContext Spool::Engine::read_context() const {
  return {disk_, options_.path, boot_,
          [this](const SegmentHeader& segment) { const_cast<Engine*>(this)->condemn(segment); }};
}

Result<Sequence> Spool::Engine::read(LaneId lane, Sequence from, std::size_t records_max, std::size_t bytes_max,
                                     std::vector<Frame>& out) {
  std::shared_ptr<LaneReader> reader;
  {
    const base::MutexLock lock(shelf_.mutex);
    reader = shelf_.lanes.at(lane.value()).reader;
  }
  Result<Sequence> reached = reader->read(read_context(), shelf_, lane, from, records_max, bytes_max, out);
  if (!reached) {
    reporter_.report(status::Event::spool_unreadable, {{"spool", options_.name}, {"error", reached.error().what}});
  }
  return reached;
}

status::LaneLedger Spool::Engine::ledger(LaneId lane) const {
  const base::MutexLock lock(shelf_.mutex);
  return shelf_.lanes.at(lane.value()).ledger;
}

namespace {

// When the frame `one` was appended, as near as can be told without the disk.
Time appended_about(const Shelf& shelf, const Segment& segment, Sequence one) RAILHEAD_REQUIRES(shelf.mutex) {
  for (auto at = shelf.tail.rbegin(); at != shelf.tail.rend(); ++at) {
    const TailChunk& chunk = **at;
    if (chunk.last < one) break;
    if (one < chunk.first) continue;
    const std::string_view frames = chunk.frames.view();
    for (std::size_t place = 0; place < frames.size();) {
      const FrameHeader header = decode_frame_header(frames.data() + place);
      if (one <= header.sequence) return header.appended;
      place += header.frame_bytes();
    }
  }
  return segment.start_for(one).appended;
}

}  // namespace

std::vector<LaneInfo> Spool::Engine::lanes() const {
  const base::MutexLock lock(shelf_.mutex);
  std::vector<LaneInfo> infos;
  for (std::size_t i = 0; i < shelf_.lanes.size(); ++i) {
    const LaneId id(static_cast<std::uint32_t>(i));
    infos.push_back({shelf_.lanes[i].name, id, shelf_.lanes[i].ledger, durable().next(), 0, {}});
  }
  for (auto at = shelf_.segments.all().rbegin(); at != shelf_.segments.all().rend(); ++at) {
    for (const LaneCount& count : (*at)->lanes) {
      if (count.unsettled == 0) continue;
      LaneInfo& info = infos[count.lane.value()];
      info.first_unsettled = std::max((*at)->first(), count.settled_through.next());
      info.backlog_bytes += count.unsettled_bytes();
    }
  }
  for (LaneInfo& info : infos) {
    const Segment* segment = shelf_.segments.at_or_after(info.first_unsettled);
    if (segment == nullptr || info.backlog_bytes == 0) continue;
    const std::uint64_t first = segment->first().value();
    while (info.first_unsettled < segment->last && segment->bits.test(info.first_unsettled.value() - first)) {
      info.first_unsettled = info.first_unsettled.next();
    }
    info.oldest = appended_about(shelf_, *segment, info.first_unsettled);
  }
  return infos;
}

std::string Spool::Engine::note() const {
  const base::MutexLock lock(shelf_.mutex);
  return shelf_.note;
}

namespace {
constexpr auto kTrimWait = std::chrono::milliseconds{1};
constexpr int kTrimWaitsMax = 5'000;
}  // namespace

Result<void> Spool::Engine::for_each(Sequence from, const std::function<void(const Frame&)>& visit,
                                     const std::stop_token& enough) const {
  const ReadContext context = read_context();
  int waits = 0;
  for (Sequence at = std::max(from, Sequence(1)); !enough.stop_requested();) {
    Segment marks;  // a copy of what tells settled from unsettled
    {
      const base::MutexLock lock(shelf_.mutex);
      const Segment* segment = shelf_.segments.at_or_after(at);
      if (segment == nullptr) return {};
      marks = *segment;
    }
    const auto file = disk_.open(path(segment_name(*marks.header)), system::OpenMode::read);
    const Result<ReadBack> read = file ? read_whole(**file, marks.used) : fail(file.error());
    if (!read) {
      {
        const base::MutexLock lock(shelf_.mutex);
        if (shelf_.segments.same(*marks.header) == nullptr) continue;  // trimmed or rewritten meanwhile
      }
      // The committer removes the file first and forgets the segment a moment later: that moment is waited for.
      if (disk_.exists(path(segment_name(*marks.header))) || ++waits > kTrimWaitsMax) return fail(read.error());
      std::this_thread::sleep_for(kTrimWait);
      continue;
    }
    const auto scanned = scan_segment(read->bytes, *marks.header, marks.last.value() + 1, [&](const ScannedFrame& one) {
      if (one.header.sequence < at || one.header.lane >= marks.lane_of->size()) return;
      if (enough.stop_requested()) return;
      const LaneId lane = (*marks.lane_of)[one.header.lane];
      Frame frame = make_frame(context, *marks.header, one.header, lane, one.payload);
      frame.settled = marks.settled(lane, one.header.sequence);
      visit(frame);
    });
    static_cast<void>(scanned);
    at = marks.last.next();
  }
  return {};
}

Usage Spool::Engine::usage() const {
  Usage usage;
  {
    const base::MutexLock lock(shelf_.mutex);
    usage.bytes = shelf_.segments.allocated() + spare_bytes();
    usage.segments = shelf_.segments.all().size();
    usage.durable = durable();
    usage.first = usage.durable.next();
    for (const auto& segment : shelf_.segments.all()) {
      if (segment->empty()) continue;
      usage.first = segment->first();
      break;
    }
  }
  usage.limit = limit_shown_.load(std::memory_order_acquire);
  usage.bytes_written = bytes_written_.load(std::memory_order_relaxed);
  usage.syncs = syncs_.load(std::memory_order_relaxed);
  usage.payload_bytes = payload_bytes_.load(std::memory_order_relaxed);
  usage.compactions = compactions_.load(std::memory_order_relaxed);
  usage.compaction_bytes = compaction_bytes_.load(std::memory_order_relaxed);
  const base::MutexLock lock(append_mutex_);
  usage.next = Sequence(next_);
  usage.failing = failing_;
  usage.full = full_;
  usage.why = why_;
  return usage;
}

}  // namespace railhead::spool
