// Dates and addresses as vendors pack them into registers. Pure functions.
// Formats: points.h, Type. Dates are UTC: a device whose clock runs on local time has its offset to be known elsewhere.
// Errors:  nullopt: no date of the years 1..9999, or the device marks it as invalid.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/modbus/points.h"
#include "gateway/message/value.h"

namespace railhead::modbus {

// `raw`: the type's bytes, the most significant first. A type of Nature::date of at most 8 bytes.
[[nodiscard]] std::optional<Value> date_from(Type type, std::uint64_t raw);
// date_words: 12 bytes.
[[nodiscard]] std::optional<Value> date_from_words(std::string_view bytes);

// ipaddr: "10.0.0.17"; eui48: "00:1B:44:11:3A:B7" (the lower six bytes).
[[nodiscard]] std::string address_text(Type type, std::uint64_t raw);
// 16 bytes, as RFC 5952 writes them: "2001:db8::1".
[[nodiscard]] std::string ipv6_text(std::string_view bytes);

}  // namespace railhead::modbus
