#include "rules/expression/machine.h"

#include <algorithm>
#include <array>
#include <functional>
#include <new>
#include <utility>

#include "gateway/message/container_builder.h"
#include "rules/expression/operators.h"

namespace railhead::expression {
namespace {

Value test(const Value& operand, const Value& name) {
  if (operand.is(Kind::map)) return Value::boolean(operand.find(name) != nullptr);
  if (operand.is(Kind::error)) return operand;
  return Value::error("no such overload: a " + std::string(name_of(type_of(operand))) + " has no members");
}

// Neither operand decided alone, or the right one does now.
Value join(bool deciding, std::string_view name, const Value& left, const Value& right) {
  if (right.is(Kind::boolean) && right.as_boolean() == deciding) return right;
  if (!left.is(Kind::boolean)) return not_boolean(name, left);
  return right.is(Kind::boolean) ? right : not_boolean(name, right);
}

Value not_comparable(Op op, const Value& left, const Value& right) {
  if (left.is(Kind::error)) return left;
  if (right.is(Kind::error)) return right;
  constexpr std::array<std::string_view, 4> kNames{"<", "<=", ">", ">="};
  return Value::error("no such overload: " + std::string(name_of(type_of(left))) + " " +
                      std::string(kNames[static_cast<std::size_t>(op) - static_cast<std::size_t>(Op::less)]) + " " +
                      std::string(name_of(type_of(right))));
}

bool holds(Op op, std::partial_ordering order) {
  switch (op) {
    case Op::less: return order < 0;
    case Op::less_equal: return order <= 0;
    case Op::greater: return order > 0;
    default: return order >= 0;
  }
}

bool is_key(const Value& value) {
  return value.is(Kind::string) || value.is(Kind::integer) || value.is(Kind::uinteger) || value.is(Kind::boolean);
}

using Operands = std::span<const Value* const>;

const Value* first_error(Operands values) {
  const auto found =
      std::find_if(values.begin(), values.end(), [](const Value* each) { return each->is(Kind::error); });
  return found == values.end() ? nullptr : *found;
}

Value make_list(Operands values) {
  if (const Value* error = first_error(values)) return *error;
  Value::ListBuilder items(values.size());
  for (const Value* const value : values) items.add(*value);
  return items.finish();
}

Value make_map(Operands values, Work& work) {
  if (const Value* error = first_error(values)) return *error;
  if (!work.charge(values.size() / 2)) return too_much_work();
  Value::MapBuilder entries(values.size() / 2);
  for (std::size_t i = 0; i < values.size(); i += 2) {
    if (!is_key(*values[i]))
      return Value::error("a " + std::string(name_of(type_of(*values[i]))) + " is no key of a map");
    if (!entries.add(*values[i], *values[i + 1])) return Value::error("a key of the map is repeated");
  }
  return entries.finish();
}

class Machine {
 public:
  Machine(const Program::Code& code, Bindings& bindings, Frame& frame, Work& work)
      : code_(code), bindings_(bindings), frame_(frame), work_(work) {}

  // The result stands in the frame, the program or the bindings.
  const Value& run() {
    (void)work_.charge(code_.instructions.size());
    at_ = code_.instructions.data();
    const Instruction* const end = at_ + code_.instructions.size();
    while (at_ != end && work_.left > 0) step(*at_++);
    if (work_.left > 0) return *frame_.stack[0];
    frame_.own[0] = too_much_work();
    return frame_.own[0];
  }

 private:
  [[nodiscard]] const Value& top(std::size_t below = 0) const { return *frame_.stack[used_ - 1 - below]; }
  void push(const Value& value) { frame_.stack[used_++] = &value; }
  void push_own(Value value) {
    frame_.own[used_] = std::move(value);
    frame_.stack[used_] = &frame_.own[used_];
    ++used_;
  }
  // The result of the top `operands` values takes their place.
  void replace(std::size_t operands, Value value) {
    used_ -= operands;
    push_own(std::move(value));
  }
  // As replace(), built in its place: booleans and doubles are most of what is computed.
  template <class Make>
  void replace_in_place(std::size_t operands, Make make) {
    used_ -= operands;
    Value& own = frame_.own[used_];
    own.~Value();
    new (&own) Value(make());
    frame_.stack[used_++] = &own;
  }
  void replace_boolean(std::size_t operands, bool value) {
    replace_in_place(operands, [value] { return Value::boolean(value); });
  }
  // Two doubles take the short way.
  template <class OfReals, class OfAny>
  void combine(OfReals of_reals, OfAny of_any) {
    double left = 0;
    double right = 0;
    if (reals(left, right)) {
      const double result = of_reals(left, right);
      replace_in_place(2, [result] { return Value::real(result); });
    } else {
      replace(2, of_any());
    }
  }
  // A double, and a double or an int beside it: what readings and the numbers in rules mostly are.
  [[nodiscard]] bool reals(double& left, double& right) const {
    if (!top(1).is(Kind::real)) return false;
    left = top(1).as_real();
    if (top().is(Kind::real)) {
      right = top().as_real();
    } else if (top().is(Kind::integer)) {
      right = static_cast<double>(top().as_integer());
    } else {
      return false;
    }
    return true;
  }
  [[nodiscard]] bool both(Kind kind) const { return top(1).is(kind) && top().is(kind); }
  void go_to(std::uint32_t target) { at_ = code_.instructions.data() + target; }
  [[nodiscard]] Operands operands(std::size_t count) const { return {frame_.stack.data() + used_ - count, count}; }

