// The engine's part that writes: committing and rolling. The committer's thread alone.
#include <algorithm>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/base/bytes.h"
#include "gateway/spool/engine.h"

namespace railhead::spool {
bool Spool::Engine::work(bool save, bool look_for_room) {
  Result<void> done = mend();
  if (done) {
    const std::uint64_t bytes = batch_.frames.size() - batch_.done;
    done = commit(batch_);
    if (done) go_on_with_job_behind(bytes);
  }
  // Also when the disk is full: what is settled may make room.
  if (!state_must_be_saved_ && (save || (!done && dirty_.load()))) {
    if (const Result<void> saved = save_state(); !saved && done) done = saved;
  }
  if (!done && done.error().code == Errc::full) {
    job_.reset();  // what it has written
    static_cast<void>(remove_spares(0));
  }
  if (look_for_room && done) {
    if (const Result<bool> compacted = compact_one(0); !compacted) done = fail(compacted.error());
  }
  bytes_written_.store(counts_.bytes_written, std::memory_order_relaxed);
  syncs_.store(counts_.syncs, std::memory_order_relaxed);
  if (!done) {
    failed(done.error());
    return false;
  }
  recovered();
  return true;
}

Result<void> Spool::Engine::commit(Batch& batch) {
  while (!batch.empty()) {
    if (active_ == nullptr) {
      if (Result<void> begun = begin_segment(batch.frames.view().substr(batch.done)); !begun) return begun;
    }
    const Run run = next_run(batch);
    if (run.end == run.begin) {
      end_segment();
      continue;
    }
    if (Result<void> written = active_->append(batch.frames.view().substr(run.begin, run.end - run.begin)); !written) {
      give_up_segment();  // durable: what failed to sync is never synced again
      return written;
    }
    publish(batch, run);
  }
  batch.frames.clear();
  batch.done = 0;
  return {};
}

// As many whole groups as fit into the active segment, finished for it. Empty when the next group needs a new segment.
Spool::Engine::Run Spool::Engine::next_run(Batch& batch) {
  Run run;
  run.begin = run.end = batch.done;
  const std::size_t lanes = active_->header()->lanes.size();
  run_lanes_.assign(lanes, LaneRun{});
  const Sequence durable_now = durable();
  const std::uint32_t seed = active_->seed();
  const std::uint64_t room = active_->capacity() - active_->used();
  std::uint64_t indexed = active_->used() - kIndexEvery;  // wraps: a run begins with a point
  char* const frames = batch.frames.data();
  while (run.end < batch.frames.size()) {
    std::size_t group_end = run.end;
    bool lanes_known = true;
    bool last = false;
    while (!last) {
      const FrameHeader header = decode_frame_header(frames + group_end);
      lanes_known = lanes_known && header.lane < lanes;
      last = header.group_ends;
      group_end += header.frame_bytes();
    }
    if (!lanes_known || group_end - run.begin > room) break;
    const std::uint64_t offset = active_->used() + (run.end - run.begin);
    const std::uint64_t sequence = base::load_le<std::uint64_t>(frames + run.end + 12);
    if (offset - indexed >= kIndexEvery) {
      run.index.push_back({Sequence(sequence - 1), offset, decode_frame_header(frames + run.end).appended});
      indexed = offset;
    }
    for (std::size_t at = run.end; at < group_end;) {
      finish_frame(seed, frames + at, durable_now);
      const FrameHeader header = decode_frame_header(frames + at);
      if (run.records == 0) run.first_appended = header.appended;
      ++run.records;
      run.classes |= class_bit(class_of(header));
      if (header.clock_trusted) {
        run.newest = std::max(run.newest, header.appended);
        run.oldest = std::min(run.oldest, header.appended);
      } else {
        run.all_trusted = false;
      }
      LaneRun& lane = run_lanes_[header.lane];
      ++lane.records;
      lane.bytes += header.frame_bytes();
      run.last = header.sequence;
      at += header.frame_bytes();
    }
    run.end = group_end;
  }
  return run;
}

// The run is on disk: now it counts.
void Spool::Engine::publish(Batch& batch, const Run& run) {
  auto chunk = std::make_shared<TailChunk>();
  chunk->segment = active_->header()->number;
  chunk->last = run.last;
  const std::size_t bytes = run.end - run.begin;
  batch.done = run.end;
  if (run.begin == 0 && batch.empty() && bytes >= 64 * 1024 && bytes * 2 >= batch.frames.capacity()) {
    chunk->frames = std::move(batch.frames);
    batch.frames = idle_buffers_.take_largest();
    batch.frames.clear();
    batch.done = 0;
  } else if (bytes <= options_.tail_bytes) {
    chunk->frames = idle_buffers_.take(bytes);
    chunk->frames.assign(batch.frames.view().substr(run.begin, bytes));
  }
  {
    const base::MutexLock lock(shelf_.mutex);
    Segment& segment = *active_entry_;
    chunk->first = segment.last.next();
    RAILHEAD_ASSERT(chunk->first.value() == shelf_.durable.load(std::memory_order_relaxed) + 1);
    segment.last = run.last;
    segment.used = active_->used();
    if (segment.records == 0) segment.first_appended = run.first_appended;
    segment.records += static_cast<std::uint32_t>(run.records);
    segment.classes |= run.classes;
    segment.newest = std::max(segment.newest, run.newest);
    segment.oldest = std::min(segment.oldest, run.oldest);
    segment.all_trusted = segment.all_trusted && run.all_trusted;
    for (const IndexPoint& point : run.index) segment.add_index(point);
    for (std::size_t lane = 0; lane < run_lanes_.size(); ++lane) {
      const std::uint32_t records = run_lanes_[lane].records;
      if (records == 0) continue;
      LaneCount& count = segment.count_of(LaneId(static_cast<std::uint32_t>(lane)));
      count.total += records;
      count.bytes += run_lanes_[lane].bytes;
      count.unsettled += records;
      segment.unsettled += records;
      status::LaneLedger& ledger = shelf_.lanes[lane].ledger;
      ledger.accepted += records;
      ledger.spooled += records;
    }
    if (chunk->frames.size() > 0) {
      shelf_.tail_bytes += chunk->frames.capacity();
      shelf_.tail.push_back(std::move(chunk));
    } else {
      shelf_.tail.clear();  // it would no longer be a tail
      shelf_.tail_bytes = 0;
    }
    while (shelf_.tail_bytes > options_.tail_bytes) {
      const std::shared_ptr<TailChunk>& oldest = shelf_.tail.front();
      shelf_.tail_bytes -= oldest->frames.capacity();
      // Readers take their reference under the mutex: a lone one stays alone.
      if (oldest.use_count() == 1) idle_buffers_.give(std::move(oldest->frames));
      shelf_.tail.pop_front();
    }
    shelf_.durable.store(run.last.value(), std::memory_order_release);
  }
  occupied_.fetch_add(bytes, std::memory_order_acq_rel);
  payload_bytes_.fetch_add(bytes - run.records * kFrameHeaderBytes, std::memory_order_relaxed);
  in_flight_.fetch_sub(bytes, std::memory_order_acq_rel);
  const base::MutexLock lock(subscribers_mutex_);
  for (const system::EventFd* event : subscribers_) event->signal();
}

// `frames` begins with the group that needs the segment.
Result<void> Spool::Engine::begin_segment(std::string_view frames) {
  SegmentHeader header;
  header.epoch = epoch_;
  header.number = next_segment_;
  header.first = durable().next();
  header.made = clock_.now();
  header.machine = machine_;
  header.boots = {boot_};
  auto lanes = std::make_shared<std::vector<LaneId>>();
  {
    const base::MutexLock lock(shelf_.mutex);
    for (const Lane& lane : shelf_.lanes) {
      lanes->push_back(LaneId(static_cast<std::uint32_t>(lanes->size())));
      header.lanes.push_back(lane.name);
    }
  }
  std::size_t group = 0;
  for (bool last = false; !last;) {
    const FrameHeader frame = decode_frame_header(frames.data() + group);
    last = frame.group_ends;
    group += frame.frame_bytes();
  }
  SegmentHeader measured = header;
  const std::uint64_t capacity = std::max<std::uint64_t>(segment_bytes_, encode_header(measured).size() + group);
  if (Result<void> room = make_room(capacity); !room) return room;
  ++next_segment_;
  Result<std::unique_ptr<SegmentWriter>> writer =
      SegmentWriter::create(disk_, options_.path, take_spare().file, std::move(header), capacity, counts_);
  if (!writer) return fail(writer.error());
  active_ = std::move(*writer);
  active_lanes_ = lanes;
  Segment segment;
  segment.header = active_->header();
  segment.lane_of = lanes;
  segment.last = Sequence(active_->header()->first.value() - 1);
  segment.used = active_->used();
  segment.allocated = capacity;
  {
    const base::MutexLock lock(shelf_.mutex);
    active_entry_ = &shelf_.segments.add(std::move(segment));
  }
  update_room();
  return {};
}

void Spool::Engine::end_segment() {
  const bool cut = active_->seal().has_value();
  {
    const base::MutexLock lock(shelf_.mutex);
    active_entry_->sealed = true;
    if (cut) active_entry_->allocated = in_disk_blocks(active_entry_->used);
    active_entry_->forget_marks_if_done();
  }
  if (!cut) repairs_.push_back({Repair::Kind::cut, segment_name(active_->header()->number), active_->used(), 0, true});
  active_.reset();
  active_entry_ = nullptr;
  update_room();
}

// After a failed write or sync nobody knows what lies behind the durable part. The records go into a new segment, whose
// first sequence makes every reader ignore them here; the cut is for tidiness.
void Spool::Engine::give_up_segment() {
  const std::uint64_t number = active_->header()->number;
  const bool empty = active_entry_->empty();
  if (empty) {
    repairs_.push_back({Repair::Kind::remove, segment_name(number), 0, 0, true});
  } else {
    repairs_.push_back({Repair::Kind::cut, segment_name(number), active_->used(), 0, true});
  }
  {
    const base::MutexLock lock(shelf_.mutex);
    if (empty) {
      shelf_.segments.remove(number);
    } else {
      active_entry_->sealed = true;
      active_entry_->allocated = in_disk_blocks(active_entry_->used);
      active_entry_->forget_marks_if_done();
    }
  }
  active_.reset();
  active_entry_ = nullptr;
  update_room();
}

}  // namespace railhead::spool
