// Values as MessagePack and as CBOR, for bodies. Exact: integers of 64 bits with and without sign in the shortest form,
// doubles always as 64 bits, bytes as bytes, timestamps to the nanosecond; nothing is rounded on the way.
// Standards: MessagePack specification 2017 (timestamps: extension type -1), RFC 8949 (timestamps: tag 0, RFC 3339).
// What both lack is written as JSON writes it: a duration and a type as their text. Maps keep the order of their
// entries. Threads: pure functions.
#pragma once

#include <cstddef>
#include <string>

#include "gateway/message/value.h"

namespace railhead {

// REQUIRES: no Value of kind error in it (written as nil).
void write_messagepack(const Value& value, std::string& out);
void write_cbor(const Value& value, std::string& out);
// The heads of what is written piece by piece: so many values follow, of a map key and value in turn.
void begin_messagepack_list(std::size_t items, std::string& out);
void begin_messagepack_map(std::size_t entries, std::string& out);
void begin_cbor_list(std::size_t items, std::string& out);
void begin_cbor_map(std::size_t entries, std::string& out);

}  // namespace railhead
