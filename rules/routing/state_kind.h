// The parts of a state entry that a rule gives out (S7), one after another:
//   u64 Rule::state_id | u8 StateKind | text body (as state_bytes.h)
//   absorbed    i64 time | u8 clock trusted | value key | text device | varint n, n values: the arguments of the calls
//   closed      i64 start | value key | i64 newest | i64 closed through
//   clock       i64 newest | i64 closed through | u8 there is one, i64 period end
//   cell        i64 start | value key | text device | u8 one device | u8 clock trusted | the accumulators
//   seen        text key | i64 age ns, when this was written
//   number      text sender | u64 highest | u64 seen
//   waiting     text sender | u64 number | reading
//   released    text sender | u64 number
//   points      reading | u8 heard | i64 period end: the reading's points take the place of those before
//   sent        i64 newest | i64 period end that was sent
// absorbed, points and waiting are what a reading left; closed, released and sent what took it away; the others
// restate.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/bytes.h"

namespace railhead::routing {

enum class StateKind : std::uint8_t {
  absorbed = 1,
  closed,
  clock,
  cell,
  seen,
  number,
  waiting,
  released,
  points,
  sent,
};

// Appends one part; `write` writes its body to the given string.
template <class Write>
void add_part(std::uint64_t state_id, StateKind kind, std::string& out, Write write) {
  std::string body;
  write(body);
  base::ByteWriter writer(out);
  writer.u64(state_id);
  writer.u8(static_cast<std::uint8_t>(kind));
  writer.text(body);
}

}  // namespace railhead::routing
