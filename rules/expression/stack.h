// The stack of one evaluation: values where they stand, in a reading, a constant or an item, or in the stack's own
// place beside them if an instruction computed them.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

#include "rules/expression/collections.h"
#include "rules/expression/machine.h"

namespace railhead::expression {

class Stack {
 protected:
  explicit Stack(Frame& frame) : frame_(frame), stack_(frame.stack.data()), own_(frame.own.data()) {}

  [[nodiscard]] const Value& top(std::size_t below = 0) const { return *stack_[used_ - 1 - below]; }
  [[nodiscard]] Operands operands(std::size_t count) const { return {stack_ + used_ - count, count}; }

  void push(const Value& value) { stack_[used_++] = &value; }
  void push_own(Value value) {
    if (value.is_shared()) frame_.holds_memory = true;
    own_[used_] = std::move(value);
    stack_[used_] = &own_[used_];
    ++used_;
  }
  // As push_own(), built in its place: booleans and doubles are most of what is computed.
  template <class Make>
  void push_made(Make make) {
    Value& own = own_[used_];
    if (own.is_shared()) own = Value();
    new (&own) Value(make());
    stack_[used_++] = &own;
  }
  void push_boolean(bool value) {
    push_made([value] { return Value::boolean(value); });
  }
  // The result of the top `operands` values takes their place.
  void replace(std::size_t operands, Value value) {
    used_ -= operands;
    push_own(std::move(value));
  }
  void replace_boolean(std::size_t operands, bool value) {
    used_ -= operands;
    push_boolean(value);
  }

  Frame& frame_;
  const Value** const stack_;
  Value* const own_;
  std::size_t used_ = 0;
};

}  // namespace railhead::expression
