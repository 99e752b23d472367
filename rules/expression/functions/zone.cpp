#include "rules/expression/functions/zone.h"

#include <date/tz.h>
#include <chrono>
#include <exception>
#include <string>
#include <vector>

#include "gateway/base/text.h"

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

std::string in_small_letters(std::string_view name) {
  std::string small(name);
  for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return small;
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

std::optional<std::string> nearest_zone(std::string_view zone) {
  std::vector<std::string> names;
  try {
    const date::tzdb& all = date::get_tzdb();
    for (const auto& each : all.zones) names.push_back(each.name());
  } catch (const std::exception&) {
    return std::nullopt;
  }
  const std::string wanted = in_small_letters(zone);
  for (const std::string& name : names) {
    const std::string lower = in_small_letters(name);
    if (lower == wanted || lower.ends_with("/" + wanted)) return name;
  }
  return base::nearest(zone, names);
}

}  // namespace railhead::expression
