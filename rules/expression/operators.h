// The operators over values [langdef "Standard Definitions"], with the promotion of + - * / between numbers.
// Errors: values of kind error; operands of kind error are handed on, the left one first.
// Threads: pure functions.
#pragma once

#include <compare>
#include <string_view>

#include "gateway/message/value.h"
#include "rules/expression/functions/function.h"

namespace railhead::expression {

[[nodiscard]] Value add(const Value& left, const Value& right, Work& work);
[[nodiscard]] Value subtract(const Value& left, const Value& right);
[[nodiscard]] Value multiply(const Value& left, const Value& right);
[[nodiscard]] Value divide(const Value& left, const Value& right);
[[nodiscard]] Value remainder(const Value& left, const Value& right);
[[nodiscard]] Value negate(const Value& operand);
[[nodiscard]] Value invert(const Value& operand);

// Equality of any two values, as Value's own, but charged and without recursion. Out of budget: false, and work.left is
// 0.
[[nodiscard]] bool equal(const Value& left, const Value& right, Work& work);
// Numbers of any kinds on one line, else values of one ordered kind. `comparable` is false for all else.
struct Order {
  bool comparable = false;
  std::partial_ordering order = std::partial_ordering::unordered;
};
[[nodiscard]] Order compare(const Value& left, const Value& right);

[[nodiscard]] Value contains(const Value& item, const Value& container, Work& work);  // `in`
// container[key] where it stands; nullptr: `failure` says why.
[[nodiscard]] const Value* element(const Value& container, const Value& key, Work& work, Value& failure);
[[nodiscard]] Value no_such_key(const Value& key);

}  // namespace railhead::expression
