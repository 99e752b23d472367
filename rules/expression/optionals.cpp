#include "rules/expression/optionals.h"

#include <string>

#include "rules/expression/machine.h"
#include "rules/expression/operators.h"

namespace railhead::expression {

Reached reach(const Path& path, const Value& variable) {
  const Value* at = &variable;
  for (std::size_t i = 0; i < path.members.size(); ++i) {
    const Member& member = path.members[i];
    const Value* const found = member.in(*at);
    if (found == nullptr) {
      const bool may_be_absent = at->is(Kind::map) || (i == 0 && at->is(Kind::null));
      if (i >= path.optional_from && may_be_absent) return {};
      return {nullptr, no_selection(*at, member.name.as_text())};
    }
    at = found;
  }
  return {at, {}};
}

Value optional_member(const Value& container, const Value& name) {
  if (container.is(Kind::optional)) {
    const Value* const held = container.as_optional();
    return held == nullptr ? container : optional_member(*held, name);
  }
  if (!container.is(Kind::map)) return no_selection(container, name.as_text());
  const Value* const found = container.find(name);
  return found == nullptr ? Value::none() : Value::optional(*found);
}

Value optional_element(const Value& container, const Value& key, Work& work) {
  if (container.is(Kind::optional)) {
    const Value* const held = container.as_optional();
    if (key.is(Kind::error)) return key;
    return held == nullptr ? container : optional_element(*held, key, work);
  }
  Value failure;
  const Value* const found = element(container, key, work, failure);
  if (found != nullptr) return Value::optional(*found);
  const std::string_view why = failure.as_text();
  const bool operands = container.is(Kind::error) || key.is(Kind::error);
  const bool absent = why.starts_with(kNoSuchKey) || why.starts_with(kIndexOutOfRange);
  return !operands && absent ? Value::none() : failure;
}

Value has_member(const Value& operand, const Value& name) {
  if (operand.is(Kind::map)) return Value::boolean(operand.find(name) != nullptr);
  if (operand.is(Kind::error)) return operand;
  if (operand.is(Kind::optional)) {
    const Value* const held = operand.as_optional();
    return held == nullptr ? Value::boolean(false) : has_member(*held, name);
  }
  return Value::error("no such overload: a " + std::string(name_of(type_of(operand))) + " has no members");
}

bool is_zero(const Value& value) {
  switch (value.kind()) {
    case Kind::null: return true;
    case Kind::boolean: return !value.as_boolean();
    case Kind::integer: return value.as_integer() == 0;
    case Kind::uinteger: return value.as_uinteger() == 0;
    case Kind::real: return value.as_real() == 0;
    case Kind::string:
    case Kind::bytes: return value.as_text().empty();
    case Kind::timestamp: return value.timestamp_seconds() == 0 && value.timestamp_nanoseconds() == 0;
    case Kind::duration: return value.as_duration().count() == 0;
    case Kind::list: return value.as_list().empty();
    case Kind::map: return value.as_map().empty();
    case Kind::optional: return value.as_optional() == nullptr;
    case Kind::type:
    case Kind::address:
    case Kind::network:
    case Kind::error: break;
  }
  return false;
}

}  // namespace railhead::expression
