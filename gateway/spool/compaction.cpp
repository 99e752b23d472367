#include "gateway/spool/compaction.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "gateway/base/assert.h"
#include "gateway/spool/frame_buffer.h"
#include "gateway/spool/segment_reader.h"
#include "gateway/spool/segment_scan.h"

namespace railhead::spool {
namespace {

constexpr std::size_t kOutputBytes = 256 * 1024;

class Rewriter {
 public:
  Rewriter(system::Disk& disk, const std::string& directory, std::uint8_t evict, WriteCounts& counts)
      : disk_(disk), directory_(directory), evict_(evict), counts_(counts) {}

  Result<Compacted> run(const std::vector<CompactionSource>& sources);

 private:
  void make_header(const std::vector<CompactionSource>& sources);
  Result<void> add(const CompactionSource& source);
  void add_group(const SegmentHeader& from);
  Result<void> write_block();
  Result<void> finish();

  system::Disk& disk_;
  const std::string& directory_;
  const std::uint8_t evict_;
  WriteCounts& counts_;
  SegmentHeader header_;
  std::uint32_t seed_ = 0;
  std::map<LaneId, std::uint16_t> lane_places_;
  std::unique_ptr<system::File> file_;
  std::uint64_t written_ = 0;  // up to here the file is
  FrameBuffer block_;
  std::vector<std::pair<ScannedFrame, LaneId>> group_;  // what is kept of the group at hand
  Result<void> failed_;
  Compacted out_;
};

void Rewriter::make_header(const std::vector<CompactionSource>& sources) {
  const SegmentHeader& oldest = *sources.front().segment.header;
  const SegmentHeader& youngest = *sources.back().segment.header;
  header_.epoch = oldest.epoch;
  header_.number = youngest.number;
  header_.generation = youngest.generation + 1;
  header_.first = oldest.first;
  header_.last = sources.back().segment.last;
  header_.made = oldest.made;
  header_.machine = oldest.machine;
  header_.compacted = true;
  auto lane_of = std::make_shared<std::vector<LaneId>>();
  for (const CompactionSource& source : sources) {
    const SegmentHeader& from = *source.segment.header;
    for (const BootId& boot : from.boots) {
      if (std::find(header_.boots.begin(), header_.boots.end(), boot) == header_.boots.end())
        header_.boots.push_back(boot);
    }
    for (std::size_t place = 0; place < from.lanes.size(); ++place) {
      const LaneId lane = (*source.segment.lane_of)[place];
      const LaneCount* const count = source.segment.find(lane);
      if (count == nullptr || count->unsettled == 0 || lane_places_.count(lane) != 0) continue;
      lane_places_.emplace(lane, static_cast<std::uint16_t>(lane_of->size()));
      lane_of->push_back(lane);
      header_.lanes.push_back(from.lanes[place]);
    }
  }
  header_.counts.assign(header_.lanes.size(), 0);
  static_cast<void>(encode_header(header_));  // its length
  seed_ = frame_seed(header_);
  written_ = header_.frames_begin();
  out_.segment.header = std::make_shared<const SegmentHeader>(header_);
  out_.segment.lane_of = std::move(lane_of);
  out_.segment.last = header_.last;
  out_.segment.sealed = true;
}

Result<Compacted> Rewriter::run(const std::vector<CompactionSource>& sources) {
  make_header(sources);
  const std::string path = directory_ + "/" + std::string(kCompactNewName);
  if (disk_.exists(path)) {
    if (Result<void> removed = disk_.remove(path); !removed) return fail(removed.error());
  }
  Result<std::unique_ptr<system::File>> file = disk_.open(path, system::OpenMode::create_new);
  if (!file) return fail(file.error());
  file_ = std::move(*file);
  Result<void> done;
  for (const CompactionSource& source : sources) {
    if (done) done = add(source);
  }
  if (done && out_.segment.records > 0) done = finish();
  file_.reset();
  if (!done || out_.segment.records == 0) static_cast<void>(disk_.remove(path));
  if (!done) return fail(done.error());
  return std::move(out_);
}

Result<void> Rewriter::add(const CompactionSource& source) {
  const Segment& from = source.segment;
  const std::string name = segment_name(*from.header);
  const auto file = disk_.open(directory_ + "/" + name, system::OpenMode::read);
  if (!file) return fail(file.error());
  const Result<ReadBack> read = read_whole(**file, from.used);
  if (!read) return fail(read.error());
  group_.clear();
  const SegmentScan scan =
      scan_segment(read->bytes, *from.header, from.last.value() + 1, [&](const ScannedFrame& frame) {
        if (frame.header.lane >= from.lane_of->size()) return;
        const LaneId lane = (*from.lane_of)[frame.header.lane];
        if (!from.settled(lane, frame.header.sequence)) {
          if ((evict_ & class_bit(class_of(frame.header))) != 0) {
            out_.evicted.emplace_back(frame.header.sequence, lane);
          } else {
            group_.emplace_back(frame, lane);
          }
        }
        if (frame.header.group_ends) add_group(*from.header);
      });
  if (!failed_) return failed_;
  const bool short_of = read->bytes.size() < from.used;
  if ((!scan.holes.empty() || short_of) && !source.damage_accounted) {
    return fail(Errc::damaged, name + " has damaged bytes");
  }
  return {};
}

void Rewriter::add_group(const SegmentHeader& from) {
  for (std::size_t i = 0; i < group_.size(); ++i) {
    const auto& [frame, lane] = group_[i];
    FrameHeader header = frame.header;
    header.group_begins = i == 0;
    header.group_ends = i + 1 == group_.size();
    header.lane = lane_places_.at(lane);
    if (header.boot < from.boots.size()) {
      const auto boot = std::find(header_.boots.begin(), header_.boots.end(), from.boots[header.boot]);
      header.boot = static_cast<std::uint8_t>(boot - header_.boots.begin());
    }
    const std::uint64_t offset = written_ + block_.size();
    char* const to = block_.extend(header.frame_bytes());
    encode_frame_header(header, to);
    std::memcpy(to + kFrameHeaderBytes, frame.payload.data(), frame.payload.size());
    for (std::size_t at = kFrameHeaderBytes + frame.payload.size(); at < header.frame_bytes(); ++at) to[at] = '\0';
    finish_frame(seed_, to, header_.last);
    out_.segment.add(header, lane, offset, false);
    ++header_.counts[header.lane];
    out_.kept.emplace_back(header.sequence, lane);
  }
  group_.clear();
  if (block_.size() >= kOutputBytes && failed_) failed_ = write_block();
}

Result<void> Rewriter::write_block() {
  if (Result<void> written = file_->write_at(written_, block_.view()); !written) return written;
  counts_.bytes_written += block_.size();
  written_ += block_.size();
  block_.clear();
  return {};
}

Result<void> Rewriter::finish() {
  if (Result<void> written = write_block(); !written) return written;
  const std::string head = encode_header(header_);
  RAILHEAD_ASSERT(head.size() == out_.segment.header->frames_begin());
  if (Result<void> written = file_->write_at(0, head); !written) return written;
  counts_.bytes_written += head.size();
  ++counts_.syncs;
  if (Result<void> synced = file_->sync(); !synced) return synced;  // durable: whole before it has its name
  out_.segment.header = std::make_shared<const SegmentHeader>(header_);
  out_.segment.used = written_;
  return {};
}

}  // namespace

Result<Compacted> compact(system::Disk& disk, const std::string& directory,
                          const std::vector<CompactionSource>& sources, std::uint8_t evict, WriteCounts& counts) {
  return Rewriter(disk, directory, evict, counts).run(sources);
}

}  // namespace railhead::spool
