// What other gateways, PLC languages and vendors' manuals call the types and fields of a point: for the hint when
// somebody writes their word. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace railhead::modbus {

// "double" is float64, "sunssf" is scale_from, "slave_id" is unit_id; empty when nothing is known by that name.
[[nodiscard]] std::string_view type_meant(std::string_view foreign);
[[nodiscard]] std::string_view point_field_meant(std::string_view foreign);
[[nodiscard]] std::string_view device_field_meant(std::string_view foreign);
[[nodiscard]] std::string_view source_field_meant(std::string_view foreign);
// "cdab", "little-endian", "3412": the letters of an order of 32 bits, or of as many as there are digits or letters.
[[nodiscard]] std::string order_meant(std::string_view foreign);

}  // namespace railhead::modbus
