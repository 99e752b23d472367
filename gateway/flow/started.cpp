#include "gateway/flow/started.h"

#include <vector>

#include "gateway/flow/each_owed.h"
#include "gateway/flow/state_entry.h"

namespace railhead::flow {
namespace {

using ports::Place;
using ports::SpoolId;

// Does the lane still owe this record?
bool owed(spool::Spool& spool, spool::LaneId lane, Sequence record) {
  std::vector<spool::Frame> frames;
  const Result<Sequence> read = spool.read(lane, record, 1, 1, frames);
  return !read || (!frames.empty() && frames.front().sequence == record);
}

}  // namespace

StartedRecords::StartedRecords(Stores& stores)
    : stores_(stores),
      lanes_{stores.of(SpoolId::telemetry).lane(kStateLane), stores.of(SpoolId::alarms).lane(kStateLane)} {}

Result<void> StartedRecords::recover() {
  for (const SpoolId id : {SpoolId::telemetry, SpoolId::alarms}) {
    spool::Spool& spool = stores_.of(id);
    const spool::LaneId state = lanes_[static_cast<std::size_t>(id)];
    const Result<void> read = each_owed(spool, state, [&](const spool::Frame& frame) {
      const std::optional<StateEntry> entry = decode_state_entry(frame.payload);
      if (!entry || entry->kind != StateEntry::Kind::started) return;
      const Sequence record = entry->record;
      const std::string sink(entry->sink);
      if (!owed(spool, spool.lane(sink), record)) {
        spool.settle(state, frame.sequence, spool::Outcome::delivered);
        return;
      }
      const base::MutexLock lock(mutex_);
      entries_[{sink, {id, record}}] = {frame.sequence, true};
      count_.store(entries_.size());
    });
    if (!read) return read;
  }
  return {};
}

Result<Sequence> StartedRecords::start(const std::string& sink, Place place) {
  const base::MutexLock lock(mutex_);
  const Key key{sink, place};
  if (const auto found = entries_.find(key); found != entries_.end()) return found->second.sequence;
  std::string payload;
  encode(StateEntry{.kind = StateEntry::Kind::started, .record = place.sequence, .sink = sink}, payload);
  const spool::Entry entry{.lane = lanes_[static_cast<std::size_t>(place.spool)],
                           .klass = 2,
                           .internal = true,
                           .ends_group = true,
                           .payload = payload};
  Result<Sequence> sequence = stores_.of(place.spool).append({&entry, 1});
  if (!sequence) return sequence;
  entries_[key] = {*sequence, false};
  count_.store(entries_.size());
  return sequence;
}

bool StartedRecords::before(const std::string& sink, Place place) const {
  if (count_.load(std::memory_order_relaxed) == 0) return false;
  const base::MutexLock lock(mutex_);
  const auto found = entries_.find({sink, place});
  return found != entries_.end() && found->second.before;
}

void StartedRecords::settled(const std::string& sink, Place place) {
  if (count_.load(std::memory_order_relaxed) == 0) return;
  Sequence entry;
  {
    const base::MutexLock lock(mutex_);
    const auto found = entries_.find({sink, place});
    if (found == entries_.end()) return;
    entry = found->second.sequence;
    entries_.erase(found);
    count_.store(entries_.size());
  }
  stores_.of(place.spool).settle(lanes_[static_cast<std::size_t>(place.spool)], entry, spool::Outcome::delivered);
}

}  // namespace railhead::flow
