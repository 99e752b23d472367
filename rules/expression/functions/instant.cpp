#include "rules/expression/functions/instant.h"

#include <chrono>
#include <limits>

#include "gateway/message/json.h"
#include "rules/expression/functions/function.h"

namespace railhead::expression {
namespace {

constexpr std::int64_t kNanos = 1'000'000'000;

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

Instant instant_of(const Value& timestamp) {
  return {timestamp.timestamp_seconds(), static_cast<std::int32_t>(timestamp.timestamp_nanoseconds())};
}

Value value_of(Instant instant) {
  if (instant.seconds < kFirstSecond || instant.seconds > kLastSecond) return out_of_range("timestamp");
  return Value::timestamp(instant.seconds, static_cast<std::uint32_t>(instant.nanos));
}

Value shifted(const Value& timestamp, Duration by) {
  Instant instant = instant_of(timestamp);
  instant.seconds += by.count() / kNanos;
  std::int64_t nanos = instant.nanos + by.count() % kNanos;
  if (nanos < 0) {
    nanos += kNanos;
    --instant.seconds;
  } else if (nanos >= kNanos) {
    nanos -= kNanos;
    ++instant.seconds;
  }
  instant.nanos = static_cast<std::int32_t>(nanos);
  return value_of(instant);
}

Value between(const Value& earlier, const Value& later) {
  const Instant from = instant_of(earlier);
  const Instant to = instant_of(later);
  std::int64_t count = 0;
  if (__builtin_mul_overflow(to.seconds - from.seconds, kNanos, &count) ||
      __builtin_add_overflow(count, std::int64_t{to.nanos} - from.nanos, &count)) {
    return out_of_range("duration");
  }
  return Value::duration(Duration{count});
}

std::optional<Instant> parse_instant(std::string_view text) {
  const std::optional<Seconds> parsed = parse_rfc3339_seconds(text);
  if (!parsed) return std::nullopt;
  return Instant{parsed->since_1970, static_cast<std::int32_t>(parsed->nanoseconds)};
}

std::string instant_text(Instant instant) {
  return to_rfc3339(instant.seconds, static_cast<std::uint32_t>(instant.nanos));
}

std::optional<Duration> parse_cel_duration(std::string_view text) {
  const bool negative = take(text, '-');
  if (!negative) take(text, '+');
  if (text == "0") return Duration{0};
  if (text.empty()) return std::nullopt;
  std::uint64_t total = 0;
  while (!text.empty()) {
    std::uint64_t whole = 0;
    std::string_view fraction;
    bool digits = false;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), digits = true) {
      if (__builtin_mul_overflow(whole, std::uint64_t{10}, &whole) ||
          __builtin_add_overflow(whole, static_cast<std::uint64_t>(text.front() - '0'), &whole)) {
        return std::nullopt;
      }
    }
    if (take(text, '.')) {
      std::size_t count = 0;
      while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
      fraction = text.substr(0, count);
      digits = digits || count > 0;
      text.remove_prefix(count);
    }
    if (!digits) return std::nullopt;
    std::size_t letters = 0;
    while (letters < text.size() && text[letters] != '.' && !(text[letters] >= '0' && text[letters] <= '9')) ++letters;
    const std::string_view unit = text.substr(0, letters);
    text.remove_prefix(letters);
    std::uint64_t nanos = 0;
    if (unit == "h") nanos = 3600ull * 1'000'000'000;
    if (unit == "m") nanos = 60ull * 1'000'000'000;
    if (unit == "s") nanos = 1'000'000'000;
    if (unit == "ms") nanos = 1'000'000;
    if (unit == "us" || unit == "\xC2\xB5s" || unit == "\xCE\xBCs") nanos = 1000;
    if (unit == "ns") nanos = 1;
    if (nanos == 0) return std::nullopt;
    // Exact and without wide integers: rounding down at each digit from the last is rounding down once.
    std::uint64_t part = 0;
    for (auto digit = fraction.rbegin(); digit != fraction.rend(); ++digit) {
      part = (part + static_cast<std::uint64_t>(*digit - '0') * nanos) / 10;
    }
    if (__builtin_mul_overflow(whole, nanos, &whole) || __builtin_add_overflow(total, whole, &total) ||
        __builtin_add_overflow(total, part, &total)) {
      return std::nullopt;
    }
  }
  constexpr auto kHighest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (total > kHighest + (negative ? 1 : 0)) return std::nullopt;
  return Duration{static_cast<std::int64_t>(negative ? 0 - total : total)};
}

}  // namespace railhead::expression
