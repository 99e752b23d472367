// The engine's part that remembers: what the bounds leave, the lane states, and the end of segments they call settled.
// The committer's thread alone.
#include <algorithm>
#include <utility>

#include "gateway/spool/engine.h"

namespace railhead::spool {
namespace {

constexpr std::uint64_t kReserveShare = 4;  // keep_free never takes the last quarter of the limit (S12)

}  // namespace

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
  // A repair may still need a segment's bytes, or take away what another one replaced.
  for (const Repair& repair : repairs_) {
    if (!repair.own_file_only && !repair.tidy) return {};
    std::erase_if(trimmable, [&](const Trim& trim) { return trim.file == repair.file; });
  }
  if (trimmable.empty()) return {};
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
