#include "rules/expression/machine.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <utility>

#include "rules/expression/collections.h"
#include "rules/expression/logic.h"
#include "rules/expression/operators.h"
#include "rules/expression/optionals.h"
#include "rules/expression/stack.h"

namespace railhead::expression {
namespace {

Value not_comparable(Op op, const Value& left, const Value& right) {
  if (left.is(Kind::error)) return left;
  if (right.is(Kind::error)) return right;
  constexpr std::array<std::string_view, 4> kNames{"<", "<=", ">", ">="};
  return Value::error("no such overload: " + std::string(name_of(type_of(left))) + " " +
                      std::string(kNames[static_cast<std::size_t>(op) - static_cast<std::size_t>(Op::less)]) + " " +
                      std::string(name_of(type_of(right))));
}

double sign_of(std::partial_ordering order) {
  if (order < 0) return -1;
  if (order > 0) return 1;
  return order == 0 ? 0 : std::numeric_limits<double>::quiet_NaN();
}

class Machine : Stack {
 public:
  Machine(const Program::Code& code, Bindings& bindings, Frame& frame, Work& work)
      : Stack(frame), code_(code), bindings_(bindings), work_(work) {}

  // The result stands in the frame, the program or the bindings.
  // Why inline: rules run many short programs.
  [[gnu::always_inline]] const Value& run() {
    (void)work_.charge(code_.steps);
    at_ = code_.instructions.data();
    const Instruction* const end = at_ + code_.steps;
    while (at_ != end && work_.left > 0) step(*at_++);
    if (work_.left > 0) return *stack_[0];
    own_[0] = too_much_work();
    return own_[0];
  }

 private:
  void go_to(std::uint32_t target) { at_ = code_.instructions.data() + target; }
  // An operand; popped if it stood on the stack. `spare`: how far above the top a failure may be written.
  // Why inline: it is half of what rules do.
  [[gnu::always_inline]] const Value& operand(From from, std::uint32_t number, std::size_t spare) {
    if (from == From::member) {
      const MemberOfVariable& read = code_.members[number];
      const Value& variable = bindings_.at(read.slot);
      if (const Value* const found = read.member.in(variable)) return *found;
      return fail_selection(variable, read.member.name.as_text(), own_[used_ + spare]);
    }
    if (from == From::constant) return code_.constants[number];
    if (from == From::stack) return *stack_[--used_];
    if (from == From::variable) return bindings_.at(number);
    if (from == From::local) return *frame_.locals[number];
    return long_path(code_.paths[number], own_[used_ + spare]);
  }

  [[gnu::noinline]] const Value& fail_selection(const Value& container, std::string_view name, Value& failure) {
    frame_.holds_memory = true;
    failure = no_selection(container, name);
    return failure;
  }

  [[gnu::noinline]] const Value& long_path(const Path& path, Value& failure) {
    const Value* failed = nullptr;
    std::string_view name;
    const Value* const found = follow(path, path.members.size(), bindings_.at(path.slot), failed, name);
    return found != nullptr ? *found : fail_selection(*failed, name, failure);
  }

  // A double, and a double or an int beside it: what readings and the numbers in rules mostly are.
  [[nodiscard]] static bool reals(const Value& left, const Value& right, double& a, double& b) {
    if (!left.is(Kind::real)) return false;
    a = left.as_real();
    if (right.is(Kind::real)) {
      b = right.as_real();
    } else if (right.is(Kind::integer)) {
      b = static_cast<double>(right.as_integer());
    } else {
      return false;
    }
    return true;
  }
  // Two doubles take the short way.
  template <class OfReals, class OfAny>
  void combine(const Value& left, const Value& right, OfReals of_reals, OfAny of_any) {
    if (double a = 0, b = 0; reals(left, right, a, b)) {
      push_made([&] { return Value::real(of_reals(a, b)); });
    } else {
      push_own(of_any());
    }
  }
  template <class Holds>
  void order(Op op, const Value& left, const Value& right, Holds holds) {
    if (double a = 0, b = 0; reals(left, right, a, b)) return push_boolean(holds(a, b));
    if (const Order order = compare(left, right); order.comparable) return push_boolean(holds(sign_of(order.order), 0));
    push_own(not_comparable(op, left, right));
  }
  void compare_equal(bool wanted, const Value& left, const Value& right) {
    if (left.is(Kind::string) && right.is(Kind::string) &&
        (!right.is_shared() || work_.charge_bytes(right.as_text().size()))) {
      push_boolean(left.same_characters(right) == wanted);
    } else if (left.is(Kind::error) || right.is(Kind::error)) {
      push_own(left.is(Kind::error) ? left : right);
    } else {
      push_boolean(equal(left, right, work_) == wanted);
    }
  }

