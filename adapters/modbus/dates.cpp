#include "adapters/modbus/dates.h"

#include <arpa/inet.h>

#include <array>
#include <chrono>

namespace railhead::modbus {
namespace {

struct Parts {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  unsigned milliseconds = 0;
};

// 0001-01-01 and 9999-12-31T23:59:59.
constexpr std::int64_t kFirstSecond = -62'135'596'800;
constexpr std::int64_t kLastSecond = 253'402'300'799;

std::optional<Value> of_seconds(std::int64_t seconds, std::uint32_t nanoseconds = 0) {
  if (seconds < kFirstSecond || seconds > kLastSecond) return std::nullopt;
  return Value::timestamp(seconds, nanoseconds);
}

std::optional<Value> of_parts(const Parts& parts) {
  using namespace std::chrono;
  const year_month_day date{year{parts.year}, month{parts.month}, day{parts.day}};
  if (!date.ok() || parts.hour > 23 || parts.minute > 59 || parts.second > 59 || parts.milliseconds > 999) {
    return std::nullopt;
  }
  const std::int64_t seconds = std::int64_t{sys_days{date}.time_since_epoch().count()} * 86'400 + parts.hour * 3'600 +
                               parts.minute * 60 + parts.second;
  return of_seconds(seconds, parts.milliseconds * 1'000'000);
}

unsigned byte_of(std::uint64_t raw, unsigned index) { return static_cast<unsigned>(raw >> (8 * index)) & 0xff; }

// Two BCD digits; above 99 when they are none.
unsigned two_digits(unsigned byte) { return byte >> 4 > 9 || (byte & 15) > 9 ? 255 : (byte >> 4) * 10 + (byte & 15); }

// IEC 60870-5-4, 6.8: CP56Time2a.
std::optional<Value> cp56(std::uint64_t raw) {
  const unsigned minute = byte_of(raw, 2);
  if ((minute & 0x80) != 0) return std::nullopt;  // IV: the device's clock was never set
  const unsigned milliseconds = byte_of(raw, 1) << 8 | byte_of(raw, 0);
  if (milliseconds > 59'999) return std::nullopt;
  return of_parts({.year = 2000 + static_cast<int>(byte_of(raw, 6) & 0x7f),
                   .month = byte_of(raw, 5) & 0x0f,
                   .day = byte_of(raw, 4) & 0x1f,
                   .hour = byte_of(raw, 3) & 0x1f,
                   .minute = minute & 0x3f,
                   .second = milliseconds / 1000,
                   .milliseconds = milliseconds % 1000});
}

std::optional<Value> s7_time(std::uint64_t raw) {
  const unsigned year = two_digits(byte_of(raw, 7));
  const unsigned hundreds = two_digits(byte_of(raw, 1));
  const unsigned ones = byte_of(raw, 0) >> 4;
  if (year > 99 || hundreds > 99 || ones > 9) return std::nullopt;
  return of_parts({.year = static_cast<int>(year) + (year < 90 ? 2000 : 1900),
                   .month = two_digits(byte_of(raw, 6)),
                   .day = two_digits(byte_of(raw, 5)),
                   .hour = two_digits(byte_of(raw, 4)),
                   .minute = two_digits(byte_of(raw, 3)),
                   .second = two_digits(byte_of(raw, 2)),
                   .milliseconds = hundreds * 10 + ones});
}

}  // namespace

std::optional<Value> date_from(Type type, std::uint64_t raw) {
  switch (type) {
    case Type::unix32: return of_seconds(static_cast<std::int64_t>(raw));
    case Type::unix64: return of_seconds(static_cast<std::int64_t>(raw));
    case Type::unix64_ms: {
      const auto milliseconds = static_cast<std::int64_t>(raw);
      std::int64_t seconds = milliseconds / 1000;
      std::int64_t rest = milliseconds % 1000;
      if (rest < 0) {
        rest += 1000;
        --seconds;
      }
      return of_seconds(seconds, static_cast<std::uint32_t>(rest * 1'000'000));
    }
    case Type::cp56: return cp56(raw);
    case Type::s7_time: return s7_time(raw);
    case Type::date_bytes:
      return of_parts({.year = 2000 + static_cast<int>(byte_of(raw, 5)),
                       .month = byte_of(raw, 4),
                       .day = byte_of(raw, 3),
                       .hour = byte_of(raw, 2),
                       .minute = byte_of(raw, 1),
                       .second = byte_of(raw, 0)});
    default: return std::nullopt;
  }
}

std::optional<Value> date_from_words(std::string_view bytes) {
  std::array<unsigned, 6> words{};
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = unsigned{static_cast<unsigned char>(bytes[2 * i])} << 8 | static_cast<unsigned char>(bytes[2 * i + 1]);
  }
  // Some send the year as 26, some as 2026.
  const int year = static_cast<int>(words[0] < 100 ? words[0] + 2000 : words[0]);
  if (year > 9999) return std::nullopt;
  return of_parts(
      {.year = year, .month = words[1], .day = words[2], .hour = words[3], .minute = words[4], .second = words[5]});
}

std::string address_text(Type type, std::uint64_t raw) {
  std::string text;
  if (type == Type::ipaddr) {
    for (unsigned i = 4; i-- > 0;) text += std::to_string(byte_of(raw, i)) + (i == 0 ? "" : ".");
    return text;
  }
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (unsigned i = 6; i-- > 0;) {
    text += kDigits[byte_of(raw, i) >> 4];
    text += kDigits[byte_of(raw, i) & 15];
    if (i != 0) text += ':';
  }
  return text;
}

std::string ipv6_text(std::string_view bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (bytes.size() != 16 || inet_ntop(AF_INET6, bytes.data(), text.data(), text.size()) == nullptr) return {};
  return text.data();
}

}  // namespace railhead::modbus
