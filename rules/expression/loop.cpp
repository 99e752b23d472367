#include "rules/expression/loop.h"

#include <utility>

#include "rules/expression/logic.h"

namespace railhead::expression {

std::optional<Value> collect(Loop& loop, const Value& value, const Value& first) {
  const bool is_boolean = value.is(Kind::boolean);
  switch (loop.shape.macro) {
    case Macro::all:
    case Macro::exists: {
      const bool deciding = loop.shape.macro == Macro::exists;
      if (is_boolean && value.as_boolean() == deciding) return value;
      if (!is_boolean && !loop.error) loop.error = not_boolean(deciding ? "exists" : "all", value);
      return std::nullopt;
    }
    case Macro::exists_one:
      if (!is_boolean) return not_boolean("exists_one", value);
      loop.hits += value.as_boolean() ? 1 : 0;
      return std::nullopt;
    case Macro::filter:
      if (!is_boolean) return not_boolean("filter", value);
      if (value.as_boolean()) loop.items.push_back(first);
      break;
    case Macro::transform_map:
      if (value.is(Kind::error)) return value;
      loop.entries.emplace_back(first, value);
      break;
    default:
      if (value.is(Kind::error)) return value;
      loop.items.push_back(value);
      break;
  }
  if (loop.items.size() + loop.entries.size() > kItemsMax) return too_large();
  return std::nullopt;
}

Value finish(Loop& loop, Work& work) {
  switch (loop.shape.macro) {
    case Macro::all: return loop.error ? *loop.error : Value::boolean(true);
    case Macro::exists: return loop.error ? *loop.error : Value::boolean(false);
    case Macro::exists_one: return Value::boolean(loop.hits == 1);
    case Macro::transform_map:
      if (!work.charge(loop.entries.size())) return too_much_work();
      return Value::map(std::move(loop.entries));
    default: return Value::list(std::move(loop.items));
  }
}

}  // namespace railhead::expression
