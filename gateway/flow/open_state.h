// OpenState: the lane @state (S7): what a start learns from it, and when its entries may go.
//
// A close must outlast the record it closes, or a restart would see the identifier open again; an entry that carries a
// delivery's token must outlast its acknowledgement. Both matter only for what is still in flight, so recovery looks
// back kLookBack, and such entries are kept for twice that time. What rules must not forget is kept until a journal
// (rule_journal.h) says that it is settled. Threads: any.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/base/result.h"
#include "gateway/flow/delivery_table.h"
#include "gateway/flow/state_entry.h"
#include "gateway/flow/stores.h"
#include "gateway/system/clock.h"

namespace railhead::flow {

inline constexpr Duration kLookBack = std::chrono::seconds{20};

class OpenState {
 public:
  // What rules gave out before the start and nobody settled.
  struct Recalled {
    Sequence sequence;
    StateEntry::Part part = StateEntry::Part::entry;
    bool replaced = false;  // by a restatement, or part of a void one
    Duration age{};         // since it was appended
    bool has_token = false;
    std::string entry;
  };

  OpenState(Stores& stores, const system::Clock& clock);

  // Fills `table` with the deliveries of the last kLookBack whose acknowledgement may not have left, and keeps what
  // rules must not forget for take_recalled(). Reads the end of each spool, and the telemetry from the oldest entry on
  // that is not settled.
  [[nodiscard]] Result<void> recover(DeliveryTable& table) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<Recalled> take_recalled(const std::string& source) RAILHEAD_EXCLUDES(mutex_);
  // Settles what no source asked for. Returns how many entries.
  std::size_t drop_unclaimed() RAILHEAD_EXCLUDES(mutex_);
  // The alarms' side of this group was appended before a kill.
  [[nodiscard]] bool is_done(std::uint64_t identity) const RAILHEAD_EXCLUDES(mutex_);
  // The other side was appended too.
  void forget_done(std::uint64_t identity) RAILHEAD_EXCLUDES(mutex_);

  [[nodiscard]] Result<ports::Ticket> close(std::uint64_t session, std::uint16_t packet_id) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] spool::LaneId lane(ports::SpoolId spool) const {
    return spool == ports::SpoolId::alarms ? alarms_lane_ : lane_;
  }
  // Entries of a spool that are settled when their time is over, as closes are.
  void remember(ports::SpoolId spool, std::vector<Sequence> entries) RAILHEAD_EXCLUDES(mutex_);
  // Settles what is old enough.
  void tick() RAILHEAD_EXCLUDES(mutex_);

 private:
  struct Kept {
    ports::SpoolId spool;
    std::vector<Sequence> entries;
    BootTime since;
  };
  [[nodiscard]] Result<std::vector<spool::Frame>> recent_frames(ports::SpoolId id) const;
  [[nodiscard]] Result<void> recover_state(ports::SpoolId id) RAILHEAD_EXCLUDES(mutex_);

  Stores& stores_;
  const system::Clock& clock_;
  spool::LaneId lane_;
  spool::LaneId alarms_lane_;
  mutable base::Mutex mutex_;
  std::deque<Kept> kept_ RAILHEAD_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<Recalled>> recalled_ RAILHEAD_GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, Sequence> done_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::flow
