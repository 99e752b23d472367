#include "gateway/spool/segment_scan.h"

#include <algorithm>
#include <utility>

#include "gateway/spool/segment_reader.h"

namespace railhead::spool {
SegmentScanner::SegmentScanner(SegmentReader reader, std::string_view bytes, const SegmentHeader& header,
                               std::uint64_t superseded_at, Visit visit)
    : reader_(reader), bytes_(bytes), header_(header), superseded_at_(superseded_at), visit_(std::move(visit)) {
  scan_.last = Sequence(header.first.value() - 1);
  scan_.proven = header.compacted ? header.last : scan_.last;  // it was durable before it had its name
  scan_.end = header.frames_begin();
}

void SegmentScanner::break_group() {
  if (group_.empty()) return;
  scan_.holes.push_back({group_.front().offset, group_end_, group_.front().header.sequence,
                         group_.back().header.sequence, group_.front().header.lane, false, true});
  scan_.orphans.insert(scan_.orphans.end(), group_.begin(), group_.end());
  group_.clear();
}

bool SegmentScanner::go_on(std::uint64_t bytes_max) {
  const std::uint64_t from = reader_.behind();
  while (reader_.behind() - from < bytes_max) {
    const SegmentReader::Item item = reader_.next();
    if (item == SegmentReader::Item::end) return false;
    if (item == SegmentReader::Item::bad) {
      if (scan_.last.next().value() >= superseded_at_) return false;
      break_group();
      const std::string_view bad = bytes_.substr(static_cast<std::size_t>(reader_.bad_begin()),
                                                 static_cast<std::size_t>(reader_.bad_end() - reader_.bad_begin()));
      scan_.holes.push_back(
          {reader_.bad_begin(), reader_.bad_end(), scan_.last.next(), Sequence(0), neighbour_, all_zero(bad)});
      continue;
    }
    const ScannedFrame frame{reader_.header(), reader_.offset(), reader_.payload()};
    if (frame.header.sequence.value() >= superseded_at_) return false;  // durable: written again in a younger segment
    if (!scan_.holes.empty() && scan_.holes.back().missing_last.value() == 0) {
      scan_.holes.back().missing_last = Sequence(frame.header.sequence.value() - 1);
    }
    if (frame.header.group_begins) break_group();
    scan_.proven = std::max(scan_.proven, frame.header.durable_through);
    scan_.last = frame.header.sequence;
    neighbour_ = frame.header.lane;
    if (!frame.header.group_begins && group_.empty()) {  // its beginning is lost
      scan_.holes.push_back(
          {frame.offset, reader_.behind(), frame.header.sequence, frame.header.sequence, neighbour_, false, true});
      scan_.orphans.push_back(frame);
      scan_.end = reader_.behind();
      continue;
    }
    group_.push_back(frame);
    group_end_ = reader_.behind();
    if (!frame.header.group_ends) continue;
    for (const ScannedFrame& whole : group_) visit_(whole);
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
  SegmentScanner scanner(SegmentReader(bytes, header), bytes, header, superseded_at, visit);
  while (scanner.go_on(kNotSuperseded)) {
  }
  return scanner.finish();
}

SegmentScan scan_segment(FileBytes& bytes, const SegmentHeader& header, std::uint64_t superseded_at,
                         const std::function<void(const ScannedFrame&)>& visit) {
  SegmentScanner scanner(SegmentReader(bytes, header), bytes.view(), header, superseded_at, visit);
  while (scanner.go_on(kNotSuperseded)) {
  }
  return scanner.finish();
}

}  // namespace railhead::spool
