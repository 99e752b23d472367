// Time zones by name ("Europe/Berlin", "UTC") or fixed offset ("+02:00", "-09:30", "02:00").
// Why a room of its own: the time zone library's headers stay here. Threads: safe from any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace railhead::expression {

// Seconds east of UTC at this time; nullopt for an unknown zone.
[[nodiscard]] std::optional<std::int64_t> zone_offset(std::string_view zone, std::int64_t utc_seconds);
// The zone that was probably meant: "Europe/Berln", "europe/berlin" and "Berlin" are Europe/Berlin.
[[nodiscard]] std::optional<std::string> nearest_zone(std::string_view zone);

}  // namespace railhead::expression
