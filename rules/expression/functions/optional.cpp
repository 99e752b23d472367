// optional.of(), hasValue() and their kin [cel-spec, extension "optional types"]. or() and orValue() are instructions:
// what they fall back on is evaluated only when it is needed.
#include <array>

#include "rules/expression/functions/function.h"
#include "rules/expression/optionals.h"

namespace railhead::expression {
namespace {

Value optional_of(Arguments arguments, Work& /*work*/) { return Value::optional(arguments[0]); }
Value optional_none(Arguments /*arguments*/, Work& /*work*/) { return Value::none(); }
Value optional_of_non_zero(Arguments arguments, Work& /*work*/) {
  return is_zero(arguments[0]) ? Value::none() : Value::optional(arguments[0]);
}

Value has_value(Arguments arguments, Work& /*work*/) {
  if (!arguments[0].is(Kind::optional)) return no_overload("hasValue", arguments);
  return Value::boolean(arguments[0].as_optional() != nullptr);
}

Value held_value(Arguments arguments, Work& /*work*/) {
  if (!arguments[0].is(Kind::optional)) return no_overload("value", arguments);
  const Value* const held = arguments[0].as_optional();
  return held == nullptr ? Value::error("the optional holds no value") : *held;
}

constexpr std::array<FunctionEntry, 7> kOptional{{
    {"optional.of", false, optional_of, "*:o"},
    {"optional.none", false, optional_none, ":o"},
    {"optional.ofNonZeroValue", false, optional_of_non_zero, "*:o"},
    {"hasValue", true, has_value, "o:b"},
    {"value", true, held_value, "o:*"},
    {"or", true, nullptr, "oo:o"},
    {"orValue", true, nullptr, "o*:*"},
}};

}  // namespace

std::span<const FunctionEntry> optional_functions() { return kOptional; }

}  // namespace railhead::expression
