#include "gateway/spool/segment_table.h"

#include <algorithm>

#include "gateway/base/assert.h"

namespace railhead::spool {

LaneCount* Segment::find(LaneId lane) {
  const auto at = std::lower_bound(lanes.begin(), lanes.end(), lane,
                                   [](const LaneCount& count, LaneId wanted) { return count.lane < wanted; });
  return at != lanes.end() && at->lane == lane ? &*at : nullptr;
}

const LaneCount* Segment::find(LaneId lane) const { return const_cast<Segment*>(this)->find(lane); }

LaneCount& Segment::count_of(LaneId lane) {
  if (!lanes.empty() && lanes.back().lane == lane) return lanes.back();
  const auto at = std::lower_bound(lanes.begin(), lanes.end(), lane,
                                   [](const LaneCount& count, LaneId wanted) { return count.lane < wanted; });
  if (at != lanes.end() && at->lane == lane) return *at;
  return *lanes.insert(at, LaneCount{lane, 0, 0, 0, 0, {}});
}

bool Segment::settled(LaneId lane, Sequence one) const {
  if (sealed && unsettled == 0) return true;
  if (bits.test(one.value() - header->first.value())) return true;
  const LaneCount* const count = find(lane);
  if (count == nullptr || count->unsettled == 0 || one <= count->settled_through) return true;
  return std::any_of(lost.begin(), lost.end(),
                     [one](const auto& hole) { return hole.first <= one && one <= hole.second; });
}

void Segment::set_settled(Sequence one) { bits.set(one.value() - header->first.value()); }

bool Segment::settle(LaneId lane, Sequence one) {
  if (one < header->first || last < one) return false;
  if (header->compacted && !std::binary_search(members->begin(), members->end(), one)) return false;
  return settle_member(lane, one);
}

bool Segment::settle_member(LaneId lane, Sequence one) {
  LaneCount* const count = find(lane);
  if (count == nullptr || count->unsettled == 0 || settled(lane, one)) return false;
  set_settled(one);
  --count->unsettled;
  --unsettled;
  forget_marks_if_done();
  return true;
}

bool Segment::held(Sequence one) const {
  return header->first <= one && held_bits.test(one.value() - header->first.value());
}

bool Segment::set_held(LaneId lane, Sequence one, bool held) {
  if (one < header->first || last < one || this->held(one) == held || settled(lane, one)) return false;
  LaneCount* count = find(lane);
  if (count == nullptr || (held ? count->held >= count->unsettled : count->held == 0)) return false;
  held_bits.flip(one.value() - header->first.value());
  held ? ++count->held : --count->held;
  if (!held && std::all_of(lanes.begin(), lanes.end(), [](const LaneCount& each) { return each.held == 0; })) {
    held_bits.clear();
  }
  return true;
}

void Segment::forget_held(Sequence from, Sequence through) {
  if (held_bits.empty()) return;
  for (Sequence one = from; one <= through; one = one.next()) {
    if (held(one)) held_bits.flip(one.value() - header->first.value());
  }
}

std::uint32_t Segment::settle_all(LaneCount& count) {
  const std::uint32_t many = count.unsettled;
  if (many == 0) return 0;
  count.settled_through = last;
  count.unsettled = 0;
  unsettled -= many;
  forget_marks_if_done();
  return many;
}

void Segment::add(const FrameHeader& frame, LaneId lane, std::uint64_t offset, bool is_settled) {
  if (records == 0) first_appended = frame.appended;
  ++records;
  if (frame.clock_trusted) {
    newest = std::max(newest, frame.appended);
    if (!is_settled) oldest = std::min(oldest, frame.appended);
  } else {
    all_trusted = false;
  }
  add_index({Sequence(frame.sequence.value() - 1), offset, frame.appended});
  LaneCount& count = count_of(lane);
  ++count.total;
  count.bytes += frame.frame_bytes();
  if (is_settled) {
    set_settled(frame.sequence);
    return;
  }
  classes |= class_bit(class_of(frame));
  ++count.unsettled;
  ++unsettled;
}

void Segment::forget_marks_if_done() {
  if (!sealed || unsettled != 0) return;
  bits.clear();
  members.reset();
  classes = 0;
}

std::uint64_t Segment::settled_bytes() const {
  std::uint64_t bytes = 0;
  for (const LaneCount& count : lanes) bytes += count.bytes - count.unsettled_bytes();
  return bytes;
}

IndexPoint Segment::start_for(Sequence from) const {
  IndexPoint start{Sequence(header->first.value() - 1), header->frames_begin(), first_appended};
  const auto at = std::lower_bound(index.begin(), index.end(), from,
                                   [](const IndexPoint& point, Sequence wanted) { return point.before < wanted; });
  if (at != index.begin()) start = *std::prev(at);
  return start;
}

void Segment::add_index(const IndexPoint& point) {
  const std::uint64_t previous = index.empty() ? header->frames_begin() : index.back().offset;
  if (point.offset >= previous + kIndexEvery) index.push_back(point);
}

Segment& SegmentTable::add(Segment segment) {
  RAILHEAD_ASSERT(segments_.empty() || segments_.back()->last < segment.first());
  segments_.push_back(std::make_unique<Segment>(std::move(segment)));
  return *segments_.back();
}

Segment* SegmentTable::at_or_after(Sequence one) {
  if (segments_.empty()) return nullptr;
  // Sinks that keep up ask for the newest.
  if (segments_.back()->first() <= one) return one <= segments_.back()->last ? segments_.back().get() : nullptr;
  const auto at =
      std::lower_bound(segments_.begin(), segments_.end(), one,
                       [](const std::unique_ptr<Segment>& segment, Sequence wanted) { return segment->last < wanted; });
  return at != segments_.end() ? at->get() : nullptr;
}

const Segment* SegmentTable::at_or_after(Sequence one) const {
  return const_cast<SegmentTable*>(this)->at_or_after(one);
}

Segment* SegmentTable::with_number(std::uint64_t number) {
  const auto at = std::find_if(segments_.begin(), segments_.end(),
                               [number](const auto& segment) { return segment->number() == number; });
  return at != segments_.end() ? at->get() : nullptr;
}

Segment* SegmentTable::same(const SegmentHeader& header) {
  Segment* const found = with_number(header.number);
  return found != nullptr && found->header->generation == header.generation ? found : nullptr;
}

void SegmentTable::replace(const std::vector<std::uint64_t>& numbers, Segment segment) {
  const auto first = std::find_if(segments_.begin(), segments_.end(),
                                  [&](const auto& one) { return one->number() == numbers.front(); });
  RAILHEAD_ASSERT(first != segments_.end());
  *first = std::make_unique<Segment>(std::move(segment));
  const std::size_t place = static_cast<std::size_t>(first - segments_.begin());
  for (std::size_t i = 1; i < numbers.size(); ++i) RAILHEAD_ASSERT(segments_[place + i]->number() == numbers[i]);
  segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(place + 1),
                  segments_.begin() + static_cast<std::ptrdiff_t>(place + numbers.size()));
}

void SegmentTable::remove(std::uint64_t number) {
  std::erase_if(segments_, [number](const auto& segment) { return segment->number() == number; });
}

std::uint64_t SegmentTable::allocated() const {
  std::uint64_t bytes = 0;
  for (const auto& segment : segments_) bytes += segment->allocated;
  return bytes;
}

}  // namespace railhead::spool
