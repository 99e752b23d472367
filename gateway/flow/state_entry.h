// StateEntry: the payload of a frame in the lane @state (S7). Threads: pure functions.
//
// Bytes, version 1 (little-endian; "text" = varint length + bytes):
//   u8 version | u8 kind | then by kind
//   1 open   token as in field_token.h: a QoS 2 delivery was taken
//   2 close  token: its PUBREL came; packet identifier 0: the session is lost with all it had open
//   3 rules  token | u8 part | text source | bytes to the end: what the source's rules must not forget
//   (ports/router.h);
//            part 1 begins and 2 ends a restatement: the entries between replace all of the source before it. One that
//            does not end is void.
//   4 done   u64 identity: the alarms' side of a group that spans spools is in the spool of this entry (S11)
//   5 started u64 sequence of the record in the spool of this entry | text sink: the sink began to do it (S33)
//   6 note   text source | bytes to the end: what the source knows of its sessions; the newest of a source counts
// An older reader skips entries of a higher version.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/strong.h"
#include "gateway/message/reading.h"

namespace railhead::flow {

struct StateEntry {
  enum class Kind : std::uint8_t { open = 1, close = 2, rules = 3, done = 4, started = 5, note = 6 };
  enum class Part : std::uint8_t { entry, begins, ends };
  Kind kind = Kind::open;
  Part part = Part::entry;
  std::optional<FieldToken> token = {};
  std::string_view source = {};
  std::string_view rules = {};
  std::uint64_t identity = 0;
  Sequence record = {};
  std::string_view sink = {};
  std::string_view note = {};
};

void encode(const StateEntry& entry, std::string& out);
// The views point into `bytes`. nullopt: damaged or newer.
[[nodiscard]] std::optional<StateEntry> decode_state_entry(std::string_view bytes);

}  // namespace railhead::flow
