// DeliveryHistory: what the frames of the spools say of MQTT deliveries when a gateway starts, put in order of time and
// played into a DeliveryTable (S19, S7). One spool may hold an older delivery under an identifier and another a newer
// one: the older must not undo what the newer left.
//
// Looked at are the frames of the last kLookBack before each spool's newest, and what OpenState adds: entries that are
// owed however old they are. Memory: some bytes a frame, never a payload; kHeardMax of a spool.
// Threads: one owner.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/flow/delivery_table.h"
#include "gateway/flow/identifier_use.h"
#include "gateway/flow/state_entry.h"
#include "gateway/ports/ticket.h"
#include "gateway/spool/spool.h"

namespace railhead::flow {

inline constexpr Duration kLookBack = std::chrono::seconds{20};

class DeliveryHistory {
 public:
  static constexpr std::size_t kHeardMax = 200'000;  // of these the newer half is kept

  // An open or close entry of the telemetry spool. REQUIRES entry.token.
  void add(const spool::Frame& frame, const StateEntry& entry);
  // The end of a spool.
  [[nodiscard]] Result<void> read(ports::SpoolId id, const spool::Spool& spool);
  void replay(DeliveryTable& table);

 private:
  struct Moment {
    Time appended;
    std::optional<BootTime> booted;  // boot time; absent when that was before the last reboot
  };
  struct Heard {
    Sequence sequence;
    Moment moment;
    FieldToken token;
    std::optional<StateEntry::Kind> kind;  // of an internal frame
    bool marked = false;                   // as a possible repeat
    bool recent = false;
  };
  static Moment moment_of(const spool::Frame& frame) { return {frame.appended, frame.appended_boot}; }
  static bool is_recent(const Moment& moment, const Moment& newest);
  static bool is_earlier(const Moment& one, const Moment& other);
  static std::optional<Heard> hear(ports::SpoolId id, const spool::Frame& frame);
  static void play(const Heard& heard, ports::SpoolId id, bool begins_group, DeliveryTable& table);
  std::vector<Heard>& of(ports::SpoolId id) { return heard_[static_cast<std::size_t>(id)]; }

  std::vector<Heard> owed_;  // by OpenState
  std::array<std::vector<Heard>, ports::kSpools> heard_;
  IdentifierUse use_;
};

}  // namespace railhead::flow
