#include "rules/expression/operators.h"

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "rules/expression/functions/instant.h"
#include "rules/expression/functions/utf8.h"

namespace railhead::expression {
namespace {

Value division_by_zero() {
  static const Value error = Value::error("division by zero");
  return error;
}
Value modulus_by_zero() {
  static const Value error = Value::error("modulus by zero");
  return error;
}

Value no_binary_overload(std::string_view name, const Value& left, const Value& right) {
  if (left.is(Kind::error)) return left;
  if (right.is(Kind::error)) return right;
  return Value::error("no such overload: " + std::string(name_of(type_of(left))) + " " + std::string(name) + " " +
                      std::string(name_of(type_of(right))));
}

// int with uint promotes to int: nullopt if it cannot hold the number.
bool as_int64(const Value& value, std::int64_t& out) {
  if (value.is(Kind::integer)) {
    out = value.as_integer();
    return true;
  }
  if (value.as_uinteger() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return false;
  out = static_cast<std::int64_t>(value.as_uinteger());
  return true;
}

enum class Pair : std::uint8_t { integers, uintegers, reals, none };
Pair pair_of(const Value& left, const Value& right) {
  if (!left.is_number() || !right.is_number()) return Pair::none;
  if (left.is(Kind::real) || right.is(Kind::real)) return Pair::reals;
  if (left.is(Kind::uinteger) && right.is(Kind::uinteger)) return Pair::uintegers;
  return Pair::integers;
}

// The three checked integer operations and their double form, chosen at compile time.
template <class Checked, class Floating>
Value arithmetic(const Value& left, const Value& right, Pair pair, Checked checked, Floating floating) {
  if (pair == Pair::reals) return Value::real(floating(left.to_real(), right.to_real()));
  if (pair == Pair::uintegers) {
    std::uint64_t result = 0;
    return checked(left.as_uinteger(), right.as_uinteger(), &result) ? integer_overflow() : Value::uinteger(result);
  }
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::int64_t result = 0;
  if (!as_int64(left, a) || !as_int64(right, b) || checked(a, b, &result)) return integer_overflow();
  return Value::integer(result);
}

Value concatenate(const Value& left, const Value& right, Work& work) {
  const std::string_view a = left.as_text();
  const std::string_view b = right.as_text();
  const std::size_t size = a.size() + b.size();
  if (size > kTextValueMax) return too_large();
  if (!work.charge_bytes(size)) return too_much_work();
  std::array<char, 64> small{};
  if (size <= small.size()) {
    a.copy(small.data(), a.size());
    b.copy(small.data() + a.size(), b.size());
    const std::string_view whole(small.data(), size);
    return left.is(Kind::string) ? Value::text(whole) : Value::bytes(whole);
  }
  std::string whole;
  whole.reserve(size);
  whole.append(a).append(b);
  return left.is(Kind::string) ? Value::text(whole) : Value::bytes(whole);
}

std::partial_ordering compare_numbers(const Value& left, const Value& right) {
  const Kind a = left.kind();
  const Kind b = right.kind();
  // Why to_real: as cel-spec's own tests have it, an integer beside a double counts as the nearest double.
  if (a == Kind::real || b == Kind::real) return left.to_real() <=> right.to_real();
  if (a == Kind::integer && b == Kind::integer) return left.as_integer() <=> right.as_integer();
  if (a == Kind::uinteger && b == Kind::uinteger) return left.as_uinteger() <=> right.as_uinteger();
  if (a == Kind::integer) {
    if (left.as_integer() < 0) return std::partial_ordering::less;
    return static_cast<std::uint64_t>(left.as_integer()) <=> right.as_uinteger();
  }
  if (right.as_integer() < 0) return std::partial_ordering::greater;
  return left.as_uinteger() <=> static_cast<std::uint64_t>(right.as_integer());
}

bool scalars_equal(const Value& left, const Value& right, Work& work) {
  if (left.is_number() && right.is_number()) return compare_numbers(left, right) == 0;
  if (left.kind() != right.kind()) return false;
  if (left.is(Kind::string) || left.is(Kind::bytes)) {
    const std::string_view a = left.as_text();
    const std::string_view b = right.as_text();
    return a.size() == b.size() && work.charge_bytes(a.size()) && a == b;
  }
  return left == right;
}

bool is_container(const Value& value) {
  return value.is(Kind::list) || value.is(Kind::map) || value.is(Kind::optional);
}

}  // namespace

Value add(const Value& left, const Value& right, Work& work) {
  if (const Pair pair = pair_of(left, right); pair != Pair::none) {
    return arithmetic(
        left, right, pair, [](auto a, auto b, auto* to) { return __builtin_add_overflow(a, b, to); },
        [](double a, double b) { return a + b; });
  }
  const Kind a = left.kind();
  const Kind b = right.kind();
  if (a == b && (a == Kind::string || a == Kind::bytes)) return concatenate(left, right, work);
  if (a == Kind::list && b == Kind::list) {
    const auto head = left.as_list();
    const auto tail = right.as_list();
    if (tail.empty()) return left;
    if (head.empty()) return right;
    if (head.size() + tail.size() > kItemsMax) return too_large();
    if (!work.charge(head.size() + tail.size())) return too_much_work();
    Value::List joined;
    joined.reserve(head.size() + tail.size());
    joined.insert(joined.end(), head.begin(), head.end());
    joined.insert(joined.end(), tail.begin(), tail.end());
    return Value::list(std::move(joined));
  }
  if (a == Kind::timestamp && b == Kind::duration) return shifted(left, right.as_duration());
  if (a == Kind::duration && b == Kind::timestamp) return shifted(right, left.as_duration());
  if (a == Kind::duration && b == Kind::duration) {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(left.as_duration().count(), right.as_duration().count(), &sum)) {
      return out_of_range("duration");
    }
    return Value::duration(Duration{sum});
  }
  return no_binary_overload("+", left, right);
}

Value subtract(const Value& left, const Value& right) {
  if (const Pair pair = pair_of(left, right); pair != Pair::none) {
    return arithmetic(
        left, right, pair, [](auto a, auto b, auto* to) { return __builtin_sub_overflow(a, b, to); },
        [](double a, double b) { return a - b; });
  }
  const Kind a = left.kind();
  const Kind b = right.kind();
  if (a == Kind::timestamp && b == Kind::timestamp) return between(right, left);
  if (b == Kind::duration && (a == Kind::timestamp || a == Kind::duration)) {
    const std::int64_t count = right.as_duration().count();
    if (a == Kind::duration) {
      std::int64_t difference = 0;
      if (__builtin_sub_overflow(left.as_duration().count(), count, &difference)) return out_of_range("duration");
      return Value::duration(Duration{difference});
    }
    if (count == std::numeric_limits<std::int64_t>::min()) return out_of_range("timestamp");
    return shifted(left, Duration{-count});
  }
  return no_binary_overload("-", left, right);
}

Value multiply(const Value& left, const Value& right) {
  const Pair pair = pair_of(left, right);
  if (pair == Pair::none) return no_binary_overload("*", left, right);
  return arithmetic(
      left, right, pair, [](auto a, auto b, auto* to) { return __builtin_mul_overflow(a, b, to); },
      [](double a, double b) { return a * b; });
}

Value divide(const Value& left, const Value& right) {
  switch (pair_of(left, right)) {
    case Pair::none: return no_binary_overload("/", left, right);
    case Pair::reals: {
      // IEEE 754: infinities and NaN, no error. Spelt out: dividing by 0.0 trips float-divide-by-zero checks.
      const double divisor = right.to_real();
      const double dividend = left.to_real();
      if (divisor != 0) return Value::real(dividend / divisor);
      if (dividend == 0 || std::isnan(dividend)) return Value::real(std::numeric_limits<double>::quiet_NaN());
      const bool negative = std::signbit(dividend) != std::signbit(divisor);
      return Value::real(negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity());
    }
    case Pair::uintegers:
      if (right.as_uinteger() == 0) return division_by_zero();
      return Value::uinteger(left.as_uinteger() / right.as_uinteger());
    case Pair::integers: break;
  }
  std::int64_t a = 0;
  std::int64_t b = 0;
  if (!as_int64(left, a) || !as_int64(right, b)) return integer_overflow();
  if (b == 0) return division_by_zero();
  if (b == -1 && a == std::numeric_limits<std::int64_t>::min()) return integer_overflow();
  return Value::integer(a / b);
}

Value remainder(const Value& left, const Value& right) {
  if (left.is(Kind::integer) && right.is(Kind::integer)) {
    if (right.as_integer() == 0) return modulus_by_zero();
    if (right.as_integer() == -1) {
      return left.as_integer() == std::numeric_limits<std::int64_t>::min() ? integer_overflow() : Value::integer(0);
    }
    return Value::integer(left.as_integer() % right.as_integer());
  }
  if (left.is(Kind::uinteger) && right.is(Kind::uinteger)) {
    if (right.as_uinteger() == 0) return modulus_by_zero();
    return Value::uinteger(left.as_uinteger() % right.as_uinteger());
  }
  return no_binary_overload("%", left, right);
}

Value negate(const Value& operand) {
  if (operand.is(Kind::real)) return Value::real(-operand.as_real());
  if (operand.is(Kind::integer)) {
    if (operand.as_integer() == std::numeric_limits<std::int64_t>::min()) return integer_overflow();
    return Value::integer(-operand.as_integer());
  }
  return operand.is(Kind::error) ? operand : no_overload("-", {&operand, 1});
}

Value invert(const Value& operand) {
  if (operand.is(Kind::boolean)) return Value::boolean(!operand.as_boolean());
  return operand.is(Kind::error) ? operand : no_overload("!", {&operand, 1});
}

bool equal(const Value& left, const Value& right, Work& work) {
  if (!is_container(left) || !is_container(right)) return scalars_equal(left, right, work);
  std::vector<std::pair<const Value*, const Value*>> open{{&left, &right}};
  while (!open.empty()) {
    const auto [a, b] = open.back();
    open.pop_back();
    if (!work.charge(1)) return false;
    if (a->kind() != b->kind() || !is_container(*a)) {
      if (!scalars_equal(*a, *b, work)) return false;
    } else if (a->is(Kind::optional)) {
      const Value* const held = a->as_optional();
      const Value* const other = b->as_optional();
      if ((held == nullptr) != (other == nullptr)) return false;
      if (held != nullptr) open.emplace_back(held, other);
    } else if (a->is(Kind::list)) {
      const auto items = a->as_list();
      if (items.size() != b->as_list().size()) return false;
      if (!work.charge(items.size())) return false;
      for (std::size_t i = items.size(); i-- > 0;) open.emplace_back(&items[i], &b->as_list()[i]);
    } else {
      const auto entries = a->as_map();
      if (entries.size() != b->as_map().size()) return false;
      for (const Value::Entry& entry : entries) {
        if (!work.charge(1)) return false;
        const Value* other = b->find(entry.first);
        if (other == nullptr) return false;
        open.emplace_back(&entry.second, other);
      }
    }
  }
  return true;
}

Order compare(const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) return {true, compare_numbers(left, right)};
  if (left.kind() != right.kind()) return {};
  switch (left.kind()) {
    case Kind::string:
    case Kind::bytes: return {true, left.as_text() <=> right.as_text()};
    case Kind::boolean: return {true, left.as_boolean() <=> right.as_boolean()};
    case Kind::duration: return {true, left.as_duration().count() <=> right.as_duration().count()};
    case Kind::timestamp: return {true, instant_of(left) <=> instant_of(right)};
    default: return {};
  }
}

