// Lists and maps as an expression writes them: [a, ?b] and {k: v, ?k: o}, of values that stand on the machine's stack.
// `marks`: which items or entries are optionals, of which those that hold nothing are left out; empty: no one.
// Errors: values of kind error; the first error among the values is handed on.
// Threads: pure functions.
#pragma once

#include <span>
#include <vector>

#include "gateway/message/value.h"
#include "rules/expression/functions/function.h"

namespace railhead::expression {

using Operands = std::span<const Value* const>;

inline const std::vector<bool> kNoMarks;

[[nodiscard]] const Value* first_error(Operands values);
[[nodiscard]] Value make_list(Operands values, const std::vector<bool>& marks);
// Key, value, key, value.
[[nodiscard]] Value make_map(Operands values, const std::vector<bool>& marks, Work& work);

}  // namespace railhead::expression
