// The engine's bounds in time (S12, S20): records that are too old expire, settled ones are kept for replay only so
// long. Nothing is judged by a time that was not trusted when it was written, nor while the clock is not trusted now.
// The committer's thread alone.
#include <algorithm>

#include "gateway/spool/engine.h"
#include "gateway/spool/segment_reader.h"
#include "gateway/spool/segment_scan.h"

namespace railhead::spool {
namespace {

constexpr Duration kLookEveryMin = std::chrono::seconds{1};
constexpr Duration kLookEveryMax = std::chrono::minutes{1};
constexpr int kLookShare = 50;  // of the shorter bound

}  // namespace

void Spool::Engine::look_at_ages() {
  Duration shorter = options_.age > Duration{0} ? options_.age : options_.keep_delivered;
  if (options_.keep_delivered > Duration{0}) shorter = std::min(shorter, options_.keep_delivered);
  look_at_ages_at_ = clock_.boot_now() + std::clamp(shorter / kLookShare, kLookEveryMin, kLookEveryMax);
  if (!clock_.trusted()) return;
  if (options_.age > Duration{0}) expire_aged();
  bool over = false;
  {
    const base::MutexLock lock(shelf_.mutex);
    for (const auto& segment : shelf_.segments.all()) {
      over = over || (segment->sealed && segment->unsettled == 0 && !is_kept(*segment, 0));
    }
  }
  if (over) mark_dirty();
}

void Spool::Engine::expire_aged() {
  const Time now = clock_.now();
  const Time before = now - options_.age;
  std::uint64_t expired = 0;
  for (;;) {
    Segment marks;  // a copy of what tells settled from unsettled
    {
      const base::MutexLock lock(shelf_.mutex);
      const auto& all = shelf_.segments.all();
      const auto aged = std::find_if(all.begin(), all.end(), [before](const auto& segment) {
        return segment->unsettled > 0 && segment->oldest < before;
      });
      if (aged == all.end()) break;
      marks = **aged;
    }
    const auto file = disk_.open(path(segment_name(*marks.header)), system::OpenMode::read);
    const Result<ReadBack> read = file ? read_whole(**file, marks.used) : fail(file.error());
    std::vector<std::pair<Sequence, LaneId>> aged;
    Time oldest = now;  // what is appended meanwhile is not older
    if (read) {
      static_cast<void>(
          scan_segment(read->bytes, *marks.header, marks.last.value() + 1, [&](const ScannedFrame& frame) {
            if (!frame.header.clock_trusted || frame.header.internal) return;
            if (frame.header.lane >= marks.lane_of->size()) return;
            const LaneId lane = (*marks.lane_of)[frame.header.lane];
            if (marks.settled(lane, frame.header.sequence)) return;
            if (frame.header.appended < before) {
              aged.emplace_back(frame.header.sequence, lane);
            } else {
              oldest = std::min(oldest, frame.header.appended);
            }
          }));
    }
    const base::MutexLock lock(shelf_.mutex);
    Segment* const segment = shelf_.segments.same(*marks.header);
    if (segment == nullptr) continue;
    segment->oldest = oldest;
    for (const auto& [one, lane] : aged) {
      if (!shelf_.take_off(*segment, lane, one)) continue;
      ++shelf_.lanes[lane.value()].ledger.expired;
      ++expired;
    }
  }
  if (expired == 0) return;
  mark_dirty();
  reporter_.report(status::Event::spool_aged, {{"spool", options_.name}, {"records", std::to_string(expired)}});
}

}  // namespace railhead::spool
