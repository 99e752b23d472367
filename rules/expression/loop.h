// The comprehensions that run: all(), exists(), map() and their kin, one Loop each. Threads: one evaluation's.
#pragma once

#include <cstddef>
#include <optional>

#include "rules/expression/functions/function.h"
#include "rules/expression/program.h"

namespace railhead::expression {

struct Loop {
  LoopShape shape;
  Value range;  // keeps the items alive that locals refer to
  std::size_t next = 0;
  std::size_t size = 0;
  std::size_t hits = 0;        // exists_one
  std::optional<Value> error;  // all, exists: the first, unless a later item decides
  Value::List items;
  Value::Entries entries;
};

// What one turn's value means: nullopt to go on, else the loop's result. `first` is the first local of this turn.
[[nodiscard]] std::optional<Value> collect(Loop& loop, const Value& value, const Value& first);
// The result of a loop that saw every item.
[[nodiscard]] Value finish(Loop& loop, Work& work);

}  // namespace railhead::expression
