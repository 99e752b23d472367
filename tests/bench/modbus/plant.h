// The plant that all pollers ask: what the product is configured with, and the requests that its plan makes of it.
#pragma once

#include <vector>

#include "adapters/modbus/source.h"
#include "tests/bench/modbus/pollers.h"

namespace railhead::bench {

[[nodiscard]] std::vector<modbus::Point> plant_points(const Poll& poll);
[[nodiscard]] modbus::SourceOptions plant_source(const Poll& poll);
// Of one device: the same for all.
[[nodiscard]] std::vector<modbus::Block> plant_blocks(const Poll& poll);
// Device n is at 127.1.x.y.
[[nodiscard]] std::string host_of(unsigned device);

}  // namespace railhead::bench
