// The engine's part that writes: committing, rolling, evicting, trimming, mending. The committer's thread alone.
#include <algorithm>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/base/bytes.h"
#include "gateway/spool/engine.h"

namespace railhead::spool {
namespace {

constexpr std::uint64_t kReserveShare = 4;  // keep_free never takes the last quarter of the limit (S12)

[[nodiscard]] std::uint64_t on_disk(std::uint64_t bytes) { return (bytes + 4095) / 4096 * 4096; }

}  // namespace

bool Spool::Engine::work(bool save, bool look_for_room) {
  Result<void> done = mend();
  if (done) {
    done = commit(batch_);
    // Also when the disk is full: what is settled may make room.
    if (save || (!done && dirty_.load())) {
      if (const Result<void> saved = save_state(); !saved && done) done = saved;
    }
    if (look_for_room && done) {
      if (const Result<bool> compacted = compact_one(0); !compacted) done = fail(compacted.error());
    }
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

Result<void> Spool::Engine::mend() {
  if (state_must_be_saved_) {
    if (const Result<void> saved = save_state(); !saved) return saved;  // durable: the epoch, before its first segment
    if (fresh_) {
      if (const Result<void> synced = sync_name(); !synced) return synced;  // durable: the spool's name
      fresh_ = false;
    }
    state_must_be_saved_ = false;
  }
  {
    const base::MutexLock lock(repairs_mutex_);
    repairs_.insert(repairs_.end(), found_repairs_.begin(), found_repairs_.end());
    found_repairs_.clear();
  }
  while (!repairs_.empty()) {
    const Result<void> applied = apply(repairs_.front());
    if (!applied && !repairs_.front().tidy) return applied;
    repairs_.erase(repairs_.begin());
    if (repairs_.empty()) {
      removals_unsynced_ = true;
      mark_dirty();  // trimming waited for this
    }
  }
  return {};
}

// The directory may have been made with some of those above it.
Result<void> Spool::Engine::sync_name() {
  std::string above = options_.path;
  for (bool nearest = true; !above.empty() && above != "/"; nearest = false) {
    const std::size_t slash = above.rfind('/');
    above = slash == std::string::npos ? "." : slash == 0 ? "/" : above.substr(0, slash);
    ++counts_.syncs;
    // One further up that may not be opened was not made here.
    if (Result<void> synced = disk_.sync_directory(above); !synced && nearest) return synced;
    if (slash == std::string::npos) break;
  }
  return {};
}

// Its name is durable before anything is moved into it.
Result<void> Spool::Engine::make_damaged() {
  if (damaged_made_ && disk_.exists(path("damaged"))) return {};
  if (Result<void> made = disk_.make_directories(path("damaged")); !made) return made;
  ++counts_.syncs;
  if (Result<void> synced = disk_.sync_directory(options_.path); !synced) return synced;  // durable: damaged/ itself
  damaged_made_ = true;
  return {};
}

Result<void> Spool::Engine::apply(const Repair& repair) {
  const std::string file = path(repair.file);
  const std::string damaged = path("damaged");
  switch (repair.kind) {
    case Repair::Kind::keep_bytes: {
      const auto from = disk_.open(file, system::OpenMode::read);
      if (!from) return {};  // gone meanwhile
      std::string bytes;
      if (!(*from)->read_at(repair.begin, static_cast<std::size_t>(repair.end - repair.begin), bytes)) return {};
      if (Result<void> made = make_damaged(); !made) return made;
      const std::string to = damaged + "/" + damaged_name(repair.file, repair.begin, repair.end);
      if (disk_.exists(to)) {
        if (Result<void> removed = disk_.remove(to); !removed) return removed;  // an unfinished copy
      }
      const auto kept = disk_.open(to, system::OpenMode::create_new);
      if (!kept) return fail(kept.error());
      if (Result<void> written = (*kept)->write_at(0, bytes); !written) return written;
      counts_.bytes_written += bytes.size();
      counts_.syncs += 2;
      if (Result<void> synced = (*kept)->sync(); !synced) return synced;  // durable: before the original is cut
      return disk_.sync_directory(damaged);                               // durable: its name
    }
    case Repair::Kind::cut: {
      if (!disk_.exists(file)) return {};
      const auto opened = disk_.open(file, system::OpenMode::read_write);
      if (!opened) return fail(opened.error());
      if (Result<void> cut = (*opened)->truncate(repair.begin); !cut) return cut;  // durable: tail cut
      ++counts_.syncs;
      return (*opened)->sync();  // S8; were it lost, the next segment's first sequence would still supersede the tail
    }
    case Repair::Kind::remove: return disk_.exists(file) ? disk_.remove(file) : Result<void>();
    case Repair::Kind::set_aside: {
      if (!disk_.exists(file)) return {};
      if (Result<void> made = make_damaged(); !made) return made;
      std::string to = damaged + "/" + repair.file;
      for (int again = 1; disk_.exists(to) && again < 1000; ++again)
        to = damaged + "/" + repair.file + "." + std::to_string(again);
      if (Result<void> moved = disk_.rename(file, to); !moved) return moved;
      ++counts_.syncs;
      return disk_.sync_directory(damaged);  // durable: the file kept
    }
  }
  return {};
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
    batch.frames = std::exchange(spare_, FrameBuffer());
    batch.frames.clear();
    batch.done = 0;
  } else if (bytes <= options_.tail_bytes) {
    chunk->frames = FrameBuffer::copy_of(batch.frames.view().substr(run.begin, bytes));
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
      if (oldest.use_count() == 1 && oldest->frames.capacity() > spare_.capacity()) spare_ = std::move(oldest->frames);
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
    if (cut) active_entry_->allocated = on_disk(active_entry_->used);
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
      active_entry_->allocated = on_disk(active_entry_->used);
      active_entry_->forget_marks_if_done();
    }
  }
  active_.reset();
  active_entry_ = nullptr;
  update_room();
}

std::uint64_t Spool::Engine::effective_limit() const {
  if (options_.keep_free == 0) return options_.limit;
  const Result<std::uint64_t> free = disk_.free_bytes(options_.path);
  if (!free) return options_.limit;
  std::uint64_t used = 0;
  {
    const base::MutexLock lock(shelf_.mutex);
    used = shelf_.segments.allocated();
  }
  const std::uint64_t may_grow = *free > options_.keep_free ? *free - options_.keep_free : 0;
  return std::min(options_.limit, std::max(options_.limit / kReserveShare, used + may_grow));
}

void Spool::Engine::update_room() {
  const std::uint64_t limit = effective_limit();
  limit_shown_.store(limit, std::memory_order_release);
  // The active segment is preallocated, and compaction needs room to work.
  const std::uint64_t kept_back = segment_bytes_ + working_bytes();
  room_limit_.store(limit > kept_back ? limit - kept_back : 0, std::memory_order_release);
  std::uint64_t occupied = 0;
  {
    const base::MutexLock lock(shelf_.mutex);
    for (const auto& segment : shelf_.segments.all()) occupied += segment->sealed ? segment->allocated : segment->used;
  }
  occupied_.store(occupied, std::memory_order_release);
}

// Settled, but kept for replay (S12): until its time is over, or the space is wanted. An untrusted time is never over.
bool Spool::Engine::is_kept(const Segment& segment, std::uint64_t freed) const {
  if (options_.keep_delivered <= Duration{0} || freed < wanted_bytes_) return false;
  return !segment.all_trusted || !clock_.trusted() || clock_.now() - segment.newest < options_.keep_delivered;
}

StoredState Spool::Engine::snapshot(Trimmable& trimmable) {
  StoredState state;
  state.epoch = epoch_;
  state.earlier = earlier_;
  state.machine = machine_;
  state.durable = durable();
  state.next_segment = next_segment_;
  state.note = shelf_.note;
  std::vector<Sequence> low(shelf_.lanes.size(), state.durable.next());
  for (auto at = shelf_.segments.all().rbegin(); at != shelf_.segments.all().rend(); ++at) {
    for (const LaneCount& count : (*at)->lanes) {
      if (count.unsettled > 0) low[count.lane.value()] = std::max((*at)->first(), count.settled_through.next());
    }
  }
  for (std::size_t lane = 0; lane < low.size(); ++lane) {
    status::LaneLedger ledger = shelf_.lanes[lane].ledger;
    ledger.spooled += std::exchange(ledger.held, 0);  // what waits is not known before the sink asks again
    state.lanes.push_back({shelf_.lanes[lane].name, low[lane], ledger});
  }
  std::uint64_t freed = 0;
  for (const auto& segment : shelf_.segments.all()) {
    if (segment->sealed && segment->unsettled == 0 && !is_kept(*segment, freed)) {
      freed += segment->allocated;
      trimmable.push_back({segment->number(), segment_name(*segment->header), segment->allocated});
    }
    StoredSegment stored{segment->number(), segment->first(), segment->last, {}, {}};
    bool partly = false;
    for (const LaneCount& count : segment->lanes) {
      if (segment->last < low[count.lane.value()]) continue;
      if (count.unsettled == 0) stored.full.push_back(count.lane);
      partly = partly || (count.unsettled > 0 && count.unsettled < count.total);
    }
    if (partly) stored.bits = segment->bits;
    if (partly || !stored.full.empty()) state.segments.push_back(std::move(stored));
  }
  return state;
}

Result<void> Spool::Engine::save_state() {
  if (Result<void> removed = remove_replaced(); !removed) return removed;
  if (removals_unsynced_) {
    ++counts_.syncs;
    if (Result<void> synced = disk_.sync_directory(options_.path); !synced) return synced;  // durable: removals first
    removals_unsynced_ = false;
  }
  Trimmable trimmable;
  StoredState state;
  {
    const base::MutexLock lock(append_mutex_);
    dirty_since_.reset();
    dirty_.store(false);
  }
  {
    const base::MutexLock lock(shelf_.mutex);
    state = snapshot(trimmable);
  }
  Result<void> saved;
  saved = state_file_.save(state, counts_.bytes_written, counts_.syncs);  // durable: before what it settles is trimmed
  if (!saved) {
    mark_dirty();
    return saved;
  }
  saved_through_ = state.durable;
  if (trimmable.empty() || !repairs_.empty()) return {};  // a repair may still need a segment's bytes
  Result<void> removed;
  removals_unsynced_ = true;
  for (const Trim& trim : trimmable) {
    const Result<bool> kept = keep_as_spare(trim.file, trim.bytes);
    if (!kept) removed = fail(kept.error());
    if (removed && !*kept && disk_.exists(path(trim.file))) removed = disk_.remove(path(trim.file));
    if (!removed) break;
    const base::MutexLock lock(shelf_.mutex);
    shelf_.segments.remove(trim.number);
  }
  ++counts_.syncs;
  if (removed) removed = disk_.sync_directory(options_.path);  // durable: before states that no longer name them
  if (removed) removals_unsynced_ = false;
  if (removed) removed = blank_spares();
  if (!removed) mark_dirty();
  update_room();
  return removed;
}

}  // namespace railhead::spool
