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
  const auto at = std::lower_bound(lanes.begin(), lanes.end(), lane,
                                   [](const LaneCount& count, LaneId wanted) { return count.lane < wanted; });
  if (at != lanes.end() && at->lane == lane) return *at;
  return *lanes.insert(at, LaneCount{lane});
}

bool Segment::settled(Sequence one) const {
  if (sealed && unsettled == 0) return true;
  const std::uint64_t place = one.value() - header->first.value();
  return place / 64 < bits.size() && ((bits[static_cast<std::size_t>(place / 64)] >> (place % 64)) & 1) != 0;
}

void Segment::set_settled(Sequence one) {
  const std::uint64_t place = one.value() - header->first.value();
  if (place / 64 >= bits.size()) {
    const std::uint64_t whole = sealed ? (last.value() - header->first.value()) / 64 + 1 : place / 64 + 1;
    bits.resize(static_cast<std::size_t>(whole));
  }
  bits[static_cast<std::size_t>(place / 64)] |= std::uint64_t{1} << (place % 64);
}

bool Segment::settle(LaneId lane, Sequence one) {
  if (one < header->first || last < one || settled(one)) return false;
  LaneCount* count = find(lane);
  if (count == nullptr || count->unsettled == 0) return false;
  set_settled(one);
  --count->unsettled;
  --unsettled;
  if (sealed && unsettled == 0) std::vector<std::uint64_t>().swap(bits);
  return true;
}

bool Segment::held(Sequence one) const {
  if (one < header->first) return false;
  const std::uint64_t place = one.value() - header->first.value();
  return place / 64 < held_bits.size() && ((held_bits[static_cast<std::size_t>(place / 64)] >> (place % 64)) & 1) != 0;
}

bool Segment::set_held(LaneId lane, Sequence one, bool held) {
  if (one < header->first || last < one || this->held(one) == held || settled(one)) return false;
  LaneCount* count = find(lane);
  if (count == nullptr || count->unsettled == 0) return false;
  const std::uint64_t place = one.value() - header->first.value();
  const auto word = static_cast<std::size_t>(place / 64);
  if (word >= held_bits.size()) held_bits.resize(word + 1);
  held_bits[word] ^= std::uint64_t{1} << (place % 64);
  held ? ++count->held : --count->held;
  if (!held && std::all_of(lanes.begin(), lanes.end(), [](const LaneCount& each) { return each.held == 0; })) {
    std::vector<std::uint64_t>().swap(held_bits);
  }
  return true;
}

IndexPoint Segment::start_for(Sequence from) const {
  IndexPoint start{Sequence(header->first.value() - 1), header->frames_begin()};
  const auto at = std::lower_bound(index.begin(), index.end(), from,
                                   [](const IndexPoint& point, Sequence wanted) { return point.before < wanted; });
  if (at != index.begin()) start = *std::prev(at);
  return start;
}

void Segment::add_index(Sequence before, std::uint64_t offset) {
  const std::uint64_t previous = index.empty() ? header->frames_begin() : index.back().offset;
  if (offset >= previous + kIndexEvery) index.push_back({before, offset});
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

void SegmentTable::remove(std::uint64_t number) {
  std::erase_if(segments_, [number](const auto& segment) { return segment->number() == number; });
}

std::uint64_t SegmentTable::allocated() const {
  std::uint64_t bytes = 0;
  for (const auto& segment : segments_) bytes += segment->allocated;
  return bytes;
}

}  // namespace railhead::spool
