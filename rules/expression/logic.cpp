#include "rules/expression/logic.h"

#include "rules/expression/functions/function.h"

namespace railhead::expression {

Value not_boolean(std::string_view name, const Value& operand) {
  return operand.is(Kind::error) ? operand : no_overload(name, {&operand, 1});
}

Value join(bool deciding, const Value& left, const Value& right) {
  const std::string_view name = deciding ? "||" : "&&";
  if (right.is(Kind::boolean) && right.as_boolean() == deciding) return right;
  if (!left.is(Kind::boolean)) return not_boolean(name, left);
  return right.is(Kind::boolean) ? right : not_boolean(name, right);
}

}  // namespace railhead::expression
