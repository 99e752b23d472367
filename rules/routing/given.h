// Readings that people write (`given` of a test, a line of `railhead try`): whether the sources can deliver them, and
// each value as the source would: a scaled point is a double however it is written, an instant is a timestamp.
// Threads: pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "gateway/message/reading.h"
#include "rules/routing/routing.h"

namespace railhead::routing {

// What keeps a reading from coming.
struct Impossible {
  enum class Part : std::uint8_t { source, device, point, value };
  Part part = Part::source;
  std::string point;  // of Part::point and Part::value: "temperature"
  std::string what;
  std::string hint;
};

// All that is wrong; empty: it can come. Without `sources` nothing is checked.
[[nodiscard]] std::vector<Impossible> make_as_delivered(Reading& reading, std::span<const KnownSource> sources);

}  // namespace railhead::routing
