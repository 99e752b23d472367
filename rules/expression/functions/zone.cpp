#include "rules/expression/functions/zone.h"

#include <date/tz.h>
#include <chrono>
#include <exception>
#include <string>

namespace railhead::expression {
namespace {

std::optional<std::int64_t> fixed_offset(std::string_view zone) {
  bool west = false;
  if (!zone.empty() && (zone.front() == '+' || zone.front() == '-')) {
    west = zone.front() == '-';
    zone.remove_prefix(1);
  }
  const auto digit = [&](std::size_t i) { return zone[i] >= '0' && zone[i] <= '9'; };
  if (zone.size() != 5 || zone[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) return std::nullopt;
  const auto number = [&](std::size_t i) { return (zone[i] - '0') * 10 + (zone[i + 1] - '0'); };
  if (number(0) > 23 || number(3) > 59) return std::nullopt;
  const std::int64_t seconds = number(0) * 3600 + number(3) * 60;
  return west ? -seconds : seconds;
}

}  // namespace

std::optional<std::int64_t> zone_offset(std::string_view zone, std::int64_t utc_seconds) {
  if (zone == "UTC" || zone == "Z" || zone == "GMT" || zone.empty()) return 0;
  if (const auto fixed = fixed_offset(zone)) return fixed;
  if (zone.size() > 64 || zone.find("..") != std::string_view::npos) return std::nullopt;
  try {
    const date::time_zone* found = date::locate_zone(std::string(zone));
    const auto info = found->get_info(date::sys_seconds{std::chrono::seconds{utc_seconds}});
    return info.offset.count();
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace railhead::expression
