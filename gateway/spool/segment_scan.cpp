#include "gateway/spool/segment_scan.h"

#include <algorithm>

#include "gateway/spool/segment_reader.h"

namespace railhead::spool {
namespace {

SegmentScan scan(SegmentReader& reader, std::string_view bytes, const SegmentHeader& header,
                 std::uint64_t superseded_at, const std::function<void(const ScannedFrame&)>& visit) {
  SegmentScan scan;
  scan.last = Sequence(header.first.value() - 1);
  scan.proven = header.compacted ? header.last : scan.last;  // it was durable before it had its name
  scan.end = header.frames_begin();

  std::vector<ScannedFrame> group;  // of the group that has not ended yet
  std::uint64_t group_end = 0;
  std::uint16_t neighbour = 0;
  const auto break_group = [&] {
    if (group.empty()) return;
    scan.holes.push_back({group.front().offset, group_end, group.front().header.sequence, group.back().header.sequence,
                          group.front().header.lane, false, true});
    scan.orphans.insert(scan.orphans.end(), group.begin(), group.end());
    group.clear();
  };

  for (SegmentReader::Item item = reader.next(); item != SegmentReader::Item::end; item = reader.next()) {
    if (item == SegmentReader::Item::bad) {
      if (scan.last.next().value() >= superseded_at) break;
      break_group();
      const std::string_view bad = bytes.substr(static_cast<std::size_t>(reader.bad_begin()),
                                                static_cast<std::size_t>(reader.bad_end() - reader.bad_begin()));
      scan.holes.push_back(
          {reader.bad_begin(), reader.bad_end(), scan.last.next(), Sequence(0), neighbour, all_zero(bad)});
      continue;
    }
    const ScannedFrame frame{reader.header(), reader.offset(), reader.payload()};
    if (frame.header.sequence.value() >= superseded_at) break;  // durable: written again in a younger segment
    if (!scan.holes.empty() && scan.holes.back().missing_last.value() == 0) {
      scan.holes.back().missing_last = Sequence(frame.header.sequence.value() - 1);
    }
    if (frame.header.group_begins) break_group();
    scan.proven = std::max(scan.proven, frame.header.durable_through);
    scan.last = frame.header.sequence;
    neighbour = frame.header.lane;
    if (!frame.header.group_begins && group.empty()) {  // its beginning is lost
      scan.holes.push_back(
          {frame.offset, reader.behind(), frame.header.sequence, frame.header.sequence, neighbour, false, true});
      scan.orphans.push_back(frame);
      scan.end = reader.behind();
      continue;
    }
    group.push_back(frame);
    group_end = reader.behind();
    if (!frame.header.group_ends) continue;
    for (const ScannedFrame& whole : group) visit(whole);
    group.clear();
    scan.end = group_end;
  }
  break_group();
  if (header.compacted) scan.last = std::min(header.last, Sequence(superseded_at - 1));
  return scan;
}

}  // namespace

SegmentScan scan_segment(std::string_view bytes, const SegmentHeader& header, std::uint64_t superseded_at,
                         const std::function<void(const ScannedFrame&)>& visit) {
  SegmentReader reader(bytes, header);
  return scan(reader, bytes, header, superseded_at, visit);
}

SegmentScan scan_segment(FileBytes& bytes, const SegmentHeader& header, std::uint64_t superseded_at,
                         const std::function<void(const ScannedFrame&)>& visit) {
  SegmentReader reader(bytes, header);
  return scan(reader, bytes.view(), header, superseded_at, visit);
}

}  // namespace railhead::spool
