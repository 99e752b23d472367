// The engine's part that makes room: trimming first, then compaction, then eviction, which is compaction too (S10).
// The committer's thread alone.
//
// Order on disk: lane states that know what the new file leaves out, then the new file's name, then the end of the old
// ones. A power cut in between leaves both, and the new one replaces the old ones (recovery.h).
#include <algorithm>

#include "gateway/base/assert.h"
#include "gateway/spool/compaction.h"
#include "gateway/spool/engine.h"
#include "gateway/spool/segment_reader.h"

namespace railhead::spool {
namespace {

constexpr std::uint64_t kMergedBytesMax = std::uint64_t{1024} * 1024;
// A segment is rewritten for the sake of this share of it, and not for less: else a few settled records would cost
// rewriting the whole spool.
constexpr std::uint64_t kWorthwhileShare = 16;
constexpr std::uint64_t kPlentyShare = 2;
// From here on a segment's worth of work is done ahead, each time a segment begins.
constexpr std::uint64_t kAheadNumerator = 3;
constexpr std::uint64_t kAheadDenominator = 4;
constexpr std::uint64_t kStepBytesMin = std::uint64_t{64} * 1024;
constexpr std::uint64_t kStepShare = 2;  // a segment is read while half of the next one is written

[[nodiscard]] std::uint64_t owed_bytes(const Segment& segment) {
  std::uint64_t bytes = 0;
  for (const LaneCount& count : segment.lanes) bytes += count.unsettled_bytes();
  return bytes;
}

// What rewriting it alone would give back.
[[nodiscard]] std::uint64_t gain_of(const Segment& segment) {
  if (!segment.sealed || segment.unsettled == 0) return 0;  // those are trimmed
  const std::uint64_t left = in_disk_blocks(segment.header->frames_begin() + owed_bytes(segment));
  const std::uint64_t gain = segment.allocated > left ? segment.allocated - left : 0;
  return gain >= std::max(kDiskBlockBytes, segment.allocated / kWorthwhileShare) ? gain : 0;
}

[[nodiscard]] bool fits(const Segment& one, const Segment& other) {
  return one.sealed && one.unsettled > 0 && one.header->epoch == other.header->epoch &&
         one.header->boots.size() + other.header->boots.size() <= kBootsMax / 4;
}

}  // namespace

std::uint64_t Spool::Engine::missing_room(std::uint64_t bytes) const {
  const std::uint64_t limit = effective_limit();
  const base::MutexLock lock(shelf_.mutex);
  const std::uint64_t wanted =
      shelf_.segments.allocated() + spare_bytes() + bytes + working_bytes() + state_file_.allocated();
  return wanted > limit ? wanted - limit : 0;
}

Result<void> Spool::Engine::make_room(std::uint64_t bytes) {
  if (missing_room(bytes) == 0) {
    // What is kept for replay stays until the space is really wanted.
    if (options_.keep_delivered <= Duration{0} &&
        usage().bytes + bytes > options_.limit / kAheadDenominator * kAheadNumerator) {
      begin_job(0);
    }
    return {};
  }
  // The segment to come takes a spare, so one of them is as good as free, and no more are kept now.
  const auto missing = [&]() -> std::uint64_t {
    if (const Result<void> removed = remove_spares(1); !removed) return missing_room(bytes);
    return missing_room(bytes - std::min(bytes, spare_bytes()));
  };
  if (missing() == 0) return {};
  if (dirty_.load() || options_.keep_delivered > Duration{0}) {  // what is settled goes first
    wanted_bytes_ = missing();
    const Result<void> saved = save_state();
    wanted_bytes_ = 0;
    if (!saved) return saved;
  }
  while (missing() > 0) {
    Result<bool> done = compact_one(0);
    if (done && !*done) {
      if (options_.when_full == SpoolOptions::WhenFull::block) return {};
      done = evict_one();
    }
    if (!done) return fail(done.error());
    if (!*done) return {};
  }
  return {};
}

// The neighbours that are best written again as one; empty when nothing is worth it.
std::vector<CompactionSource> Spool::Engine::choose_sources() const {
  const auto& all = shelf_.segments.all();
  std::size_t best = all.size();
  std::uint64_t best_gain = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::uint64_t gain = gain_of(*all[i]);
    if (gain <= best_gain) continue;
    best = i;
    best_gain = gain;
    if (gain >= all[i]->allocated / kPlentyShare) break;  // the oldest will do
  }
  if (best == all.size()) return {};
  std::size_t first = best;
  std::size_t last = best;
  std::uint64_t bytes = owed_bytes(*all[best]);
  const std::uint64_t most = std::min(segment_bytes_, kMergedBytesMax);
  while (first > 0 && fits(*all[first - 1], *all[best]) && bytes + owed_bytes(*all[first - 1]) <= most) {
    bytes += owed_bytes(*all[--first]);
  }
  while (last + 1 < all.size() && fits(*all[last + 1], *all[best]) && bytes + owed_bytes(*all[last + 1]) <= most) {
    bytes += owed_bytes(*all[++last]);
  }
  std::vector<CompactionSource> sources;
  for (std::size_t i = first; i <= last; ++i) sources.push_back({*all[i], false});
  return sources;
}

