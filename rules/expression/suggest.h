// The second half of a diagnostic: what the author probably meant. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/expression/functions/function.h"
#include "rules/expression/scope.h"

namespace railhead::expression {

// For a name that is no variable: the nearest one, a known member of that name, or the reminder that texts have quotes.
[[nodiscard]] std::string suggest_name(const std::string& name, std::vector<std::string> locals,
                                       const Scope::Names& names);
// "known here: a, b, c"; empty for no names.
[[nodiscard]] std::string list_of_names(const std::vector<std::string>& names);

// The message about a call that no function answers, and its hint. `arguments` counts a method's receiver.
[[nodiscard]] std::string unknown_function(const std::string& name, bool method, std::size_t arguments);
[[nodiscard]] std::string suggest_function(const std::string& name, bool method, std::size_t arguments,
                                           const Scope::Names& names);
[[nodiscard]] std::string wrong_count(std::string_view name, std::size_t least, std::size_t most, std::size_t given);
inline constexpr std::string_view kTakeValue = "take the value of an optional with .orValue(...)";
// Operands of `operation` that cannot work: the sentence, and hints from a literal among them and from their types.
[[nodiscard]] std::string binary_mismatch(std::string_view operation, Type left, Type right);
[[nodiscard]] std::string suggest_literal(const Value& literal, std::string_view source, Type other);
[[nodiscard]] std::string suggest_operands(std::string_view operation, Type left, Type right, bool left_is_comparison);
// "an int", "a string", "null", "an optional value".
[[nodiscard]] std::string a_type(Type type);
// "it takes (string, int)".
[[nodiscard]] std::string describe_overloads(const FunctionEntry& function);

}  // namespace railhead::expression
