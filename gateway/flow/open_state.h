// OpenState: the lane @state (S7): what a start learns from it, and when its entries may go.
//
// QoS 2: beside what a delivery became stands an open entry, which is owed until its PUBREL came, however long that
// takes and whatever becomes of the records' segments. The close must outlast the records it closes, or a restart would
// see the identifier open again from their tokens; so it and the open entry are kept for a while and go together.
// QoS 1: the tokens in the records themselves count, those of the last kLookBack before the spool's newest frame
// (delivery_history.h): an acknowledgement leaves when the disk has the message, not later; and only while the broker's
// use of identifiers tells a redelivery from a new message (identifier_use.h). So long, too, one spool may be behind
// another in what it has of a group. What rules must not forget is kept until a journal (rule_journal.h) says that it
// is settled.
//
// Threads: any.
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

class DeliveryHistory;

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

  // Fills `table` with the deliveries whose acknowledgement may not have left, and keeps what
  // rules must not forget for take_recalled(). Reads the end of each spool, and the telemetry from the oldest entry on
  // that is not settled.
  [[nodiscard]] Result<void> recover(DeliveryTable& table) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<Recalled> take_recalled(const std::string& source) RAILHEAD_EXCLUDES(mutex_);
  // Settles what no source asked for. Returns how many entries of it were not replaced by later ones.
  std::size_t drop_unclaimed() RAILHEAD_EXCLUDES(mutex_);
  // The alarms' side of this group was appended before a kill.
  [[nodiscard]] bool is_done(std::uint64_t identity) const RAILHEAD_EXCLUDES(mutex_);
  // The other side was appended too.
  void forget_done(std::uint64_t identity) RAILHEAD_EXCLUDES(mutex_);

  // Where the open entry of a QoS 2 delivery was appended.
  void opened(const FieldToken& token, Sequence entry) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<ports::Ticket> close(std::uint64_t session, std::uint16_t packet_id) RAILHEAD_EXCLUDES(mutex_);
  // The broker lost it: its identifiers mean nothing any more, also after a restart.
  [[nodiscard]] Result<void> close_session(std::uint64_t session) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] spool::LaneId lane(ports::SpoolId spool) const {
    return spool == ports::SpoolId::alarms ? alarms_lane_ : lane_;
  }
  // Sessions with an identifier open.
  [[nodiscard]] std::vector<std::uint64_t> sessions() const RAILHEAD_EXCLUDES(mutex_);
  // Appends an encoded entry to the telemetry's lane.
  [[nodiscard]] Result<Sequence> append(std::string_view entry);
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
  [[nodiscard]] Result<void> recover_state(ports::SpoolId id, DeliveryHistory& history) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<Sequence> append_close(std::uint64_t session, std::uint16_t packet_id) RAILHEAD_EXCLUDES(mutex_);
  void note_opened(const FieldToken& token, Sequence entry, BootTime now) RAILHEAD_REQUIRES(mutex_);
  void note_closed(std::uint64_t session, std::uint16_t packet_id, Sequence close, BootTime now)
      RAILHEAD_REQUIRES(mutex_);

  Stores& stores_;
  const system::Clock& clock_;
  spool::LaneId lane_;
  spool::LaneId alarms_lane_;
  mutable base::Mutex mutex_;
  std::deque<Kept> kept_ RAILHEAD_GUARDED_BY(mutex_);
  // By session and packet identifier.
  std::unordered_map<std::uint64_t, std::unordered_map<std::uint16_t, Sequence>> open_ RAILHEAD_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<Recalled>> recalled_ RAILHEAD_GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, Sequence> done_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::flow