// Writes something again, now; false when nothing is worth it. With classes to evict only the oldest segment that has
// any.
Result<bool> Spool::Engine::compact_one(std::uint8_t evict) {
  if (job_ == nullptr) begin_job(evict);
  if (job_ == nullptr) return false;
  while (job_ != nullptr) {
    if (const Result<void> gone_on = go_on_with_job(kNotSuperseded); !gone_on) return fail(gone_on.error());
  }
  return true;
}

void Spool::Engine::begin_job(std::uint8_t evict) {
  if (job_ != nullptr) return;
  std::vector<CompactionSource> sources;
  {
    const base::MutexLock lock(shelf_.mutex);
    if (evict == 0) {
      sources = choose_sources();
    } else {
      for (const auto& segment : shelf_.segments.all()) {
        if (!segment->sealed || segment->unsettled == 0 || (segment->classes & evict) == 0) continue;
        sources.push_back({*segment, false});
        break;
      }
    }
  }
  if (!sources.empty()) job_ = std::make_unique<Compaction>(disk_, options_.path, std::move(sources), evict, counts_);
}

// Sources that were trimmed meanwhile end it.
Result<void> Spool::Engine::go_on_with_job(std::uint64_t bytes) {
  const Result<bool> whole = job_->step(bytes);
  if (whole && !*whole) return {};
  const std::unique_ptr<Compaction> job = std::move(job_);
  if (whole) return publish(job->sources(), job->take());
  if (whole.error().code != Errc::damaged && whole.error().code != Errc::unavailable) return fail(whole.error());
  // Count and keep the bad bytes first; what recovery found is already counted, and kept by the repairs.
  std::vector<CompactionSource> sources = job->sources();
  for (CompactionSource& source : sources) {
    condemn(*source.segment.header);
    const base::MutexLock lock(shelf_.mutex);
    const Segment* const now = shelf_.segments.same(*source.segment.header);
    if (now == nullptr || now->unsettled == 0 || source.damage_accounted) return {};
    source.segment = *now;
    source.damage_accounted = true;
  }
  if (Result<void> mended = mend(); !mended) return mended;
  job_ = std::make_unique<Compaction>(disk_, options_.path, std::move(sources), job->evicts(), counts_);
  return {};
}

// Behind a commit of so many bytes: fast enough to be done before the segment is full, and no longer than a commit.
void Spool::Engine::go_on_with_job_behind(std::uint64_t committed) {
  if (job_ == nullptr || committed == 0) return;
  // What fails here is tried again when the room is needed.
  static_cast<void>(go_on_with_job(std::max(kStepBytesMin, committed * kStepShare)));
  if (job_ == nullptr && missing_room(segment_bytes_) > 0) begin_job(0);
}

Result<void> Spool::Engine::publish(const std::vector<CompactionSource>& sources, Compacted compacted) {
  settle_evicted(compacted.evicted);
  const std::string fresh = path(std::string(kCompactNewName));
  const auto still_there = [&] {
    const base::MutexLock lock(shelf_.mutex);
    for (const CompactionSource& source : sources) {
      if (shelf_.segments.same(*source.segment.header) == nullptr) return false;
    }
    return true;
  };
  Result<void> saved;
  saved = save_state();  // durable: what the new file leaves out is settled, and says so
  if (!saved || compacted.segment.records == 0 || !still_there()) {
    // Trimmed meanwhile, or nothing left to write: the old files serve until they are trimmed.
    if (disk_.exists(fresh)) static_cast<void>(disk_.remove(fresh));
    return saved;
  }
  const std::string name = segment_name(*compacted.segment.header);
  if (Result<void> renamed = disk_.rename(fresh, path(name)); !renamed) return renamed;  // durable: whole or not at all
  compacted.segment.allocated = in_disk_blocks(compacted.segment.used);
  std::vector<std::uint64_t> numbers;
  {
    const base::MutexLock lock(shelf_.mutex);
    Segment& segment = compacted.segment;
    std::size_t place = 0;
    for (const auto& [one, lane] : compacted.kept) {
      while (sources[place].segment.last < one) ++place;
      const Segment* const old = shelf_.segments.same(*sources[place].segment.header);
      if (!old->settled(lane, one)) {
        if (old->held(one)) segment.set_held(lane, one, true);
        continue;
      }
      // Settled while we wrote.
      segment.set_settled(one);
      --segment.count_of(lane).unsettled;
      --segment.unsettled;
    }
    for (const CompactionSource& source : sources) numbers.push_back(source.segment.number());
    compactions_.fetch_add(numbers.size(), std::memory_order_relaxed);
    compaction_bytes_.fetch_add(segment.used, std::memory_order_relaxed);
    segment.forget_marks_if_done();
    shelf_.segments.replace(numbers, std::move(segment));
  }
  for (const CompactionSource& source : sources) replaced_.push_back(segment_name(*source.segment.header));
  replacing_ = name;
  mark_dirty();
  update_room();
  return remove_replaced();
}

