#include "gateway/base/time.h"

#include <array>
#include <cstdio>

namespace railhead {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

std::string format(std::chrono::sys_seconds time, long fraction, int digits) {
  const sys_days day = floor<days>(time);
  const year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  std::array<char, 64> text{};
  int length = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                             static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                             static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                             static_cast<int>(clock.seconds().count()));
  std::string result(text.data(), static_cast<std::size_t>(length));
  if (digits != 0 || fraction != 0) {
    length = std::snprintf(text.data(), text.size(), ".%09ld", fraction);
    std::string tail(text.data(), static_cast<std::size_t>(length));
    if (digits != 0) {
      tail.resize(static_cast<std::size_t>(digits) + 1);
    } else {
      while (tail.back() == '0') tail.pop_back();
    }
    result += tail;
  }
  return result + "Z";
}

std::string format(Time time, int digits) {
  // Not std::chrono::floor: at the earliest times it overflows on its way.
  const std::int64_t count = time.time_since_epoch().count();
  std::int64_t seconds = count / kNanosPerSecond;
  std::int64_t fraction = count % kNanosPerSecond;
  if (fraction < 0) {
    --seconds;
    fraction += kNanosPerSecond;
  }
  return format(std::chrono::sys_seconds{std::chrono::seconds{seconds}}, static_cast<long>(fraction), digits);
}

// Reads exactly `count` digits.
bool take_number(std::string_view& text, std::size_t count, int& out) {
  if (text.size() < count) return false;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  out = value;
  return true;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string to_rfc3339(Time time) { return format(time, 0); }
std::string to_rfc3339(std::int64_t seconds, std::uint32_t nanoseconds) {
  return format(std::chrono::sys_seconds{std::chrono::seconds{seconds}}, static_cast<long>(nanoseconds), 0);
}
std::string to_rfc3339_ms(Time time) { return format(time, 3); }

std::optional<Time> parse_rfc3339(std::string_view text) {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!take_number(text, 4, year) || !take(text, '-') || !take_number(text, 2, month) || !take(text, '-') ||
      !take_number(text, 2, day)) {
    return std::nullopt;
  }
  if (!take(text, 'T') && !take(text, 't')) return std::nullopt;
  if (!take_number(text, 2, hour) || !take(text, ':') || !take_number(text, 2, minute) || !take(text, ':') ||
      !take_number(text, 2, second)) {
    return std::nullopt;
  }
  const year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                            std::chrono::day{static_cast<unsigned>(day)}};
  if (year < 1 || !date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  std::int64_t fraction = 0;
  if (take(text, '.')) {
    std::int64_t unit = 100'000'000;
    std::size_t digits = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      fraction += unit * (text.front() - '0');
      unit /= 10;
      ++digits;
      text.remove_prefix(1);
    }
    if (digits == 0 || digits > 9) return std::nullopt;
  }
  int offset_minutes = 0;
  if (!take(text, 'Z') && !take(text, 'z')) {
    const bool west = !text.empty() && text.front() == '-';
    if (!take(text, '+') && !take(text, '-')) return std::nullopt;
    int offset_hour = 0;
    int offset_minute = 0;
    if (!take_number(text, 2, offset_hour) || !take(text, ':') || !take_number(text, 2, offset_minute))
      return std::nullopt;
    if (offset_hour > 23 || offset_minute > 59) return std::nullopt;
    offset_minutes = (offset_hour * 60 + offset_minute) * (west ? -1 : 1);
  }
  if (!text.empty()) return std::nullopt;
  std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(sys_days{date}.time_since_epoch()).count() +
                         std::int64_t{hour} * 3600 + std::int64_t{minute} * 60 + second -
                         std::int64_t{offset_minutes} * 60;
  if (seconds < 0 && fraction > 0) {  // or the earliest times would overflow on their way
    ++seconds;
    fraction -= 1'000'000'000;
  }
  std::int64_t nanoseconds = 0;
  if (__builtin_mul_overflow(seconds, std::int64_t{1'000'000'000}, &nanoseconds) ||
      __builtin_add_overflow(nanoseconds, fraction, &nanoseconds)) {
    return std::nullopt;
  }
  return Time{Duration{nanoseconds}};
}

}  // namespace railhead
