#include "gateway/spool/recovery.h"

#include <malloc.h>

#include <algorithm>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/spool/compaction.h"
#include "gateway/spool/segment_reader.h"
#include "gateway/spool/segment_scan.h"

namespace railhead::spool {
namespace {

struct Scanned {
  std::string file;
  std::uint64_t file_bytes = 0;
  Segment segment;
  SegmentScan scan;         // the payloads it points to are gone
  bool unreadable = false;  // left alone
  std::vector<std::string> complaints;
  std::string buffer;  // what it was read into, to be used again
};

// Files of this size and more are read and checked two at a time, each on a thread of its own.
constexpr std::uint64_t kSideBySideFrom = std::uint64_t{1} << 20;
constexpr std::size_t kSideBySide = 2;

struct LaneFound {
  std::uint64_t known = 0;  // unsettled, at or below the state's durable
  std::uint64_t young = 0;  // unsettled, beyond it
};

class Recovery {
 public:
  Recovery(system::Disk& disk, const RecoveryInput& input) : disk_(disk), input_(input) {}

  Result<Recovered> run();

 private:
  struct File {
    std::string name;
    SegmentHeader header;
    std::uint64_t bytes = 0;
  };

  Result<void> read_state();
  Result<void> read_headers();
  void refuse_strangers();
  void refuse_superseded();
  Scanned scan(const File& file, std::uint64_t superseded_at, std::uint64_t bytes_max, std::string buffer) const;
  Scanned scan_next(std::size_t place, std::string buffer) const;
  void take(Scanned scanned);
  void scan_all();
  void find_end();
  void cut_at(std::size_t place, std::uint64_t offset);
  void count_again(const Scanned& scanned, Sequence known, std::vector<LaneFound>& found);
  void settle_ledgers();
  void choose_epoch();
  void list_repairs();

  LaneId lane(const std::string& name);
  bool was_settled(Sequence one, LaneId lane, const std::vector<const StoredSegment*>& stored) const;
  std::string path(const std::string& name) const { return input_.directory + "/" + name; }
  void complain(std::string what) { out_.complaints.push_back(std::move(what)); }