// Files whose records live on in a compacted one.
Result<void> Spool::Engine::remove_replaced() {
  if (replaced_.empty()) return {};
  if (name_in_doubt_) {  // durable: a name whose sync failed is given again
    if (Result<void> renewed = renew_name(); !renewed) return renewed;
  }
  ++counts_.syncs;
  name_in_doubt_ = true;
  if (Result<void> synced = disk_.sync_directory(options_.path); !synced) return synced;  // durable: the new name first
  name_in_doubt_ = false;
  while (!replaced_.empty()) {
    const std::string file = path(replaced_.back());
    if (disk_.exists(file)) {
      removals_unsynced_ = true;
      if (Result<void> removed = disk_.remove(file); !removed) return removed;
    }
    replaced_.pop_back();
  }
  return {};
}

// A sync of the directory failed, and one that is tried again may succeed without the name: it is given once more, to
// another file with the same bytes.
Result<void> Spool::Engine::renew_name() {
  const auto from = disk_.open(path(replacing_), system::OpenMode::read);
  if (!from) return fail(from.error());
  const Result<ReadBack> read = read_whole(**from);
  if (!read) return fail(read.error());
  const std::string fresh = path(std::string(kCompactNewName));
  if (disk_.exists(fresh)) {
    if (Result<void> removed = disk_.remove(fresh); !removed) return removed;
  }
  const auto to = disk_.open(fresh, system::OpenMode::create_new);
  if (!to) return fail(to.error());
  if (Result<void> written = (*to)->write_at(0, read->bytes); !written) return written;
  counts_.bytes_written += read->bytes.size();
  ++counts_.syncs;
  if (Result<void> synced = (*to)->sync(); !synced) return synced;
  return disk_.rename(fresh, path(replacing_));
}

void Spool::Engine::settle_evicted(const std::vector<std::pair<Sequence, LaneId>>& evicted) {
  std::vector<std::uint64_t> per_lane;
  {
    const base::MutexLock lock(shelf_.mutex);
    per_lane.resize(shelf_.lanes.size());
    for (const auto& [one, lane] : evicted) {
      Segment* const segment = shelf_.segments.at_or_after(one);
      if (segment == nullptr || !shelf_.take_off(*segment, lane, one)) continue;
      status::LaneLedger& ledger = shelf_.lanes[lane.value()].ledger;
      ++ledger.dropped;
      ++ledger.dropped_full;
      ++per_lane[lane.value()];
    }
  }
  report_dropped(per_lane);
}

// The oldest records of the lowest class; false when there is nothing to drop.
Result<bool> Spool::Engine::evict_one() {
  std::uint8_t evict = 0;
  bool whole = false;
  std::vector<std::uint64_t> per_lane;
  {
    const base::MutexLock lock(shelf_.mutex);
    per_lane.resize(shelf_.lanes.size());
    Segment* victim = nullptr;
    for (std::uint8_t klass = 0; klass <= kClassInternal && victim == nullptr; ++klass) {
      for (const auto& segment : shelf_.segments.all()) {
        if (!segment->sealed || segment->unsettled == 0 || (segment->classes & class_bit(klass)) == 0) continue;
        victim = segment.get();
        evict = class_bit(klass);
        break;
      }
    }
    if (victim == nullptr) return false;
    whole = victim->classes == evict;
    if (whole) {  // nothing of it is kept, so it need not be read
      shelf_.release_held(*victim);
      for (LaneCount& count : victim->lanes) {
        status::LaneLedger& ledger = shelf_.lanes[count.lane.value()].ledger;
        const std::uint32_t records = victim->settle_all(count);
        ledger.dropped += records;
        ledger.dropped_full += records;
        ledger.spooled -= records;
        per_lane[count.lane.value()] += records;
      }
    }
  }
  if (!whole) return compact_one(evict);
  report_dropped(per_lane);
  if (const Result<void> saved = save_state(); !saved) return fail(saved.error());
  return true;
}

void Spool::Engine::report_dropped(const std::vector<std::uint64_t>& per_lane) {
  for (std::size_t lane = 0; lane < per_lane.size(); ++lane) {
    if (per_lane[lane] == 0) continue;
    std::string name;
    {
      const base::MutexLock lock(shelf_.mutex);
      name = shelf_.lanes[lane].name;
    }
    reporter_.report(status::Event::spool_dropped,
                     {{"spool", options_.name}, {"lane", name}, {"records", std::to_string(per_lane[lane])}});
  }
}

}  // namespace railhead::spool