  // Why inline: it is the whole of run(), which calls it from one place.
  [[gnu::always_inline]] void step(const Instruction& instruction) {
    switch (instruction.op) {
      case Op::constant: push(code_.constants[instruction.a]); break;
      case Op::variable: push(bindings_.at(instruction.a)); break;
      case Op::local: push(*frame_.locals[instruction.a]); break;
      case Op::path: path(code_.paths[instruction.a]); break;
      case Op::test_path: test_path(code_.paths[instruction.a]); break;
      case Op::select: select(code_.constants[instruction.a]); break;
      case Op::test: replace(1, expression::test(top(), code_.constants[instruction.a])); break;
      case Op::index: index(); break;
      case Op::call: call(instruction); break;
      case Op::match: match(*code_.regexes[instruction.a]); break;
      case Op::add: combine(std::plus<>(), [&] { return add(top(1), top(), work_); }); break;
      case Op::subtract: combine(std::minus<>(), [&] { return subtract(top(1), top()); }); break;
      case Op::multiply: combine(std::multiplies<>(), [&] { return multiply(top(1), top()); }); break;
      case Op::divide:
        if (double left = 0, right = 0; reals(left, right) && right != 0) {
          const double result = left / right;
          replace_in_place(2, [result] { return Value::real(result); });
        } else {
          replace(2, divide(top(1), top()));
        }
        break;
      case Op::remainder: replace(2, remainder(top(1), top())); break;
      case Op::negate: replace(1, negate(top())); break;
      case Op::invert:
        if (top().is(Kind::boolean)) {
          replace_boolean(1, !top().as_boolean());
        } else {
          replace(1, invert(top()));
        }
        break;
      case Op::equal:
      case Op::not_equal:
        if (both(Kind::string) && work_.charge_bytes(top().as_text().size())) {
          replace_boolean(2, top(1).same_characters(top()) == (instruction.op == Op::equal));
        } else if (const Value* const error = first_error(operands(2))) {
          replace(2, *error);
        } else {
          replace_boolean(2, expression::equal(top(1), top(), work_) == (instruction.op == Op::equal));
        }
        break;
      case Op::less:
      case Op::less_equal:
      case Op::greater:
      case Op::greater_equal: {
        if (double left = 0, right = 0; reals(left, right)) {
          replace_boolean(2, holds(instruction.op, left <=> right));
          break;
        }
        const Order order = compare(top(1), top());
        if (order.comparable) {
          replace_boolean(2, holds(instruction.op, order.order));
        } else {
          replace(2, not_comparable(instruction.op, top(1), top()));
        }
        break;
      }
      case Op::in: {
        const Value* const error = first_error(operands(2));
        replace(2, error != nullptr ? *error : contains(top(1), top(), work_));
        break;
      }
      case Op::list: replace(instruction.a, make_list(operands(instruction.a))); break;
      case Op::map: replace(instruction.a, make_map(operands(instruction.a), work_)); break;
      case Op::and_jump:
        if (top().is(Kind::boolean) && !top().as_boolean()) go_to(instruction.a);
        break;
      case Op::or_jump:
        if (top().is(Kind::boolean) && top().as_boolean()) go_to(instruction.a);
        break;
      case Op::and_join: logic(false, "&&"); break;
      case Op::or_join: logic(true, "||"); break;
      case Op::branch:
        if (!top().is(Kind::boolean)) {
          replace(1, not_boolean("? :", top()));
          go_to(instruction.b);
        } else {
          if (!top().as_boolean()) go_to(instruction.a);
          --used_;
        }
        break;
      case Op::jump: go_to(instruction.a); break;
      case Op::set_local:
        frame_.own_locals[instruction.a] = top();
        frame_.locals[instruction.a] = &frame_.own_locals[instruction.a];
        --used_;
        break;
      case Op::keep: replace(1, Value(top())); break;
      case Op::loop_begin: loop_begin(instruction); break;
      case Op::loop_next: loop_next(instruction); break;
      case Op::loop_filter:
        if (top().is(Kind::boolean)) {
          if (!top().as_boolean()) go_to(instruction.a);
          --used_;
        } else {
          loop_end(not_boolean("map", top()), 1, instruction.b);
        }
        break;
      case Op::loop_collect: {
        Loop& loop = frame_.loops.back();
        std::optional<Value> result = collect(loop, top(), *frame_.locals[loop.shape.first_local]);
        if (result) {
          loop_end(std::move(*result), 1, instruction.b);
        } else {
          --used_;
          go_to(instruction.a);
        }
        break;
      }
    }
  }

