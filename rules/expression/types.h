// What the operators give for operands of known types; `any` operands leave it to run time.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "rules/expression/expression.h"

namespace railhead::expression {

[[nodiscard]] bool is_number(Type type) noexcept;
// nullopt: no value of these types has this operator (+ - * / % < <= > >= == != in).
[[nodiscard]] std::optional<Type> binary_result(std::string_view operation, Type left, Type right);
// ! and -.
[[nodiscard]] std::optional<Type> unary_result(std::string_view operation, Type operand);
// The common type of branches or items.
[[nodiscard]] Type common_type(Type a, Type b) noexcept;
// What a name stands for that is no variable's: a type, that is int, uint, double, bool, string, bytes, list, map,
// null_type, type, google.protobuf.Timestamp, google.protobuf.Duration, optional_type, net.IP or net.CIDR; or the
// enum's google.protobuf.NullValue.NULL_VALUE, which is 0.
[[nodiscard]] std::optional<Value> constant_named(std::string_view name);

}  // namespace railhead::expression