Value contains(const Value& item, const Value& container, Work& work) {
  if (container.is(Kind::list)) {
    bool found = false;
    for (const Value& candidate : container.as_list()) {
      if (!work.charge(1)) return too_much_work();
      found = equal(item, candidate, work);
      if (found) break;
    }
    return work.left == 0 ? too_much_work() : Value::boolean(found);
  }
  if (container.is(Kind::map)) {
    if (!work.charge(1)) return too_much_work();
    return Value::boolean(container.find(item) != nullptr);
  }
  return no_binary_overload("in", item, container);
}

Value no_such_key(const Value& key) {
  const std::optional<std::string> text = text_of(key);
  return Value::error("no such key: " + std::string(text ? shortened(*text, 200) : name_of(type_of(key))));
}

const Value* element(const Value& container, const Value& key, Work& work, Value& failure) {
  const auto failed = [&failure](Value why) {
    failure = std::move(why);
    return nullptr;
  };
  if (container.is(Kind::error)) return failed(container);
  if (key.is(Kind::error)) return failed(key);
  if (container.is(Kind::map)) {
    if (!work.charge(1)) return failed(too_much_work());
    const Value* const found = container.find(key);
    return found == nullptr ? failed(no_such_key(key)) : found;
  }
  if (container.is(Kind::list)) {
    const auto items = container.as_list();
    std::int64_t index = -1;
    if (key.is(Kind::integer)) {
      index = key.as_integer();
    } else if (key.is(Kind::uinteger)) {
      index = key.as_uinteger() < items.size() ? static_cast<std::int64_t>(key.as_uinteger()) : -1;
    } else if (key.is(Kind::real)) {
      const double number = key.as_real();
      if (std::trunc(number) != number) return failed(Value::error("a list's index must be a whole number"));
      index = number >= 0 && number < 9e15 ? static_cast<std::int64_t>(number) : -1;
    } else {
      return failed(Value::error("a list's index must be a whole number, not " + std::string(name_of(type_of(key)))));
    }
    if (index < 0 || static_cast<std::uint64_t>(index) >= items.size()) return failed(index_out_of_range(index));
    return &items[static_cast<std::size_t>(index)];
  }
  return failed(Value::error("no such overload: " + std::string(name_of(type_of(container))) + "[" +
                             std::string(name_of(type_of(key))) + "]"));
}

}  // namespace railhead::expression
