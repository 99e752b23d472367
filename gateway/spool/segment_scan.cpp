#include "gateway/spool/segment_scan.h"

#include <algorithm>
#include <utility>

#include "gateway/spool/segment_reader.h"

namespace railhead::spool {

SegmentScanner::SegmentScanner(SegmentReader reader, const SegmentHeader& header, std::uint64_t superseded_at,
                               Visit visit)
    : reader_(reader), header_(header), superseded_at_(superseded_at), visit_(std::move(visit)) {
  scan_.last = Sequence(header.first.value() - 1);
  scan_.proven = header.compacted ? header.last : scan_.last;  // it was durable before it had its name
  scan_.end = header.frames_begin();
}

// Of the group at hand.
ScannedFrame SegmentScanner::frame_at(std::uint64_t offset) const {
  const std::uint64_t payload = offset + kFrameHeaderBytes;
  ScannedFrame frame{decode_frame_header(reader_.bytes(offset, payload).data()), offset, {}};
  frame.payload = reader_.bytes(payload, payload + frame.header.payload_bytes);
  return frame;
}

void SegmentScanner::break_group() {
  if (group_.empty()) return;
  for (const std::uint64_t offset : group_) scan_.orphans.push_back(frame_at(offset).header);
  const std::size_t first = scan_.orphans.size() - group_.size();
  scan_.holes.push_back({group_.front(), group_end_, scan_.orphans[first].sequence, scan_.orphans.back().sequence,
                         scan_.orphans[first].lane, false, true});
  group_.clear();
}

bool SegmentScanner::go_on(std::uint64_t bytes_max) {
  const std::uint64_t from = reader_.behind();
  while (reader_.behind() - from < bytes_max) {
    reader_.keep_from(group_.empty() ? reader_.behind() : group_.front());
    const SegmentReader::Item item = reader_.next();
    if (item == SegmentReader::Item::end) return false;
    if (item == SegmentReader::Item::bad) {
      if (scan_.last.next().value() >= superseded_at_) return false;
      break_group();
      const bool zeros = all_zero(reader_.bytes(reader_.bad_begin(), reader_.bad_end()));
      scan_.holes.push_back(
          {reader_.bad_begin(), reader_.bad_end(), scan_.last.next(), Sequence(0), neighbour_, zeros});
      continue;
    }
    const FrameHeader& frame = reader_.header();
    if (frame.sequence.value() >= superseded_at_) return false;  // durable: written again in a younger segment
    if (!scan_.holes.empty() && scan_.holes.back().missing_last.value() == 0) {
      scan_.holes.back().missing_last = Sequence(frame.sequence.value() - 1);
    }
    if (frame.group_begins) break_group();
    scan_.proven = std::max(scan_.proven, frame.durable_through);
    scan_.last = frame.sequence;
    neighbour_ = frame.lane;
    if (!frame.group_begins && group_.empty()) {  // its beginning is lost
      scan_.holes.push_back(
          {reader_.offset(), reader_.behind(), frame.sequence, frame.sequence, neighbour_, false, true});
      scan_.orphans.push_back(frame);
      scan_.end = reader_.behind();
      continue;
    }
    group_.push_back(reader_.offset());
    group_end_ = reader_.behind();
    if (!frame.group_ends) continue;
    for (const std::uint64_t offset : group_) visit_(frame_at(offset));
    group_.clear();
    scan_.end = group_end_;
  }
  return true;
}

SegmentScan SegmentScanner::finish() {
  break_group();
  if (header_.compacted) scan_.last = std::min(header_.last, Sequence(superseded_at_ - 1));
  return std::move(scan_);
}

SegmentScan scan_segment(std::string_view bytes, const SegmentHeader& header, std::uint64_t superseded_at,
                         const std::function<void(const ScannedFrame&)>& visit) {
  SegmentScanner scanner(SegmentReader(bytes, header), header, superseded_at, visit);
  while (scanner.go_on(kNotSuperseded)) {
  }
  return scanner.finish();
}

SegmentScan scan_segment(FileBytes& bytes, const SegmentHeader& header, std::uint64_t superseded_at,
                         const std::function<void(const ScannedFrame&)>& visit) {
  SegmentScanner scanner(SegmentReader(bytes, header), header, superseded_at, visit);
  while (scanner.go_on(kNotSuperseded)) {
  }
  return scanner.finish();
}

}  // namespace railhead::spool
