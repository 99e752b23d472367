#include "rules/routing/rule_memory.h"

#include <algorithm>

#include "rules/expression/functions/zone.h"

namespace railhead::routing {
namespace {

std::int64_t floor_to(std::int64_t count, std::int64_t unit) {
  const std::int64_t rest = count % unit;
  return count - (rest < 0 ? rest + unit : rest);
}

constexpr std::size_t kPointsMax = 10'000;  // of a snapshot
constexpr std::int64_t kNanoseconds = 1'000'000'000;

std::int64_t offset_at(const std::string& zone, std::int64_t utc_ns) {
  return expression::zone_offset(zone, floor_to(utc_ns, kNanoseconds) / kNanoseconds).value_or(0) * kNanoseconds;
}

// The instant at which clocks of the zone show this: in an hour that comes twice the first, in one that is left out the
// moment after it.
std::int64_t instant_of(const std::string& zone, std::int64_t local_ns) {
  constexpr std::int64_t kDay = 24 * 3600 * kNanoseconds;
  const std::int64_t before = offset_at(zone, local_ns - kDay);
  const std::int64_t after = offset_at(zone, local_ns + kDay);
  if (before == after) return local_ns - before;
  // The change lies in between, on a whole second.
  std::int64_t low = floor_to(local_ns - kDay, kNanoseconds);
  std::int64_t high = low + 2 * kDay + kNanoseconds;
  while (high - low > kNanoseconds) {
    const std::int64_t middle = floor_to(low + (high - low) / 2, kNanoseconds);
    (offset_at(zone, middle) == before ? low : high) = middle;
  }
  if (local_ns < high + before) return local_ns - before;
  return std::max(local_ns - after, high);
}

}  // namespace

Span span_of(Time time, Duration every, const std::string& zone) {
  const std::int64_t at = time.time_since_epoch().count();
  const std::int64_t unit = every.count();
  if (zone.empty()) {
    const std::int64_t start = floor_to(at, unit);
    return {Time{Duration{start}}, Time{Duration{start + unit}}};
  }
  std::int64_t local = floor_to(at + offset_at(zone, at), unit);
  std::int64_t start = instant_of(zone, local);
  if (start > at) {  // the clocks go back over midnight
    local -= unit;
    start = instant_of(zone, local);
  }
  std::int64_t end = instant_of(zone, local + unit);
  if (end <= at) {
    start = end;
    end = instant_of(zone, local + 2 * unit);
  }
  return {Time{Duration{start}}, Time{Duration{end}}};
}

Value merged_points(const Value& before, const Value& now) {
  if (now.is(Kind::null)) return before;
  if (!now.is(Kind::map) || !before.is(Kind::map)) return now;
  Value::Entries entries(now.as_map().begin(), now.as_map().end());
  for (const auto& entry : before.as_map()) {
    if (entries.size() >= kPointsMax) break;
    if (now.find(entry.first) == nullptr) entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    if (!a.first.is(Kind::string) || !b.first.is(Kind::string)) return a.first.kind() < b.first.kind();
    return a.first.as_text() < b.first.as_text();
  });
  return Value::map(std::move(entries));
}

}  // namespace railhead::routing
