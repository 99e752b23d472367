// Recovery's second step: the frames of every segment, and where the spool ends.
#include <malloc.h>

#include <algorithm>
#include <deque>
#include <future>
#include <memory>
#include <utility>

#include "gateway/spool/recovery_work.h"
#include "gateway/spool/segment_reader.h"

namespace railhead::spool {
namespace {

// Files of this size and more are read and checked two at a time, each on a thread of its own.
constexpr std::uint64_t kSideBySideFrom = std::uint64_t{1} << 20;
constexpr std::size_t kSideBySide = 2;

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
  result.unreadable_blocks = bytes.unreadable_blocks();
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
      set_aside(file.name, file.name + " begins before the segment in front of it", file.bytes, false);
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

}  // namespace railhead::spool
