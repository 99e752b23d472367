// Optionals at run time: a member that may be absent, and what is asked of it [cel-spec, extension "optional types"].
// `container.?name` and `container[?key]` hold what the plain form gives, and nothing where that says "no such key" or
// "index out of range"; every other failure stays one. A plain member or index of an optional goes on in what it holds.
// Why only here: an optional is a Value of its own kind that no program gives (see Evaluator); messages never hold one.
// Errors: values of kind error. Threads: pure functions.
#pragma once

#include <string_view>

#include "gateway/message/value.h"
#include "rules/expression/functions/function.h"
#include "rules/expression/program.h"

namespace railhead::expression {

// What an evaluation says whose result is an optional, or a list or map with one inside.
inline constexpr std::string_view kOptionalLeaves =
    "an optional cannot leave the expression: end it with .orValue(...) or .value()";

// Where a path leads of which some members may be absent: to `found`, to nothing, or to a failure.
struct Reached {
  const Value* found = nullptr;
  Value failure;  // of kind error if that is what happened

  [[nodiscard]] bool failed() const { return failure.is(Kind::error); }
};
// A variable that is null has no members, as a reading without a value.
[[nodiscard]] Reached reach(const Path& path, const Value& variable);

[[nodiscard]] Value optional_member(const Value& container, const Value& name);
[[nodiscard]] Value optional_element(const Value& container, const Value& key, Work& work);
// has(operand.name), of an optional too.
[[nodiscard]] Value has_member(const Value& operand, const Value& name);
// What an empty reading of this kind would be: null, false, 0, "", [], {}, none, the first moment of 1970.
[[nodiscard]] bool is_zero(const Value& value);

}  // namespace railhead::expression
