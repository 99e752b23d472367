// The engine's part that runs on the appenders' threads.
#include "gateway/base/assert.h"
#include "gateway/spool/engine.h"
#include "gateway/spool/segment_reader.h"
#include "gateway/spool/segment_scan.h"

namespace railhead::spool {
namespace {

constexpr Duration kAskTrustEvery = std::chrono::seconds{1};  // adjtimex is a system call
constexpr Duration kLookForRoomEvery = std::chrono::seconds{1};

}  // namespace

// The bytes the groups take; none of this needs the lock.
Result<std::size_t> Spool::Engine::check(std::span<const Entry> groups) const {
  RAILHEAD_ASSERT(!groups.empty() && groups.back().ends_group);
  const std::uint32_t lanes = lanes_known_.load(std::memory_order_acquire);
  std::size_t total = 0;
  std::size_t group = 0;
  for (const Entry& entry : groups) {
    RAILHEAD_ASSERT(entry.lane.value() < lanes && entry.klass <= 2);
    if (entry.payload.size() > group_bytes_max_) {
      return fail(Errc::invalid, "record of " + std::to_string(entry.payload.size()) + " bytes, at most " +
                                     std::to_string(group_bytes_max_) + " fit this spool");
    }
    group += frame_bytes(entry.payload.size());
    total += frame_bytes(entry.payload.size());
    if (group > group_bytes_max_) {
      return fail(Errc::invalid, "records of one reading take more than " + std::to_string(group_bytes_max_) +
                                     " bytes, which do not fit this spool");
    }
    if (entry.ends_group) group = 0;
  }
  if (total > pending_bytes_max_) return fail(Errc::full, "batch is larger than the append buffer");
  return total;
}

bool Spool::Engine::clock_trusted(BootTime now) {
  if (!trust_asked_ || now < *trust_asked_ || now - *trust_asked_ >= kAskTrustEvery) {
    trusted_ = clock_.trusted();
    trust_asked_ = now;
  }
  return trusted_;
}

Result<Sequence> Spool::Engine::append(std::span<const Entry> groups) {
  const Result<std::size_t> bytes = check(groups);
  if (!bytes) return fail(bytes.error());
  const Time wall = clock_.now();
  const BootTime now = clock_.boot_now();
  bool became_full = false;
  bool wakes = false;
  Sequence last;
  {
    const base::MutexLock lock(append_mutex_);
    if (stop_) return fail(Errc::stopped, "spool is closing");
    if (failing_) return fail(Errc::io, why_);
    const std::size_t waiting = pending_.size();
    if (waiting > 0 && waiting + *bytes > pending_bytes_max_)
      return fail(Errc::full, "the disk is slower than the field");
    bool room = true;
    if (options_.when_full == SpoolOptions::WhenFull::block) {
      const std::uint64_t unwritten = waiting + in_flight_.load(std::memory_order_acquire);
      room = occupied_.load(std::memory_order_acquire) + unwritten + unwritten / 8 + *bytes <=
             room_limit_.load(std::memory_order_acquire);
    }
    if (!room) {
      became_full = !full_;
      full_ = true;
      if (now - looked_for_room_ >= kLookForRoomEvery || now < looked_for_room_) {
        looked_for_room_ = now;
        look_for_room_ = true;
        wakes = true;
      }
    } else {
      full_ = false;
      FrameHeader header;
      header.clock_trusted = clock_trusted(now);
      header.appended = wall;
      header.appended_boot = now.time_since_epoch();
      header.group_ends = true;
      char* to = pending_.extend(*bytes);
      for (const Entry& entry : groups) {
        header.group_begins = header.group_ends;
        header.group_ends = entry.ends_group;
        header.internal = entry.internal;
        header.klass = entry.klass;
        header.lane = static_cast<std::uint16_t>(entry.lane.value());
        header.payload_bytes = static_cast<std::uint32_t>(entry.payload.size());
        header.sequence = Sequence(next_++);
        encode_frame_header(header, to);
        if (!entry.payload.empty()) std::memcpy(to + kFrameHeaderBytes, entry.payload.data(), entry.payload.size());
        const std::size_t whole = header.frame_bytes();
        for (std::size_t at = kFrameHeaderBytes + entry.payload.size(); at < whole; ++at) to[at] = '\0';
        to += whole;
      }
      last = Sequence(next_ - 1);
      next_shown_.store(next_, std::memory_order_release);
      wakes = waiting == 0 || (waiting < pace_.bytes() && waiting + *bytes >= pace_.bytes());
    }
  }
  if (wakes) committer_wakes_.notify_one();
  if (last.value() == 0) {
    if (became_full) {
      reporter_.report(status::Event::spool_full,
                       {{"spool", options_.name}, {"limit", std::to_string(options_.limit)}});
    }
    return fail(Errc::full, "spool '" + options_.name + "' is full");
  }
  return last;
}

void Spool::Engine::mark_dirty() {
  if (dirty_.exchange(true, std::memory_order_acq_rel)) return;
  const BootTime now = clock_.boot_now();
  const base::MutexLock lock(append_mutex_);
  dirty_since_ = now;
  committer_wakes_.notify_one();
}

LaneId Spool::Engine::lane(std::string_view name) {
  RAILHEAD_ASSERT(!name.empty() && name.size() <= kLaneNameBytesMax);
  LaneId id;
  {
    const base::MutexLock lock(shelf_.mutex);
    const auto known = shelf_.lane_by_name.find(name);
    if (known != shelf_.lane_by_name.end()) return known->second;
    RAILHEAD_ASSERT(shelf_.lanes.size() < kLanesMax);
    id = LaneId(static_cast<std::uint32_t>(shelf_.lanes.size()));
    shelf_.lanes.push_back({std::string(name), {}, std::make_shared<LaneReader>()});
    shelf_.lane_by_name.emplace(name, id);
    lanes_known_.store(id.value() + 1, std::memory_order_release);
  }
  return id;
}

void Spool::Engine::settle(LaneId lane, std::span<const Sequence> many, Outcome outcome) {
  bool changed = false;
  std::vector<Sequence> later;  // in compacted segments of which it is not known what they hold
  std::shared_ptr<const SegmentHeader> unknown;
  {
    const base::MutexLock lock(shelf_.mutex);
    status::LaneLedger& ledger = shelf_.lanes.at(lane.value()).ledger;
    for (const Sequence one : many) {
      RAILHEAD_ASSERT(one.value() <= shelf_.durable.load(std::memory_order_relaxed));
      Segment* segment = shelf_.segments.at_or_after(one);
      if (segment == nullptr) continue;
      if (segment->header->compacted && segment->members == nullptr && segment->first() <= one) {
        later.push_back(one);
        unknown = segment->header;
        continue;
      }
      if (segment->set_held(lane, one, false)) {
        --ledger.held;
        ++ledger.spooled;
      }
      if (!segment->settle(lane, one)) continue;
      changed = true;
      --ledger.spooled;
      switch (outcome) {
        case Outcome::delivered: ++ledger.delivered; break;
        case Outcome::expired: ++ledger.expired; break;
        case Outcome::set_aside: ++ledger.set_aside; break;
        case Outcome::dropped: ++ledger.dropped; break;
      }
    }
  }
  if (changed) mark_dirty();
  // Each round makes one segment known. What cannot be read stays owed, and is given out again.
  if (!later.empty() && load_members(*unknown)) settle(lane, later, outcome);
}

namespace {
constexpr std::size_t kMembersKept = 8;  // segments
}

Result<void> Spool::Engine::load_members(const SegmentHeader& header) {
  std::uint64_t used = 0;
  {
    const base::MutexLock lock(shelf_.mutex);
    const Segment* const segment = shelf_.segments.same(header);
    if (segment == nullptr || segment->members != nullptr) return {};  // look again
    used = segment->used;
  }
  const auto file = disk_.open(path(segment_name(header)), system::OpenMode::read);
  const Result<ReadBack> read = file ? read_whole(**file, used) : fail(file.error());
  auto members = std::make_shared<std::vector<Sequence>>();
  if (read) {
    static_cast<void>(scan_segment(read->bytes, header, header.last.value() + 1,
                                   [&](const ScannedFrame& frame) { members->push_back(frame.header.sequence); }));
  }
  const base::MutexLock lock(shelf_.mutex);
  Segment* const segment = shelf_.segments.same(header);
  if (segment == nullptr) return {};
  if (!read) return fail(read.error());
  segment->members = std::move(members);
  shelf_.known_members.push_back(segment->header);
  if (shelf_.known_members.size() > kMembersKept) {
    Segment* const oldest = shelf_.segments.same(*shelf_.known_members.front());
    if (oldest != nullptr) oldest->members.reset();
    shelf_.known_members.pop_front();
  }
  return {};
}

Result<std::uint64_t> Spool::Engine::drop_lane(std::string_view name) {
  std::uint64_t dropped = 0;
  {
    const base::MutexLock lock(shelf_.mutex);
    const auto known = shelf_.lane_by_name.find(name);
    if (known == shelf_.lane_by_name.end()) {
      return fail(Errc::invalid, "spool '" + options_.name + "' has no lane '" + std::string(name) + "'");
    }
    for (const auto& segment : shelf_.segments.all()) {
      LaneCount* const count = segment->find(known->second);
      if (count == nullptr) continue;
      shelf_.release_held(*count);
      dropped += segment->settle_all(*count);
    }
    status::LaneLedger& ledger = shelf_.lanes[known->second.value()].ledger;
    ledger.spooled -= dropped;
    ledger.dropped += dropped;
  }
  if (dropped > 0) mark_dirty();
  return dropped;
}

void Spool::Engine::set_held(LaneId lane, std::span<const Sequence> many, bool held) {
  const base::MutexLock lock(shelf_.mutex);
  status::LaneLedger& ledger = shelf_.lanes.at(lane.value()).ledger;
  for (const Sequence one : many) {
    Segment* segment = shelf_.segments.at_or_after(one);
    if (segment == nullptr || !segment->set_held(lane, one, held)) continue;
    held ? ++ledger.held : --ledger.held;
    held ? --ledger.spooled : ++ledger.spooled;
  }
}

void Spool::Engine::count_repeat(LaneId lane) {
  {
    const base::MutexLock lock(shelf_.mutex);
    ++shelf_.lanes.at(lane.value()).ledger.repeats;
  }
  mark_dirty();
}

void Spool::Engine::set_note(std::string note) {
  RAILHEAD_ASSERT(note.size() <= 64 * 1024);
  {
    const base::MutexLock lock(shelf_.mutex);
    if (shelf_.note == note) return;
    shelf_.note = std::move(note);
  }
  mark_dirty();
}

}  // namespace railhead::spool
