// Conversions between types [langdef "Type conversion functions"], type() and dyn().
#include <array>
#include <charconv>
#include <cmath>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "rules/expression/functions/function.h"
#include "rules/expression/functions/instant.h"
#include "rules/expression/functions/utf8.h"

namespace railhead::expression {
namespace {

constexpr double kBelowInt64 = -9223372036854775808.0;  // not above this: int(double) refuses both ends
constexpr double kAboveInt64 = 9223372036854775808.0;
constexpr double kAboveUint64 = 18446744073709551616.0;

Value not_a(std::string_view what, const Value& text) {
  return Value::error((what == "int" ? "not an " : "not a ") + std::string(what) + ": '" +
                      std::string(shortened(text.as_text(), 60)) + "'");
}

std::string_view without_plus(std::string_view text) {
  return text.size() > 1 && text.front() == '+' && text[1] != '-' ? text.substr(1) : text;
}

Value to_int(Arguments arguments, Work& /*work*/) {
  const Value& from = arguments[0];
  switch (from.kind()) {
    case Kind::integer: return from;
    case Kind::uinteger:
      if (from.as_uinteger() > 0x7fff'ffff'ffff'ffffull) return out_of_range("int");
      return Value::integer(static_cast<std::int64_t>(from.as_uinteger()));
    case Kind::real:
      if (!(from.as_real() > kBelowInt64 && from.as_real() < kAboveInt64)) return out_of_range("int");
      return Value::integer(static_cast<std::int64_t>(from.as_real()));
    case Kind::string: {
      const auto number = base::parse_int(without_plus(from.as_text()));
      return number ? Value::integer(*number) : not_a("int", from);
    }
    case Kind::timestamp: return Value::integer(instant_of(from).seconds);
    default: return no_overload("int", arguments);
  }
}

Value to_uint(Arguments arguments, Work& /*work*/) {
  const Value& from = arguments[0];
  switch (from.kind()) {
    case Kind::uinteger: return from;
    case Kind::integer:
      if (from.as_integer() < 0) return out_of_range("uint");
      return Value::uinteger(static_cast<std::uint64_t>(from.as_integer()));
    case Kind::real:
      if (!(from.as_real() >= 0 && from.as_real() < kAboveUint64)) return out_of_range("uint");
      return Value::uinteger(static_cast<std::uint64_t>(from.as_real()));
    case Kind::string: {
      const auto number = base::parse_uint(from.as_text());
      return number ? Value::uinteger(*number) : not_a("uint", from);
    }
    default: return no_overload("uint", arguments);
  }
}

Value to_double(Arguments arguments, Work& /*work*/) {
  const Value& from = arguments[0];
  if (from.is_number()) return Value::real(from.to_real());
  if (!from.is(Kind::string)) return no_overload("double", arguments);
  const std::string_view text = without_plus(from.as_text());
  const std::string_view digits = !text.empty() && text.front() == '-' ? text.substr(1) : text;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size() || digits.starts_with('(') || digits.ends_with(')'))
    return not_a("double", from);
  if (error == std::errc::result_out_of_range) {
    // Beyond what a double holds: to the nearest, as literals do.
    const bool small = digits.find("e-") != std::string_view::npos || digits.find("E-") != std::string_view::npos;
    number = small ? 0.0 : HUGE_VAL;
    return Value::real(text.front() == '-' ? -number : number);
  }
  return error == std::errc{} ? Value::real(number) : not_a("double", from);
}

Value to_string(Arguments arguments, Work& work) {
  const Value& from = arguments[0];
  if (from.is(Kind::string)) return from;
  if (from.is(Kind::bytes)) {
    if (!work.charge_bytes(from.as_text().size())) return too_much_work();
    if (!base::is_utf8(from.as_text())) return Value::error("bytes that are not UTF-8 are no string");
    return Value::text(from.as_text());
  }
  const auto text = text_of(from);
  return text ? Value::text(*text) : no_overload("string", arguments);
}

Value to_bool(Arguments arguments, Work& /*work*/) {
  const Value& from = arguments[0];
  if (from.is(Kind::boolean)) return from;
  if (!from.is(Kind::string)) return no_overload("bool", arguments);
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (from.as_text() == yes) return Value::boolean(true);
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (from.as_text() == no) return Value::boolean(false);
  }
  return not_a("bool", from);
}

Value to_bytes(Arguments arguments, Work& work) {
  const Value& from = arguments[0];
  if (from.is(Kind::bytes)) return from;
  if (!from.is(Kind::string)) return no_overload("bytes", arguments);
  if (!work.charge_bytes(from.as_text().size())) return too_much_work();
  return Value::bytes(from.as_text());
}

Value to_timestamp(Arguments arguments, Work& /*work*/) {
  const Value& from = arguments[0];
  switch (from.kind()) {
    case Kind::timestamp: return from;
    case Kind::integer: return value_of({from.as_integer(), 0});
    case Kind::string: {
      const auto instant = parse_instant(from.as_text());
      return instant ? value_of(*instant) : not_a("timestamp", from);
    }
    default: return no_overload("timestamp", arguments);
  }
}

Value to_duration(Arguments arguments, Work& /*work*/) {
  const Value& from = arguments[0];
  if (from.is(Kind::duration)) return from;
  if (!from.is(Kind::string)) return no_overload("duration", arguments);
  const auto duration = parse_cel_duration(from.as_text());
  return duration ? Value::duration(*duration) : not_a("duration, or out of range", from);
}

Value to_dyn(Arguments arguments, Work& /*work*/) { return arguments[0]; }

Value type_of_value(Arguments arguments, Work& /*work*/) {
  // Longer names would be allocated anew each time.
  static const Value timestamp = Value::type(cel_type_name(Kind::timestamp));
  static const Value duration = Value::type(cel_type_name(Kind::duration));
  if (arguments[0].is(Kind::timestamp)) return timestamp;
  if (arguments[0].is(Kind::duration)) return duration;
  return Value::type(cel_type_name(arguments[0].kind()));
}

constexpr std::array<FunctionEntry, 10> kConversions{{
    {"int", false, to_int, "i:i u:i d:i s:i t:i"},
    {"uint", false, to_uint, "u:u i:u d:u s:u"},
    {"double", false, to_double, "d:d i:d u:d s:d"},
    {"string", false, to_string, "s:s b:s i:s u:s d:s y:s t:s r:s T:s a:s c:s"},
    {"bool", false, to_bool, "b:b s:b"},
    {"bytes", false, to_bytes, "y:y s:y"},
    {"timestamp", false, to_timestamp, "t:t s:t i:t"},
    {"duration", false, to_duration, "r:r s:r"},
    {"dyn", false, to_dyn, "*:*"},
    {"type", false, type_of_value, "*:T"},
}};

}  // namespace

