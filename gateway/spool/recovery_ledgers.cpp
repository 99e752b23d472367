// Recovery's third step (S14): every record that the lane states or a segment know is there, or counted as damaged.
#include <algorithm>
#include <utility>

#include "gateway/spool/recovery_work.h"
#include "gateway/spool/segment_reader.h"

namespace railhead::spool {

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
  // What is younger than the lane states was never trimmed: before any segment is, newer ones are durable.
  Sequence before = have_state_ ? known : Sequence(0);
  LaneId neighbour(0);
  for (Scanned& scanned : scanned_) {
    Segment& segment = scanned.segment;
    if (scanned.unreadable) {
      tail_lost_ = scanned.file + " cannot be read";  // its sequences may have been seen outside
      continue;
    }
    const auto lane_at = [&](std::uint16_t place) {
      return place < segment.lane_of->size() ? (*segment.lane_of)[place] : LaneId(0);
    };
    for (const FrameHeader& orphan : scanned.scan.orphans) {
      if (segment.header->compacted) break;
      if (!have_state_ || known < orphan.sequence) lose(lane_at(orphan.lane), 1);
    }
    const auto lose_between = [&](Sequence first, Sequence last, LaneId of) {
      if (have_state_ && first <= known) first = known.next();
      if (last.value() != 0 && first <= last) lose(of, last.value() - first.value() + 1);
    };
    if (have_state_ && before.next() < segment.first()) {
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
    for (const FrameHeader& orphan : scanned.scan.orphans) segment.set_settled(orphan.sequence);
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

}  // namespace railhead::spool