  // Why inline: it is half of what rules do.
  [[gnu::always_inline]] void path(const Path& path) {
    if (path.members.size() == 1) {
      if (const Value* const found = path.members[0].in(bindings_.at(path.slot))) return push(*found);
    }
    long_path(path);
  }

  [[gnu::noinline]] void long_path(const Path& path) {
    const Value* failed = nullptr;
    std::string_view name;
    const Value* const found = follow(path, path.members.size(), bindings_.at(path.slot), failed, name);
    if (found != nullptr) {
      push(*found);
    } else {
      push_own(no_selection(*failed, name));
    }
  }

  void test_path(const Path& path) {
    const Value* failed = nullptr;
    std::string_view name;
    const Value* const found = follow(path, path.members.size() - 1, bindings_.at(path.slot), failed, name);
    push_own(found != nullptr ? expression::test(*found, path.members.back().name) : no_selection(*failed, name));
  }

  // A member refers into its container: what stands at the same place of `own`, or outside.
  void select(const Value& name) {
    const Value* const found = top().find(name);
    if (found == nullptr) return replace(1, no_selection(top(), name.as_text()));
    --used_;
    push(*found);
  }

  void index() {
    Value failure;
    const Value* const found = element(top(1), top(), work_, failure);
    if (found == nullptr) return replace(2, std::move(failure));
    used_ -= 2;
    push(*found);
  }

  void call(const Instruction& instruction) {
    const std::size_t count = instruction.b;
    if (const Value* const error = first_error(operands(count))) {
      replace(count, Value(*error));
      return;
    }
    const std::size_t from = used_ - count;
    for (std::size_t i = from; i < used_; ++i) {
      if (frame_.stack[i] != &frame_.own[i]) frame_.own[i] = *frame_.stack[i];
    }
    replace(count, functions()[instruction.a].code({frame_.own.data() + from, count}, work_));
  }

  void match(const Regex& regex) {
    if (!top().is(Kind::string)) {
      replace(1, not_boolean("matches", top()));
    } else if (work_.charge(regex.cost(top().as_text()))) {
      replace_boolean(1, regex.search(top().as_text()));
    }
  }

  void logic(bool deciding, std::string_view name) {
    const Value& left = top(1);
    const Value& right = top();
    if (left.is(Kind::boolean) && right.is(Kind::boolean)) {
      replace_boolean(2, right.as_boolean());  // the left one did not decide, or would have jumped
    } else {
      replace(2, join(deciding, name, left, right));
    }
  }

  void loop_begin(const Instruction& instruction) {
    const Value& range = top();
    if (!range.is(Kind::list) && !range.is(Kind::map)) {
      replace(1, not_boolean("a comprehension over", range));
      go_to(instruction.b);
      return;
    }
    Loop& loop = frame_.loops.emplace_back();
    loop.shape = code_.loops[instruction.a];
    loop.range = range;
    loop.size = range.is(Kind::list) ? range.as_list().size() : range.as_map().size();
    --used_;
  }

  void loop_next(const Instruction& instruction) {
    Loop& loop = frame_.loops.back();
    if (!work_.charge(instruction.a)) return;
    if (loop.next == loop.size) {
      loop_end(finish(loop, work_), 0, instruction.b);
      return;
    }
    const std::size_t i = loop.next++;
    const std::size_t first = loop.shape.first_local;
    const bool both = loop.shape.locals == 2;
    if (loop.range.is(Kind::list)) {
      if (both) {
        frame_.own_locals[first] = Value::integer(static_cast<std::int64_t>(i));
        frame_.locals[first] = &frame_.own_locals[first];
      }
      frame_.locals[first + (both ? 1 : 0)] = &loop.range.as_list()[i];
    } else {
      const Value::Entry& entry = loop.range.as_map()[i];
      frame_.locals[first] = &entry.first;
      if (both) frame_.locals[first + 1] = &entry.second;
    }
  }

  void loop_end(Value result, std::size_t operands, std::uint32_t target) {
    replace(operands, std::move(result));
    frame_.loops.pop_back();
    go_to(target);
  }

  const Program::Code& code_;
  Bindings& bindings_;
  Frame& frame_;
  Work& work_;
  const Instruction* at_ = nullptr;
  std::size_t used_ = 0;
};

}  // namespace

const Value& run(const Program::Code& code, Bindings& bindings, Frame& frame, Work& work) {
  frame.prepare(code);
  const Value& result = Machine(code, bindings, frame, work).run();
  frame.clear(code);
  return result;
}

}  // namespace railhead::expression
