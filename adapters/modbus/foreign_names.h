// What other gateways, PLC languages and vendors' manuals call the types and fields of a point: for the hint when
// somebody writes their word. Threads: pure functions.
#pragma once

#include <string_view>

namespace railhead::modbus {

// "double" is float64, "sunssf" is scale_from; empty when nothing is known by that name.
[[nodiscard]] std::string_view type_meant(std::string_view foreign);
[[nodiscard]] std::string_view point_field_meant(std::string_view foreign);

}  // namespace railhead::modbus
