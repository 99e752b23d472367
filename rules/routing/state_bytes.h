// The bytes of values and readings inside state entries (S7). Little-endian; "text" = varint length + bytes.
//   value:   u8 Kind | by kind: nothing (null), u8 (bool), u64 (int, uint, double, duration), i64 seconds + u32 ns
//            (timestamp), text (string, bytes, type, error, address, network), varint count + values (list), varint
//            count + key, value pairs (map)
//   reading: text source | text device | i64 time ns | u8 flags (1 clock trusted, 2 may be a repeat) | u8 quality
//            | value | value bad | value attributes
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/bytes.h"
#include "gateway/message/reading.h"
#include "gateway/message/value.h"

namespace railhead::routing {

void write_time(Time time, std::string& out);
void write_value(const Value& value, std::string& out);
// nullopt: the bytes end early, or nest deeper than 64.
[[nodiscard]] std::optional<Value> read_value(base::ByteReader& reader);

void write_reading(const Reading& reading, std::string& out);
[[nodiscard]] std::optional<Reading> read_reading(base::ByteReader& reader);

// FNV-1a, 64 bit: the same on every machine and in every version.
[[nodiscard]] std::uint64_t stable_hash(std::string_view bytes, std::uint64_t from = 0xcbf29ce484222325ULL) noexcept;

}  // namespace railhead::routing
