// Recovery's second step: the frames of every segment, and where the spool ends.
#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "gateway/spool/recovery_work.h"
#include "gateway/spool/segment_reader.h"
#include "gateway/system/thread.h"

namespace railhead::spool {
namespace {

// Where more than one file is of this size, a second thread reads and checks beside the first.
constexpr std::uint64_t kSideBySideFrom = std::uint64_t{1} << 20;

}  // namespace

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
Scanned Recovery::scan(const File& file, std::uint64_t superseded_at, std::uint64_t bytes_max) const {
  Scanned result;
  result.file = file.name;
  result.headless = file.headless;
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
  FileBytes bytes(**opened, bytes_max == 0 ? *size : std::min(*size, bytes_max));
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
  result.unreadable_blocks = bytes.unreadable_blocks();
  if (bytes.unreadable_blocks() > 0) {
    result.complaints.push_back(file.name + ": the disk cannot read " + std::to_string(bytes.unreadable_blocks()) +
                                " blocks of 4 KiB");
  }
  return result;
}

void Recovery::scan_all() {
  std::vector<File> kept;
  for (File& file : files_) {
    // Numbers and sequences rise together; what falls back is an old copy.
    if (!kept.empty() && file.header.first < kept.back().header.first) {
      set_aside(file.name, file.name + " begins before the segment in front of it", file.bytes, false);
      continue;
    }
    kept.push_back(std::move(file));
  }
  files_ = std::move(kept);
  for (const File& file : files_) {
    for (const std::string& name : file.header.lanes) lane(name);
  }
  scanned_.resize(files_.size());
  std::atomic<std::size_t> taken = 0;
  std::atomic<std::uint64_t> done = 0;
  std::uint64_t all = 0;
  for (const File& file : files_) all += file.bytes;
  const auto work = [&](const ReadProgress& progress) {
    for (std::size_t i = taken++; i < files_.size(); i = taken++) {
      const bool last = i + 1 == files_.size();
      scanned_[i] = scan(files_[i], last ? kNotSuperseded : files_[i + 1].header.first.value(), 0);
      done += files_[i].bytes;
      if (progress) progress(done, all);
    }
  };
  {
    std::optional<std::jthread> beside;
    const auto is_large = [](const File& file) { return file.bytes >= kSideBySideFrom; };
    if (std::count_if(files_.begin(), files_.end(), is_large) > 1) {
      beside = system::start_thread("spool-recovery", [&](const std::stop_token&) { work({}); });
    }
    work(input_.progress);
  }
  for (Scanned& scanned : scanned_) {
    for (std::string& complaint : scanned.complaints) complain(std::move(complaint));
    proven_ = std::max(proven_, scanned.scan.proven);
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
  scanned_[place] = scan(files_[place], kNotSuperseded, offset);
  scanned_[place].file_bytes = file_bytes;
  files_.resize(place + 1);
}

}  // namespace railhead::spool
