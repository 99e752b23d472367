// OpenState: the entries of the lane @state that a QoS 2 delivery leaves (S7): `open` when its reading became no record
// that could carry the token, `close` when its PUBREL came. And what a start learns from them.
//
// Entry, version 1: u8 version | u8 kind (1 open, 2 close) | token as in field_token.h.
//
// A close must outlast the record it closes, or a restart would see the identifier open again. Both matter only for
// what is still in flight, so recovery looks back kLookBack and closes are kept for twice that time. Threads: any.
#pragma once

#include <deque>

#include "gateway/base/mutex.h"
#include "gateway/base/result.h"
#include "gateway/flow/delivery_table.h"
#include "gateway/flow/stores.h"
#include "gateway/system/clock.h"

namespace railhead::flow {

inline constexpr Duration kLookBack = std::chrono::seconds{20};

class OpenState {
 public:
  OpenState(Stores& stores, const system::Clock& clock);

  // Fills `table` with the deliveries of the last kLookBack whose acknowledgement may not have left.
  [[nodiscard]] Result<void> recover(DeliveryTable& table) RAILHEAD_EXCLUDES(mutex_);
  static void encode_open(const FieldToken& token, std::string& out);
  [[nodiscard]] Result<ports::Ticket> close(std::uint64_t session, std::uint16_t packet_id) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] spool::LaneId lane() const { return lane_; }
  // An `open` entry that was appended; it is settled when its time is over, as closes are.
  void remember(Sequence entry) RAILHEAD_EXCLUDES(mutex_);
  // Settles what is old enough.
  void tick() RAILHEAD_EXCLUDES(mutex_);

 private:
  struct Kept {
    Sequence sequence;
    BootTime since;
  };
  Stores& stores_;
  const system::Clock& clock_;
  spool::LaneId lane_;
  base::Mutex mutex_;
  std::deque<Kept> kept_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::flow