std::span<const FunctionEntry> conversion_functions() { return kConversions; }

std::string double_text(double number) {
  if (!std::isfinite(number)) return base::shortest(number);
  if (number == 0) return std::signbit(number) ? "-0" : "0";
  const double magnitude = std::abs(number);
  const auto format = magnitude >= 1e-6 && magnitude < 1e21 ? std::chars_format::fixed : std::chars_format::scientific;
  std::array<char, 64> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number, format);
  return error == std::errc{} ? std::string(text.data(), end) : base::shortest(number);
}

std::optional<std::string> text_of(const Value& value) {
  switch (value.kind()) {
    case Kind::boolean: return value.as_boolean() ? "true" : "false";
    case Kind::integer: return std::to_string(value.as_integer());
    case Kind::uinteger: return std::to_string(value.as_uinteger());
    case Kind::real: return double_text(value.as_real());
    case Kind::string: return std::string(value.as_text());
    case Kind::bytes:
      if (!base::is_utf8(value.as_text())) return std::nullopt;
      return std::string(value.as_text());
    case Kind::timestamp: return instant_text(instant_of(value));
    case Kind::duration: return duration_text(value.as_duration());
    case Kind::type:
    case Kind::address:
    case Kind::network: return std::string(value.as_text());
    default: return std::nullopt;
  }
}

}  // namespace railhead::expression