  // Why inline: it is the whole of run(), which calls it from one place.
  [[gnu::always_inline]] void step(const Instruction& instruction) {
    const Op op = instruction.op;
    if (op <= Op::index) {
      // What is on the stack was computed from left to right; a failure may stand above it and above the other one.
      const Value& right = operand(instruction.right, instruction.b, 1);
      const Value& left = operand(instruction.left, instruction.a, instruction.right == From::stack ? 1 : 0);
      binary(op, left, right);
    } else {
      other(instruction);
    }
  }

  [[gnu::always_inline]] void binary(Op op, const Value& left, const Value& right) {
    switch (op) {
      case Op::add: combine(left, right, std::plus<>(), [&] { return add(left, right, work_); }); break;
      case Op::subtract: combine(left, right, std::minus<>(), [&] { return subtract(left, right); }); break;
      case Op::multiply: combine(left, right, std::multiplies<>(), [&] { return multiply(left, right); }); break;
      case Op::divide:
        if (double a = 0, b = 0; reals(left, right, a, b) && b != 0) {
          push_made([&] { return Value::real(a / b); });
        } else {
          push_own(divide(left, right));
        }
        break;
      case Op::remainder: push_own(remainder(left, right)); break;
      case Op::equal: compare_equal(true, left, right); break;
      case Op::not_equal: compare_equal(false, left, right); break;
      case Op::less: order(op, left, right, std::less<double>()); break;
      case Op::less_equal: order(op, left, right, std::less_equal<double>()); break;
      case Op::greater: order(op, left, right, std::greater<double>()); break;
      case Op::greater_equal: order(op, left, right, std::greater_equal<double>()); break;
      case Op::in:
        if (left.is(Kind::error) || right.is(Kind::error)) {
          push_own(left.is(Kind::error) ? left : right);
        } else {
          push_own(contains(left, right, work_));
        }
        break;
      default: index(left, right); break;
    }
  }

  [[gnu::always_inline]] void other(const Instruction& instruction) {
    switch (instruction.op) {
      case Op::push: push(operand(instruction.left, instruction.a, 0)); break;
      case Op::test_path: test_path(code_.paths[instruction.a]); break;
      case Op::select: select(code_.constants[instruction.a]); break;
      case Op::test: replace(1, has_member(top(), code_.constants[instruction.a])); break;
      case Op::call: call(instruction); break;
      case Op::match: match(*code_.regexes[instruction.a]); break;
      case Op::negate: replace(1, negate(top())); break;
      case Op::invert:
        if (top().is(Kind::boolean)) {
          replace_boolean(1, !top().as_boolean());
        } else {
          replace(1, invert(top()));
        }
        break;
      case Op::list: replace(instruction.a, make_list(operands(instruction.a), kNoMarks)); break;
      case Op::map: replace(instruction.a, make_map(operands(instruction.a), kNoMarks, work_)); break;
      case Op::and_jump:
        if (top().is(Kind::boolean) && !top().as_boolean()) go_to(instruction.a);
        break;
      case Op::or_jump:
        if (top().is(Kind::boolean) && top().as_boolean()) go_to(instruction.a);
        break;
      case Op::and_join:
      case Op::or_join: logic(instruction.op == Op::or_join); break;
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
      default: of_optionals(instruction);
    }
  }

  [[gnu::noinline]] void of_optionals(const Instruction& instruction) {
    switch (instruction.op) {
      case Op::optional_path: {
        Reached reached = reach(code_.paths[instruction.a], variable_of(instruction));
        if (reached.found != nullptr) return push_own(Value::optional(*reached.found));
        push_own(reached.failed() ? std::move(reached.failure) : Value::none());
        break;
      }
      case Op::path_or: {
        Reached reached = reach(code_.paths[instruction.a], variable_of(instruction));
        if (reached.found != nullptr) {
          push(*reached.found);
        } else if (reached.failed()) {
          push_own(std::move(reached.failure));
        } else {
          return;
        }
        go_to(instruction.b);
        break;
      }
      case Op::path_holds: {
        Reached reached = reach(code_.paths[instruction.a], variable_of(instruction));
        if (reached.failed()) return push_own(std::move(reached.failure));
        push_boolean(reached.found != nullptr);
        break;
      }
      case Op::optional_select: replace(1, optional_member(top(), code_.constants[instruction.a])); break;
      case Op::optional_index: replace(2, optional_element(top(1), top(), work_)); break;
      case Op::held_or: held_or(instruction); break;
      case Op::held_to_local:
        if (const Value* const held = held_by_top("optMap")) {
          frame_.own_locals[instruction.a] = *held;
          frame_.locals[instruction.a] = &frame_.own_locals[instruction.a];
          --used_;
        } else {
          go_to(instruction.b);
        }
        break;
      case Op::optional_of:
        if (!top().is(Kind::error)) replace(1, Value::optional(top()));
        break;
      case Op::marked_list:
        replace(instruction.a, make_list(operands(instruction.a), code_.marks[instruction.b]));
        break;
      case Op::marked_map:
        replace(instruction.a, make_map(operands(instruction.a), code_.marks[instruction.b], work_));
        break;
      default: RAILHEAD_ASSERT(false);
    }
  }

