// The math extension: math.greatest() and its kin.
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "rules/expression/functions/function.h"
#include "rules/expression/operators.h"

namespace railhead::expression {
namespace {

template <bool greatest>
Value extreme(Arguments arguments, Work& work) {
  constexpr std::string_view kName = greatest ? "math.greatest" : "math.least";
  Arguments numbers = arguments;
  if (arguments.size() == 1 && arguments[0].is(Kind::list)) numbers = arguments[0].as_list();
  if (numbers.empty()) return Value::error(std::string(kName) + "() of an empty list");
  if (!work.charge(numbers.size())) return too_much_work();
  const Value* best = nullptr;
  for (const Value& number : numbers) {
    if (!number.is_number()) return no_overload(kName, arguments);
    if (best == nullptr) {
      best = &number;
      continue;
    }
    const auto order = compare(number, *best).order;
    if (greatest ? order > 0 : order < 0) best = &number;
  }
  return *best;
}

template <class Operation>
Value on_double(std::string_view name, Arguments arguments, Operation operation) {
  if (!arguments[0].is(Kind::real)) return no_overload(name, arguments);
  return Value::real(operation(arguments[0].as_real()));
}
Value ceil(Arguments arguments, Work&) {
  return on_double("math.ceil", arguments, [](double x) { return std::ceil(x); });
}
Value floor(Arguments arguments, Work&) {
  return on_double("math.floor", arguments, [](double x) { return std::floor(x); });
}
Value round(Arguments arguments, Work&) {  // halves away from zero
  return on_double("math.round", arguments, [](double x) { return std::round(x); });
}
Value trunc(Arguments arguments, Work&) {
  return on_double("math.trunc", arguments, [](double x) { return std::trunc(x); });
}
Value sqrt(Arguments arguments, Work&) {
  if (!arguments[0].is_number()) return no_overload("math.sqrt", arguments);
  return Value::real(std::sqrt(arguments[0].to_real()));
}

Value abs(Arguments arguments, Work&) {
  const Value& x = arguments[0];
  if (x.is(Kind::real)) return Value::real(std::abs(x.as_real()));
  if (x.is(Kind::uinteger)) return x;
  if (x.is(Kind::integer)) return x.as_integer() < 0 ? negate(x) : x;
  return no_overload("math.abs", arguments);
}

Value sign(Arguments arguments, Work&) {
  const Value& x = arguments[0];
  if (x.is(Kind::uinteger)) return Value::uinteger(x.as_uinteger() == 0 ? 0 : 1);
  if (x.is(Kind::integer)) return Value::integer((x.as_integer() > 0) - (x.as_integer() < 0));
  if (!x.is(Kind::real)) return no_overload("math.sign", arguments);
  const double number = x.as_real();
  if (number == 0 || std::isnan(number)) return x;
  return Value::real(number > 0 ? 1 : -1);
}

template <class Test>
Value test_double(std::string_view name, Arguments arguments, Test test) {
  if (!arguments[0].is(Kind::real)) return no_overload(name, arguments);
  return Value::boolean(test(arguments[0].as_real()));
}
Value is_nan(Arguments arguments, Work&) {
  return test_double("math.isNaN", arguments, [](double x) { return std::isnan(x); });
}
Value is_inf(Arguments arguments, Work&) {
  return test_double("math.isInf", arguments, [](double x) { return std::isinf(x); });
}
Value is_finite(Arguments arguments, Work&) {
  return test_double("math.isFinite", arguments, [](double x) { return std::isfinite(x); });
}

template <class Operation>
Value on_bits(std::string_view name, Arguments arguments, Operation operation) {
  if (arguments[0].is(Kind::uinteger) && arguments[1].is(Kind::uinteger)) {
    return Value::uinteger(operation(arguments[0].as_uinteger(), arguments[1].as_uinteger()));
  }
  if (!arguments[0].is(Kind::integer) || !arguments[1].is(Kind::integer)) return no_overload(name, arguments);
  return Value::integer(
      std::bit_cast<std::int64_t>(operation(std::bit_cast<std::uint64_t>(arguments[0].as_integer()),
                                            std::bit_cast<std::uint64_t>(arguments[1].as_integer()))));
}
Value bit_and(Arguments arguments, Work&) {
  return on_bits("math.bitAnd", arguments, [](std::uint64_t a, std::uint64_t b) { return a & b; });
}
Value bit_or(Arguments arguments, Work&) {
  return on_bits("math.bitOr", arguments, [](std::uint64_t a, std::uint64_t b) { return a | b; });
}
Value bit_xor(Arguments arguments, Work&) {
  return on_bits("math.bitXor", arguments, [](std::uint64_t a, std::uint64_t b) { return a ^ b; });
}
Value bit_not(Arguments arguments, Work&) {
  if (arguments[0].is(Kind::integer)) return Value::integer(~arguments[0].as_integer());
  if (arguments[0].is(Kind::uinteger)) return Value::uinteger(~arguments[0].as_uinteger());
  return no_overload("math.bitNot", arguments);
}

// Shifts are logical, as the extension has them: the sign bit moves like any other.
template <bool left>
Value shift(Arguments arguments, Work&) {
  constexpr std::string_view kName = left ? "math.bitShiftLeft" : "math.bitShiftRight";
  const Value& number = arguments[0];
  if (!arguments[1].is(Kind::integer) || !(number.is(Kind::integer) || number.is(Kind::uinteger))) {
    return no_overload(kName, arguments);
  }
  const std::int64_t by = arguments[1].as_integer();
  if (by < 0) return Value::error(std::string(kName) + "() by a negative number");
  const std::uint64_t bits =
      number.is(Kind::integer) ? std::bit_cast<std::uint64_t>(number.as_integer()) : number.as_uinteger();
  const std::uint64_t moved = by > 63 ? 0 : left ? bits << by : bits >> by;
  return number.is(Kind::integer) ? Value::integer(std::bit_cast<std::int64_t>(moved)) : Value::uinteger(moved);
}

constexpr std::array<FunctionEntry, 18> kMath{{
    {"math.greatest", false, extreme<true>, "+:*"},
    {"math.least", false, extreme<false>, "+:*"},
    {"math.ceil", false, ceil, "d:d"},
    {"math.floor", false, floor, "d:d"},
    {"math.round", false, round, "d:d"},
    {"math.trunc", false, trunc, "d:d"},
    {"math.sqrt", false, sqrt, "d:d i:d u:d"},
    {"math.abs", false, abs, "i:i u:u d:d"},
    {"math.sign", false, sign, "i:i u:u d:d"},
    {"math.isNaN", false, is_nan, "d:b"},
    {"math.isInf", false, is_inf, "d:b"},
    {"math.isFinite", false, is_finite, "d:b"},
    {"math.bitAnd", false, bit_and, "ii:i uu:u"},
    {"math.bitOr", false, bit_or, "ii:i uu:u"},
    {"math.bitXor", false, bit_xor, "ii:i uu:u"},
    {"math.bitNot", false, bit_not, "i:i u:u"},
    {"math.bitShiftLeft", false, shift<true>, "ii:i ui:u"},
    {"math.bitShiftRight", false, shift<false>, "ii:i ui:u"},
}};

}  // namespace

std::span<const FunctionEntry> math_functions() { return kMath; }

}  // namespace railhead::expression
