#include "gateway/spool/compaction.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/spool/frame_buffer.h"
#include "gateway/spool/segment_reader.h"
#include "gateway/spool/segment_scan.h"

namespace railhead::spool {
namespace {

constexpr std::size_t kOutputBytes = 256 * 1024;

}  // namespace

struct Compaction::Reading {
  Reading(std::unique_ptr<system::File> opened, const CompactionSource& source, SegmentScanner::Visit visit)
      : file(std::move(opened)),
        bytes(*file, source.segment.used),
        scanner(SegmentReader(bytes, *source.segment.header), *source.segment.header, source.segment.last.value() + 1,
                std::move(visit)) {}
  std::unique_ptr<system::File> file;
  FileBytes bytes;
  SegmentScanner scanner;
};

Compaction::Compaction(system::Disk& disk, std::string directory, std::vector<CompactionSource> sources,
                       std::uint8_t evict, WriteCounts& counts)
    : disk_(disk), directory_(std::move(directory)), sources_(std::move(sources)), evict_(evict), counts_(counts) {
  make_header();
}

Compaction::~Compaction() {
  file_.reset();
  if (made_) static_cast<void>(disk_.remove(directory_ + "/" + std::string(kCompactNewName)));
}

void Compaction::make_header() {
  const SegmentHeader& oldest = *sources_.front().segment.header;
  const SegmentHeader& youngest = *sources_.back().segment.header;
  header_.epoch = oldest.epoch;
  header_.number = youngest.number;
  header_.generation = youngest.generation + 1;
  header_.first = oldest.first;
  header_.last = sources_.back().segment.last;
  header_.made = oldest.made;
  header_.machine = oldest.machine;
  header_.compacted = true;
  auto lane_of = std::make_shared<std::vector<LaneId>>();
  for (const CompactionSource& source : sources_) {
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

Result<void> Compaction::begin() {
  const std::string path = directory_ + "/" + std::string(kCompactNewName);
  if (disk_.exists(path)) {
    if (Result<void> removed = disk_.remove(path); !removed) return removed;
  }
  Result<std::unique_ptr<system::File>> file = disk_.open(path, system::OpenMode::create_new);
  if (!file) return fail(file.error());
  file_ = std::move(*file);
  made_ = true;
  return {};
}

Result<bool> Compaction::step(std::uint64_t bytes) {
  if (file_ == nullptr) {
    if (const Result<void> begun = begin(); !begun) return fail(begun.error());
  }
  if (place_ < sources_.size()) {
    if (reading_ == nullptr) {
      if (const Result<void> opened = open_source(); !opened) return fail(opened.error());
    }
    const bool more = reading_->scanner.go_on(bytes);
    if (!failed_) return fail(failed_.error());
    if (!more) {
      if (const Result<void> ended = end_source(); !ended) return fail(ended.error());
    }
    // A little each time, or the last sync would take as long as all of it.
    if (block_.size() > 0) {
      if (const Result<void> written = write_block(); !written) return fail(written.error());
      if (const Result<void> synced = sync(); !synced) return fail(synced.error());
    }
    return false;
  }
  if (out_.segment.records > 0) {
    if (const Result<void> finished = finish(); !finished) return fail(finished.error());
  }
  return true;
}

Compacted Compaction::take() {
  file_.reset();
  if (out_.segment.records > 0) made_ = false;
  return std::move(out_);
}

Result<void> Compaction::open_source() {
  const CompactionSource& source = sources_[place_];
  auto file = disk_.open(directory_ + "/" + segment_name(*source.segment.header), system::OpenMode::read);
  if (!file) return fail(file.error());
  group_.clear();
  reading_ = std::make_unique<Reading>(std::move(*file), source,
                                       [this, &source](const ScannedFrame& frame) { visit(source, frame); });
  return {};
}

void Compaction::visit(const CompactionSource& source, const ScannedFrame& frame) {
  const Segment& from = source.segment;
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
}

Result<void> Compaction::end_source() {
  const CompactionSource& source = sources_[place_];
  const SegmentScan scan = reading_->scanner.finish();
  const bool damaged = !scan.holes.empty() || scan.end < source.segment.used;
  reading_.reset();
  ++place_;
  if (damaged && !source.damage_accounted) {
    return fail(Errc::damaged, segment_name(*source.segment.header) + " has damaged bytes");
  }
  return {};
}

void Compaction::add_group(const SegmentHeader& from) {
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

Result<void> Compaction::write_block() {
  if (Result<void> written = file_->write_at(written_, block_.view()); !written) return written;
  counts_.bytes_written += block_.size();
  written_ += block_.size();
  block_.clear();
  return {};
}

Result<void> Compaction::sync() {
  ++counts_.syncs;
  return file_->sync();
}

Result<void> Compaction::finish() {
  const std::string head = encode_header(header_);
  RAILHEAD_ASSERT(head.size() == out_.segment.header->frames_begin());
  if (Result<void> written = file_->write_at(0, head); !written) return written;
  counts_.bytes_written += head.size();
  if (Result<void> synced = sync(); !synced) return synced;  // durable: whole before it has its name
  out_.segment.header = std::make_shared<const SegmentHeader>(header_);
  out_.segment.used = written_;
  return {};
}

}  // namespace railhead::spool