  const Value& variable_of(const Instruction& instruction) { return bindings_.at(code_.paths[instruction.a].slot); }

  // nullptr: the top is none, or has become the failure that it is no optional.
  const Value* held_by_top(std::string_view asked) {
    if (top().is(Kind::optional)) return top().as_optional();
    if (!top().is(Kind::error)) replace(1, not_boolean(asked, top()));
    return nullptr;
  }

  void held_or(const Instruction& instruction) {
    const bool opens = instruction.a != 0;
    if (const Value* const held = held_by_top(opens ? "orValue" : "or")) {
      if (opens) replace(1, Value(*held));
    } else if (top().is(Kind::optional)) {
      --used_;
      return;
    }
    go_to(instruction.b);
  }

  void test_path(const Path& path) {
    const Value* failed = nullptr;
    std::string_view name;
    const Value* const found = follow(path, path.members.size() - 1, bindings_.at(path.slot), failed, name);
    push_own(found != nullptr ? has_member(*found, path.members.back().name) : no_selection(*failed, name));
  }

  // A member refers into its container: what stands at the same place of `own`, or outside.
  void select(const Value& name) {
    const Value* const found = top().find(name);
    if (found == nullptr) {
      return replace(1, top().is(Kind::optional) ? optional_member(top(), name) : no_selection(top(), name.as_text()));
    }
    --used_;
    push(*found);
  }

  void index(const Value& container, const Value& key) {
    Value failure;
    const Value* const found = element(container, key, work_, failure);
    if (found == nullptr) {
      return push_own(container.is(Kind::optional) ? optional_element(container, key, work_) : std::move(failure));
    }
    push(*found);
  }

  void call(const Instruction& instruction) {
    const std::size_t count = instruction.b;
    if (const Value* const error = first_error(operands(count))) {
      replace(count, Value(*error));
      return;
    }
    const std::size_t from = used_ - count;
    frame_.holds_memory = true;
    for (std::size_t i = from; i < used_; ++i) {
      if (stack_[i] != &own_[i]) own_[i] = *stack_[i];
    }
    replace(count, functions()[instruction.a].code({own_ + from, count}, work_));
  }

  void match(const Regex& regex) {
    if (!top().is(Kind::string)) {
      replace(1, not_boolean("matches", top()));
    } else if (work_.charge(regex.cost(top().as_text()))) {
      replace_boolean(1, regex.search(top().as_text()));
    }
  }

  // `deciding`: true of ||, false of &&.
  [[gnu::always_inline]] void logic(bool deciding) {
    const Value& left = top(1);
    const Value& right = top();
    if (left.is(Kind::boolean) && right.is(Kind::boolean)) {
      replace_boolean(2, right.as_boolean());  // the left one did not decide, or would have jumped
    } else {
      replace(2, join(deciding, left, right));
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
  Work& work_;
  const Instruction* at_ = nullptr;
};

}  // namespace

void Frame::grow(const Program::Code& code) {
  stack.resize(std::max(stack.size(), code.stack_max + 1));
  own.resize(stack.size());
  locals.resize(std::max(locals.size(), code.locals));
  own_locals.resize(locals.size());
}

void Frame::release(const Program::Code& code) {
  const auto let_go = [](Value& value) {
    if (value.is_shared()) value = Value();
  };
  std::for_each(own.begin() + 1, own.begin() + static_cast<std::ptrdiff_t>(code.stack_max + 1), let_go);
  std::for_each(own_locals.begin(), own_locals.begin() + static_cast<std::ptrdiff_t>(code.locals), let_go);
  if (code.locals > 0) loops.clear();
  holds_memory = false;
}

const Value& run(const Program::Code& code, Bindings& bindings, Frame& frame, Work& work) {
  frame.prepare(code);
  const Value& result = Machine(code, bindings, frame, work).run();
  frame.clear(code);
  return result;
}

}  // namespace railhead::expression
