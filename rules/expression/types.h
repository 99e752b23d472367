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
// The type that a name stands for: int, uint, double, bool, string, bytes, list, map, null_type, type,
// google.protobuf.Timestamp, google.protobuf.Duration, optional_type, net.IP, net.CIDR; empty if it is none.
[[nodiscard]] std::string_view type_named(std::string_view name) noexcept;

}  // namespace railhead::expression
