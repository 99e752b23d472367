// The engine's part that mends: what recovery and readers found wrong is kept in damaged/, cut, or set aside, and what
// is lost is counted. The committer's thread, but for condemn(): a reader's.
#include <algorithm>

#include "gateway/spool/engine.h"
#include "gateway/spool/segment_reader.h"
#include "gateway/spool/segment_scan.h"

namespace railhead::spool {

Result<void> Spool::Engine::mend() {
  while (!repairs_.empty() && repairs_.front().before_states) {
    if (const Result<void> applied = apply(repairs_.front()); !applied) return applied;
    repairs_.erase(repairs_.begin());
  }
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
  if (disk_.exists(path("damaged")) && !disk_.list(path("damaged"))) {  // somebody's file, or one that is broken
    std::string away;
    for (int number = 1; away.empty() || (disk_.exists(away) && number < 1000); ++number)
      away = path("damaged." + std::to_string(number));
    if (Result<void> moved = disk_.rename(path("damaged"), away); !moved) return moved;
  }
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
      Result<ReadBack> read = read_whole(**from, repair.end);
      if (!read || read->bytes.size() <= repair.begin) return {};
      const std::string_view bytes = std::string_view(read->bytes).substr(static_cast<std::size_t>(repair.begin));
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
    case Repair::Kind::renew_header: {
      const auto opened = disk_.open(file, system::OpenMode::read_write);
      if (!opened) return disk_.exists(file) ? fail(opened.error()) : Result<void>();
      if (Result<void> written = (*opened)->write_at(0, repair.header); !written) return written;
      counts_.bytes_written += repair.header.size();
      ++counts_.syncs;
      return (*opened)->sync();
    }
    case Repair::Kind::remove: return disk_.exists(file) ? disk_.remove(file) : Result<void>();
    case Repair::Kind::set_aside: {
      if (!disk_.exists(file)) return {};
      const Result<void> made = make_damaged();
      // Not a block left for a directory: the file stays where it is, under a name that is nobody's.
      if (!made && made.error().code == Errc::full) return disk_.rename(file, file + ".damaged");
      if (!made) return made;
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

// A reader met a durable frame that does not verify: recount what the segment still has, once, and keep the bad bytes.
void Spool::Engine::condemn(const SegmentHeader& condemned) {
  const std::string name = segment_name(condemned);
  const auto file = disk_.open(path(name), system::OpenMode::read);
  const bool gone = !file && file.error().code == Errc::unavailable;  // somebody removed it
  if (!gone) {
    const base::MutexLock lock(repairs_mutex_);
    if (std::find(condemned_.begin(), condemned_.end(), name) != condemned_.end()) return;
  }
  std::shared_ptr<const SegmentHeader> header;
  std::shared_ptr<const std::vector<LaneId>> lane_of;
  std::uint64_t used = 0;
  Sequence last;
  {
    const base::MutexLock lock(shelf_.mutex);
    const Segment* segment = shelf_.segments.same(condemned);
    if (segment == nullptr) return;
    header = segment->header;
    lane_of = segment->lane_of;
    used = segment->used;
    last = segment->last;
  }
  Result<ReadBack> read = file ? read_whole(**file, used) : fail(file.error());
  if (gone) read = ReadBack{};
  if (!read) return;
  std::vector<std::pair<Sequence, LaneId>> whole;
  const SegmentScan scan = scan_segment(read->bytes, *header, last.value() + 1, [&](const ScannedFrame& frame) {
    if (frame.header.lane < lane_of->size()) {
      whole.emplace_back(frame.header.sequence, (*lane_of)[frame.header.lane]);
    }
  });
  std::uint64_t lost = 0;
  std::uint64_t bytes = 0;
  {
    const base::MutexLock lock(shelf_.mutex);
    Segment* segment = shelf_.segments.same(condemned);
    if (segment == nullptr || (segment->sealed && segment->unsettled == 0)) return;
    if (last < segment->last)
      return;  // more was committed meanwhile: the next read that meets the damage comes here again
    std::vector<std::uint32_t> readable(shelf_.lanes.size());
    std::vector<std::uint32_t> held(shelf_.lanes.size());
    Sequence before(segment->first().value() - 1);
    std::vector<std::pair<Sequence, Sequence>> holes;
    for (const auto& [one, lane] : whole) {
      if (before.next() < one) holes.emplace_back(before.next(), Sequence(one.value() - 1));
      before = one;
      if (segment->settled(lane, one)) continue;
      ++readable[lane.value()];
      if (segment->held(one)) ++held[lane.value()];
    }
    if (before < last) holes.emplace_back(before.next(), last);
    for (const auto& [first, end] : holes) segment->forget_held(first, end);
    segment->lost = std::move(holes);
    for (LaneCount& count : segment->lanes) {
      shelf_.release_held(count, count.held - held[count.lane.value()]);
      const std::uint32_t missing = count.unsettled - readable[count.lane.value()];
      count.unsettled -= missing;
      segment->unsettled -= missing;
      lost += missing;
      shelf_.lanes[count.lane.value()].ledger.damaged += missing;
      shelf_.lanes[count.lane.value()].ledger.spooled -= missing;
    }
    segment->forget_marks_if_done();
  }
  {
    const base::MutexLock lock(repairs_mutex_);
    condemned_.push_back(name);
    for (const Hole& hole : scan.holes) {
      // What recovery already kept is neither kept nor told again.
      if (hole.zeros || disk_.exists(path("damaged/" + damaged_name(name, hole.begin, hole.end)))) continue;
      bytes += hole.end - hole.begin;
      found_repairs_.push_back({Repair::Kind::keep_bytes, name, hole.begin, hole.end, false, false, true});
    }
  }
  if (lost == 0 && bytes == 0) return;
  reporter_.report(
      status::Event::spool_damaged,
      {{"spool", options_.name}, {"records", std::to_string(lost)}, {"bytes", std::to_string(bytes)}, {"what", name}});
  mark_dirty();
}

}  // namespace railhead::spool
