#include "rules/routing/given.h"

#include <algorithm>
#include <optional>

#include "gateway/message/json.h"
#include "rules/expression/expression.h"
#include "rules/routing/expression_reader.h"
#include "rules/routing/hints.h"

namespace railhead::routing {
namespace {

template <class Parts>
auto part_named(const Parts& parts, std::string_view name) -> decltype(&*parts.begin()) {
  const auto found = std::find_if(parts.begin(), parts.end(), [&](const auto& part) { return part.name == name; });
  return found == parts.end() ? nullptr : &*found;
}

template <class Parts>
std::string nearest_or_all(std::string_view name, const Parts& parts) {
  std::vector<std::string> names;
  for (const auto& part : parts) names.push_back(part.name);
  std::string near = hint_of(name, names);
  return near.empty() && !names.empty() ? "there are " + list_of(names) : near;
}

// As the source would give it; none: it never gives such a value.
std::optional<Value> as_kind(const Value& value, Kind kind) {
  if (value.kind() == kind || value.is(Kind::null)) return value;
  switch (kind) {
    case Kind::real:
      if (value.is_number()) return Value::real(value.to_real());
      break;
    case Kind::uinteger:
      if (value.is(Kind::integer) && value.as_integer() >= 0) {
        return Value::uinteger(static_cast<std::uint64_t>(value.as_integer()));
      }
      break;
    case Kind::timestamp:
      if (value.is(Kind::string)) {
        if (const auto time = parse_rfc3339(value.as_text())) return Value::timestamp(*time);
      }
      break;
    default: break;
  }
  return {};
}

Value points_as_delivered(const Value& value, const std::vector<ports::KnownPoint>& points, const std::string& path,
                          const std::string& device, std::vector<Impossible>& wrong) {
  Value::Entries entries;
  for (const auto& [name, member] : value.as_map()) {
    const std::string text = name.is(Kind::string) ? std::string(name.as_text()) : to_json(name);
    const std::string at = path.empty() ? text : path + "." + text;
    const ports::KnownPoint* const point = part_named(points, text);
    std::optional<Value> given;
    if (point == nullptr) {
      wrong.push_back({Impossible::Part::point, at, "no point '" + at + "' on device '" + device + "'",
                       nearest_or_all(text, points)});
    } else if (!point->kind) {
      given = member;
    } else if (*point->kind == Kind::map && member.is(Kind::map) && !point->members.empty()) {
      given = points_as_delivered(member, point->members, at, device, wrong);
    } else {
      given = as_kind(member, *point->kind);
      if (!given) {
        wrong.push_back({Impossible::Part::value,
                         at,
                         "point '" + at + "' is never " + type_with_article(member) + ": it is " +
                             with_article(expression::name_of(expression::type_of(*point->kind))),
                         {}});
      }
    }
    entries.emplace_back(name, given ? std::move(*given) : member);
  }
  return Value::map(std::move(entries));
}

}  // namespace

std::vector<Impossible> make_as_delivered(Reading& reading, std::span<const KnownSource> sources) {
  std::vector<Impossible> wrong;
  if (sources.empty() || reading.source == kOwnSource) return wrong;
  const KnownSource* const source = part_named(sources, reading.source);
  if (source == nullptr) {
    wrong.push_back(
        {Impossible::Part::source, {}, "no source '" + reading.source + "'", nearest_or_all(reading.source, sources)});
    return wrong;
  }
  const ports::KnownDevice* const device = part_named(source->devices, reading.device);
  if (device == nullptr) {
    if (source->devices_complete) {
      wrong.push_back({Impossible::Part::device,
                       {},
                       "no device '" + reading.device + "' in source '" + reading.source + "'",
                       nearest_or_all(reading.device, source->devices)});
    }
    return wrong;
  }
  if (device->points.empty() || !reading.value.is(Kind::map)) return wrong;
  reading.value = points_as_delivered(reading.value, device->points, {}, device->name, wrong);
  return wrong;
}

}  // namespace railhead::routing
