// getFullYear() and its kin on timestamps (with or without a time zone) and durations [langdef "Date/time functions"].
#include <array>
#include <chrono>

#include "rules/expression/functions/function.h"
#include "rules/expression/functions/instant.h"
#include "rules/expression/functions/utf8.h"
#include "rules/expression/functions/zone.h"

namespace railhead::expression {
namespace {

enum class Part : std::uint8_t {
  year,
  month,
  day_of_year,
  day_of_month,
  date,
  day_of_week,
  hours,
  minutes,
  seconds,
  millis
};

constexpr std::array<std::string_view, 10> kGetters{"getFullYear", "getMonth",       "getDayOfYear", "getDayOfMonth",
                                                    "getDate",     "getDayOfWeek",   "getHours",     "getMinutes",
                                                    "getSeconds",  "getMilliseconds"};

std::int64_t part_of(Part part, Instant instant) {
  const std::chrono::sys_seconds time{std::chrono::seconds{instant.seconds}};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::int64_t second_of_day = (time - day).count();
  switch (part) {
    case Part::year: return static_cast<int>(date.year());
    case Part::month: return static_cast<std::int64_t>(static_cast<unsigned>(date.month())) - 1;
    case Part::day_of_year: return (day - std::chrono::sys_days{date.year() / std::chrono::January / 1}).count();
    case Part::day_of_month: return static_cast<std::int64_t>(static_cast<unsigned>(date.day())) - 1;
    case Part::date: return static_cast<std::int64_t>(static_cast<unsigned>(date.day()));
    case Part::day_of_week: return std::chrono::weekday{day}.c_encoding();
    case Part::hours: return second_of_day / 3600;
    case Part::minutes: return second_of_day / 60 % 60;
    case Part::seconds: return second_of_day % 60;
    case Part::millis: return instant.nanos / 1'000'000;
  }
  return 0;
}

Value of_duration(Part part, std::int64_t nanos) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  switch (part) {
    case Part::hours: return Value::integer(nanos / (3600 * kSecond));
    case Part::minutes: return Value::integer(nanos / (60 * kSecond));
    case Part::seconds: return Value::integer(nanos / kSecond);
    default: return Value::integer(nanos % kSecond / 1'000'000);
  }
}

template <Part part>
Value get(Arguments arguments, Work& work) {
  const Value& subject = arguments[0];
  if (subject.is(Kind::duration) && part >= Part::hours && arguments.size() == 1) {
    return of_duration(part, subject.as_duration().count());
  }
  if (!subject.is(Kind::timestamp) || (arguments.size() == 2 && !arguments[1].is(Kind::string))) {
    return no_overload(kGetters[static_cast<std::size_t>(part)], arguments);
  }
  Instant instant = instant_of(subject);
  if (arguments.size() == 2) {
    if (!work.charge(20)) return too_much_work();
    const auto offset = zone_offset(arguments[1].as_text(), instant.seconds);
    if (!offset) return Value::error("unknown time zone: " + std::string(shortened(arguments[1].as_text(), 64)));
    instant.seconds += *offset;
  }
  return Value::integer(part_of(part, instant));
}

constexpr std::string_view kOfTimestamps = "t:i ts:i";
constexpr std::string_view kOfBoth = "t:i ts:i r:i";

constexpr std::array<FunctionEntry, 10> kTime{{
    {kGetters[0], true, get<Part::year>, kOfTimestamps},
    {kGetters[1], true, get<Part::month>, kOfTimestamps},
    {kGetters[2], true, get<Part::day_of_year>, kOfTimestamps},
    {kGetters[3], true, get<Part::day_of_month>, kOfTimestamps},
    {kGetters[4], true, get<Part::date>, kOfTimestamps},
    {kGetters[5], true, get<Part::day_of_week>, kOfTimestamps},
    {kGetters[6], true, get<Part::hours>, kOfBoth},
    {kGetters[7], true, get<Part::minutes>, kOfBoth},
    {kGetters[8], true, get<Part::seconds>, kOfBoth},
    {kGetters[9], true, get<Part::millis>, kOfBoth},
}};

}  // namespace

std::span<const FunctionEntry> time_functions() { return kTime; }

}  // namespace railhead::expression