  system::Disk& disk_;
  const RecoveryInput& input_;
  StoredState state_;
  bool have_state_ = false;
  bool state_damaged_ = false;
  bool is_copy_ = false;
  std::vector<File> files_;
  std::vector<Scanned> scanned_;
  std::map<std::string, LaneId> lane_by_name_;
  Sequence proven_;
  Recovered out_;
};

LaneId Recovery::lane(const std::string& name) {
  const auto [at, made] = lane_by_name_.try_emplace(name, LaneId(static_cast<std::uint32_t>(out_.lanes.size())));
  if (made) {
    out_.lanes.push_back(name);
    out_.ledgers.emplace_back();
  }
  return at->second;
}

Result<void> Recovery::read_state() {
  Result<std::optional<LoadedState>> state = load_state(disk_, input_.directory);
  if (!state) {
    if (state.error().code != Errc::damaged) return fail(state.error().in("spool " + input_.directory));
    state_damaged_ = true;
    complain("lane states: " + state.error().what);
    return {};
  }
  if (!*state) return {};
  have_state_ = true;
  state_ = std::move((*state)->state);
  is_copy_ = (*state)->is_copy;
  // Held records are saved as spooled; a file that has some is read so.
  for (StoredLane& stored : state_.lanes) stored.ledger.spooled += std::exchange(stored.ledger.held, 0);
  for (const StoredLane& stored : state_.lanes) {
    const LaneId id = lane(stored.name);
    out_.ledgers[id.value()] = stored.ledger;
  }
  out_.note = state_.note;
  out_.next_segment = state_.next_segment;
  proven_ = state_.durable;
  return {};
}

Result<void> Recovery::read_headers() {
  const Result<std::vector<std::string>> names = disk_.list(input_.directory);
  if (!names) return fail(names.error());
  for (const std::string& name : *names) {
    if (name == kCompactNewName || is_spare_name(name))
      out_.repairs.push_back({Repair::Kind::remove, name, 0, 0, true});  // unfinished
    const std::optional<std::uint64_t> number = segment_number(name);
    if (!number) continue;  // not ours: left alone
    out_.next_segment = std::max(out_.next_segment, *number + 1);
    const Result<std::unique_ptr<system::File>> file = disk_.open(path(name), system::OpenMode::read);
    if (!file) return fail(file.error());
    Result<ReadBack> read = read_whole(**file, 8192);
    if (!read) return fail(read.error());
    if (is_blank(read->bytes)) {
      out_.repairs.push_back({Repair::Kind::remove, name, 0, 0, true});  // made ahead of its use
      continue;
    }
    Result<SegmentHeader> header = decode_header(read->bytes);
    if (!header && header.error().code == Errc::damaged && read->bytes.size() == 8192) {
      read = read_whole(**file, kHeaderBytesMax);
      if (!read) return fail(read.error());
      header = decode_header(read->bytes);
    }
    if (!header && header.error().code == Errc::unsupported) return fail(header.error().in(path(name)));
    if (!header) {
      const Result<ReadBack> all = read_whole(**file);
      if (all && all_zero(all->bytes)) {
        out_.repairs.push_back({Repair::Kind::remove, name, 0, 0, false});  // made, but never written
        continue;
      }
      complain(name + ": " + header.error().what);
      out_.repairs.push_back({Repair::Kind::set_aside, name, 0, 0, false});
      const Result<std::uint64_t> size = (*file)->size();
      out_.cut_bytes += size ? *size : 0;
      continue;
    }
    if (header->number != *number || header->generation != segment_generation(name)) {
      complain(name + " is a copy of " + segment_name(*header) + " or was renamed");
      out_.repairs.push_back({Repair::Kind::set_aside, name, 0, 0, false});
      continue;
    }
    const Result<std::uint64_t> size = (*file)->size();
    files_.push_back({name, std::move(*header), size ? *size : 0});
  }
  return {};
}

// Files of another spool, or of an older copy of this one, must not hide what is ours.
void Recovery::refuse_strangers() {
  const auto is_stranger = [&](const File& file) {
    if (!have_state_ || file.header.epoch == state_.epoch) return false;
    return std::find(state_.earlier.begin(), state_.earlier.end(), file.header.epoch) == state_.earlier.end();
  };
  std::erase_if(files_, [&](const File& file) {
    if (!is_stranger(file)) return false;
    complain(file.name + " belongs to another spool");
    out_.repairs.push_back({Repair::Kind::set_aside, file.name, 0, 0, false});
    return true;
  });
}

// Power failed between the new file's name and the end of the old ones'.
void Recovery::refuse_superseded() {
  const auto superseded = [&](const File& file) {
    return std::any_of(files_.begin(), files_.end(), [&](const File& by) {
      const SegmentHeader& header = by.header;
      if (!header.compacted || file.header.first < header.first || header.last < file.header.first) return false;
      return file.header.number < header.number ||
             (file.header.number == header.number && file.header.generation < header.generation);
    });
  };
  std::vector<File> kept;
  for (File& file : files_) {
    if (superseded(file)) {  // durable: what compaction left out must not come back
      out_.repairs.push_back({Repair::Kind::remove, file.name, 0, 0, false});
    } else {
      kept.push_back(file);
    }
  }
  files_ = std::move(kept);
}

bool Recovery::was_settled(Sequence one, LaneId lane, const std::vector<const StoredSegment*>& stored) const {
  if (!have_state_ || state_.durable < one || lane.value() >= state_.lanes.size()) return false;
  if (one < state_.lanes[lane.value()].low_water) return true;
  for (const StoredSegment* part : stored) {
    if (one < part->first || (part->last.value() != 0 && part->last < one)) continue;
    if (std::find(part->full.begin(), part->full.end(), lane) != part->full.end()) return true;
    if (part->bits.test(one.value() - part->first.value())) return true;
  }
  return false;
}

// Changes nothing of this object: several may run side by side. The file's lanes are registered.
Scanned Recovery::scan(const File& file, std::uint64_t superseded_at, std::uint64_t bytes_max,
                       std::string buffer) const {
  Scanned result;
  result.file = file.name;
  Segment& segment = result.segment;
  auto lane_of = std::make_shared<std::vector<LaneId>>();
  for (const std::string& name : file.header.lanes) lane_of->push_back(lane_by_name_.at(name));
  segment.header = std::make_shared<const SegmentHeader>(file.header);
  segment.lane_of = lane_of;
  segment.last = Sequence(file.header.first.value() - 1);

  const auto opened = disk_.open(path(file.name), system::OpenMode::read);
  const Result<std::uint64_t> size = opened ? (*opened)->size() : fail(opened.error());
  if (!size) {
    result.complaints.push_back(file.name + ": " + size.error().what);
    result.unreadable = true;
    return result;
  }
  result.file_bytes = *size;
  FileBytes bytes(**opened, bytes_max == 0 ? *size : std::min(*size, bytes_max), std::move(buffer));
  std::vector<const StoredSegment*> stored;
  for (const StoredSegment& part : state_.segments) {
    const bool covered = file.header.compacted && part.last.value() != 0 && file.header.first <= part.first &&
                         part.first <= file.header.last;
    if (covered || part.number == file.header.number) stored.push_back(&part);
  }
  result.scan = scan_segment(bytes, file.header, superseded_at, [&](const ScannedFrame& frame) {
    if (frame.header.lane >= lane_of->size()) return;
    const LaneId of = (*lane_of)[frame.header.lane];
    segment.last = frame.header.sequence;
    segment.add(frame.header, of, frame.offset, was_settled(frame.header.sequence, of, stored));
  });
  segment.last = result.scan.last;
  segment.sealed = true;
  segment.used = result.scan.end;
  if (bytes.unreadable_blocks() > 0) {
    result.complaints.push_back(file.name + ": the disk cannot read " + std::to_string(bytes.unreadable_blocks()) +
                                " blocks of 4 KiB");
  }
  result.buffer = bytes.release();
  return result;
}

Scanned Recovery::scan_next(std::size_t place, std::string buffer) const {
  const bool last = place + 1 == files_.size();
  return scan(files_[place], last ? kNotSuperseded : files_[place + 1].header.first.value(), 0, std::move(buffer));
}

void Recovery::take(Scanned scanned) {
  for (std::string& complaint : scanned.complaints) complain(std::move(complaint));
  proven_ = std::max(proven_, scanned.scan.proven);
  scanned_.push_back(std::move(scanned));
}

void Recovery::scan_all() {
  std::vector<File> kept;
  for (File& file : files_) {
    // Numbers and sequences rise together; what falls back is an old copy.
    if (!kept.empty() && file.header.first < kept.back().header.first) {
      complain(file.name + " begins before the segment in front of it");
      out_.repairs.push_back({Repair::Kind::set_aside, file.name, 0, 0, false});
      continue;
    }
    kept.push_back(std::move(file));
  }
  files_ = std::move(kept);
  for (const File& file : files_) {
    for (const std::string& name : file.header.lanes) lane(name);
  }
  std::deque<std::future<Scanned>> running;  // of the files behind those in scanned_
  std::vector<std::string> buffers;
  const auto a_buffer = [&] {
    std::string buffer;
    if (!buffers.empty()) {
      buffer = std::move(buffers.back());
      buffers.pop_back();
    }
    return buffer;
  };
  bool trim = false;
  for (std::size_t next = 0; scanned_.size() < files_.size();) {
    while (next < files_.size() && running.size() < kSideBySide && files_[next].bytes >= kSideBySideFrom) {
      running.push_back(std::async(std::launch::async, [this, next, buffer = a_buffer()]() mutable {
        return scan_next(next, std::move(buffer));
      }));
      ++next;
      trim = true;
    }
    if (running.empty()) {
      take(scan_next(next++, a_buffer()));
    } else {
      take(running.front().get());
      running.pop_front();
    }
    buffers.push_back(std::move(scanned_.back().buffer));
  }
  if (trim) {
    buffers.clear();
    malloc_trim(0);  // Why: the allocator would keep buffers of whole segments for ever
  }
}

void Recovery::find_end() {
  for (std::size_t i = 0; i < scanned_.size(); ++i) {
    for (const Hole& hole : scanned_[i].scan.holes) {
      if (hole.missing_first <= proven_) continue;
      cut_at(i, hole.begin);  // durable: what was never acknowledged is cut
      return;
    }
  }
}

// Nothing at or behind `offset` of this segment was ever acknowledged.
void Recovery::cut_at(std::size_t place, std::uint64_t offset) {
  for (std::size_t i = place + 1; i < scanned_.size(); ++i) {
    out_.repairs.push_back({Repair::Kind::remove, scanned_[i].file, 0, 0, false});
    if (!scanned_[i].segment.empty()) out_.cut_bytes += scanned_[i].file_bytes;
  }
  std::uint64_t garbage = 0;
  for (const Hole& hole : scanned_[place].scan.holes) {
    if (hole.begin >= offset && (!hole.zeros || hole.missing_last.value() != 0)) garbage += hole.end - hole.begin;
  }
  out_.cut_bytes += std::max<std::uint64_t>(garbage, 1);
  const std::uint64_t file_bytes = scanned_[place].file_bytes;
  scanned_.resize(place + 1);
  scanned_[place] = scan(files_[place], kNotSuperseded, offset, {});
  scanned_[place].file_bytes = file_bytes;
  files_.resize(place + 1);
}

// The ledger needs to know how many of this segment's records the lane states already counted.
void Recovery::count_again(const Scanned& scanned, Sequence known, std::vector<LaneFound>& found) {
  const Segment& segment = scanned.segment;
  const auto opened = disk_.open(path(scanned.file), system::OpenMode::read);
  const Result<ReadBack> read = opened ? read_whole(**opened, scanned.scan.end) : fail(opened.error());
  if (!read) return;
  static_cast<void>(
      scan_segment(read->bytes, *segment.header, segment.last.next().value(), [&](const ScannedFrame& frame) {
        if (frame.header.lane >= segment.lane_of->size()) return;
        const LaneId of = (*segment.lane_of)[frame.header.lane];
        if (segment.settled(of, frame.header.sequence)) return;
        LaneFound& lane_found = found[of.value()];
        ++(frame.header.sequence <= known ? lane_found.known : lane_found.young);
      }));
}

void Recovery::settle_ledgers() {
  std::vector<LaneFound> found(out_.lanes.size());
  std::uint64_t lost_young = 0;
  const auto lose = [&](LaneId of, std::uint64_t records) {
    if (records == 0) return;
    if (of.value() >= out_.ledgers.size()) of = lane("unknown");
    out_.ledgers[of.value()].accepted += records;
    out_.ledgers[of.value()].damaged += records;
    lost_young += records;
  };
  const Sequence known = have_state_ ? state_.durable : Sequence(kNotSuperseded);
  Sequence before;
  LaneId neighbour(0);
  for (Scanned& scanned : scanned_) {
    Segment& segment = scanned.segment;
    if (scanned.unreadable) {
      out_.cut_bytes += 1;  // its sequences may have been seen outside
      continue;
    }
    const auto lane_at = [&](std::uint16_t place) {
      return place < segment.lane_of->size() ? (*segment.lane_of)[place] : LaneId(0);
    };
    for (const ScannedFrame& orphan : scanned.scan.orphans) {
      if (segment.header->compacted) break;
      if (!have_state_ || known < orphan.header.sequence) lose(lane_at(orphan.header.lane), 1);
    }
    const auto lose_between = [&](Sequence first, Sequence last, LaneId of) {
      if (have_state_ && first <= known) first = known.next();
      if (last.value() != 0 && first <= last) lose(of, last.value() - first.value() + 1);
    };
    if (have_state_ && before.value() != 0 && before.next() < segment.first()) {
      lose_between(before.next(), Sequence(segment.first().value() - 1), neighbour);
    }
    for (const Hole& hole : scanned.scan.holes) {
      if (segment.header->compacted) break;
      if (!hole.whole_frames) lose_between(hole.missing_first, hole.missing_last, lane_at(hole.neighbour));
    }
    if (segment.header->compacted && !have_state_) {  // its gaps say nothing, its header says what was there
      for (std::size_t i = 0; i < segment.header->counts.size(); ++i) {
        const LaneCount* const count = segment.find((*segment.lane_of)[i]);
        const std::uint32_t readable = count != nullptr ? count->total : 0;
        if (readable < segment.header->counts[i]) lose((*segment.lane_of)[i], segment.header->counts[i] - readable);
      }
    }
    before = std::max(before, segment.last);
    // Which of a segment's records are young is told by their sequences, so a segment that spans the mark is recounted.
    for (const LaneCount& count : segment.lanes) {
      if (count.lane.value() >= found.size()) found.resize(count.lane.value() + 1);
      if (segment.last <= known) {
        found[count.lane.value()].known += count.unsettled;
      } else if (known < segment.first()) {
        found[count.lane.value()].young += count.unsettled;
      }
    }
    if (!segment.lanes.empty()) neighbour = segment.lanes.back().lane;
    if (segment.first() <= known && known < segment.last) count_again(scanned, known, found);
    for (const ScannedFrame& orphan : scanned.scan.orphans) segment.set_settled(orphan.header.sequence);
    segment.forget_marks_if_done();
  }
  out_.damaged_records = lost_young;
  found.resize(out_.ledgers.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    status::LaneLedger& ledger = out_.ledgers[i];
    const std::uint64_t expected = i < state_.lanes.size() ? state_.lanes[i].ledger.spooled : 0;
    if (found[i].known < expected) {
      ledger.damaged += expected - found[i].known;
      out_.damaged_records += expected - found[i].known;
    } else {
      ledger.carried_over += found[i].known - expected;
    }
    ledger.accepted += found[i].young;
    ledger.spooled = found[i].known + found[i].young;
    if (!ledger.adds_up()) complain("ledger of lane '" + out_.lanes[i] + "' does not add up");
    if (i >= state_.lanes.size() || found[i].young > 0 || found[i].known != expected) out_.state_changed = true;
  }
  if (out_.damaged_records > 0) out_.state_changed = true;
}

void Recovery::choose_epoch() {
  const bool any = !files_.empty() || !scanned_.empty() || state_damaged_;
  out_.fresh = !have_state_ && !any;
  if (have_state_) {
    out_.epoch = state_.epoch;
    out_.earlier = state_.earlier;
    if (is_copy_) out_.new_epoch_why = "the directory is a copy";
    if (state_.machine != input_.machine) out_.new_epoch_why = "this is another machine";
    if (out_.cut_bytes > 0) out_.new_epoch_why = "the tail was not whole";
    if (out_.new_epoch_why.empty()) return;
    out_.earlier.push_back(state_.epoch);
    if (out_.earlier.size() > kEpochsKept) out_.earlier.erase(out_.earlier.begin());
  } else {
    if (any) out_.new_epoch_why = state_damaged_ ? "the lane states are damaged" : "the lane states are missing";
    for (const File& file : files_) {
      if (out_.earlier.empty() || out_.earlier.back() != file.header.epoch) out_.earlier.push_back(file.header.epoch);
    }
  }
  out_.epoch = input_.fresh_epoch;
  out_.state_changed = true;
}

void Recovery::list_repairs() {
  for (Scanned& scanned : scanned_) {
    Segment& segment = scanned.segment;
    if (scanned.unreadable) continue;
    for (const Hole& hole : scanned.scan.holes) {
      if (hole.zeros || disk_.exists(path("damaged/" + damaged_name(scanned.file, hole.begin, hole.end)))) {
        ++out_.known_holes;
        continue;
      }
      out_.repairs.push_back({Repair::Kind::keep_bytes, scanned.file, hole.begin, hole.end, false});
      out_.damaged_bytes += hole.end - hole.begin;
      complain(scanned.file + ": bytes " + std::to_string(hole.begin) + " to " + std::to_string(hole.end) +
               (hole.whole_frames ? " are a group that is not whole" : " are damaged"));
    }
    if (segment.empty() || (segment.header->compacted && segment.records == 0)) {
      out_.repairs.push_back({Repair::Kind::remove, scanned.file, 0, 0, false});
      continue;
    }
    const std::uint64_t end = scanned.scan.end;
    if (scanned.file_bytes > end) out_.repairs.push_back({Repair::Kind::cut, scanned.file, end, 0, false});
    segment.allocated = (end + 4095) / 4096 * 4096;
    out_.segments.add(std::move(segment));
  }
}

Result<Recovered> Recovery::run() {
  if (const Result<void> state = read_state(); !state) return fail(state.error());
  if (const Result<void> headers = read_headers(); !headers) return fail(headers.error());
  refuse_strangers();
  refuse_superseded();
  scan_all();
  find_end();
  settle_ledgers();
  choose_epoch();
  out_.durable = have_state_ ? state_.durable : Sequence(0);
  if (out_.damaged_records > 0) complain(std::to_string(out_.damaged_records) + " records are lost");
  for (const Scanned& scanned : scanned_) out_.durable = std::max(out_.durable, scanned.segment.last);
  list_repairs();
  if (!out_.repairs.empty() && !have_state_) out_.state_changed = true;
  return std::move(out_);
}

}  // namespace

std::string damaged_name(const std::string& file, std::uint64_t begin, std::uint64_t end) {
  return file + "-" + std::to_string(begin) + "-" + std::to_string(end);
}

Result<Recovered> recover(system::Disk& disk, const RecoveryInput& input) { return Recovery(disk, input).run(); }

}  // namespace railhead::spool
