// The stack machine that runs a Program. No recursion: nested loops are frames on a stack of their own.
#include <algorithm>
#include <array>
#include <utility>

#include "rules/expression/operators.h"
#include "rules/expression/program.h"

namespace railhead::expression {
namespace {

// One comprehension that is running.
struct Loop {
  LoopShape shape;
  Value range;
  std::size_t next = 0;
  std::size_t size = 0;
  std::size_t hits = 0;        // exists_one
  std::optional<Value> error;  // all, exists: the first, unless a later item decides
  Value::List items;
  Value::Entries entries;
};

constexpr std::string_view kNoSuchKey = "no such key: ";

Value deep_error() { return Value::error("variables depend on each other too deeply"); }

Value no_selection(const Value& operand, std::string_view name) {
  if (operand.is(Kind::error)) return operand;
  // A reading without value: its members are absent like any other.
  if (operand.is(Kind::null)) return Value::error(std::string(kNoSuchKey) + std::string(name));
  return Value::error("no such overload: a " + std::string(name_of(type_of(operand))) + " has no member '" +
                      std::string(name) + "'");
}

Value select(const Value& operand, std::string_view name) {
  if (!operand.is(Kind::map)) return no_selection(operand, name);
  const Value* found = operand.find(name);
  return found == nullptr ? Value::error(std::string(kNoSuchKey) + std::string(name)) : *found;
}

Value test(const Value& operand, std::string_view name) {
  if (operand.is(Kind::map)) return Value::boolean(operand.find(name) != nullptr);
  if (operand.is(Kind::error)) return operand;
  return Value::error("no such overload: a " + std::string(name_of(type_of(operand))) + " has no members");
}

Value follow(const Path& path, const Value& variable) {
  const Value* at = &variable;
  for (const std::string& name : path.members) {
    if (!at->is(Kind::map)) return no_selection(*at, name);
    const Value* const found = at->find(name);
    if (found == nullptr) return Value::error(std::string(kNoSuchKey) + name);
    at = found;
  }
  return *at;
}

Value test_path(const Path& path, const Value& variable) {
  const Value* at = &variable;
  for (std::size_t i = 0; i + 1 < path.members.size(); ++i) {
    if (!at->is(Kind::map)) return no_selection(*at, path.members[i]);
    const Value* const found = at->find(path.members[i]);
    if (found == nullptr) return Value::error(std::string(kNoSuchKey) + path.members[i]);
    at = found;
  }
  return test(*at, path.members.back());
}

Value not_boolean(std::string_view name, const Value& operand) {
  return operand.is(Kind::error) ? operand : no_overload(name, {&operand, 1});
}

// Neither operand decided alone, or the right one does now.
Value join(bool deciding, std::string_view name, const Value& left, const Value& right) {
  if (right.is(Kind::boolean) && right.as_boolean() == deciding) return right;
  if (!left.is(Kind::boolean)) return not_boolean(name, left);
  return right.is(Kind::boolean) ? right : not_boolean(name, right);
}

Value compared(Op op, const Value& left, const Value& right) {
  const Order order = compare(left, right);
  if (!order.comparable) {
    if (left.is(Kind::error)) return left;
    if (right.is(Kind::error)) return right;
    constexpr std::array<std::string_view, 4> kNames{"<", "<=", ">", ">="};
    return Value::error("no such overload: " + std::string(name_of(type_of(left))) + " " +
                        std::string(kNames[static_cast<std::size_t>(op) - static_cast<std::size_t>(Op::less)]) + " " +
                        std::string(name_of(type_of(right))));
  }
  switch (op) {
    case Op::less: return Value::boolean(order.order < 0);
    case Op::less_equal: return Value::boolean(order.order <= 0);
    case Op::greater: return Value::boolean(order.order > 0);
    default: return Value::boolean(order.order >= 0);
  }
}

bool is_key(const Value& value) {
  return value.is(Kind::string) || value.is(Kind::integer) || value.is(Kind::uinteger) || value.is(Kind::boolean);
}

// Keys that are no texts are compared with each other.
bool charge_map(const Value::Entries& entries, Work& work) {
  const auto others = static_cast<std::uint64_t>(
      std::count_if(entries.begin(), entries.end(), [](const auto& entry) { return !entry.first.is(Kind::string); }));
  return work.charge(entries.size() + others * others / 32);
}

const Value* first_error(const Value* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (values[i].is(Kind::error)) return values + i;
  }
  return nullptr;
}

Value make_list(Value* values, std::size_t count) {
  if (const Value* error = first_error(values, count)) return *error;
  Value::List items;
  items.reserve(count);
  for (std::size_t i = 0; i < count; ++i) items.push_back(std::move(values[i]));
  return Value::list(std::move(items));
}

Value make_map(Value* values, std::size_t count, Work& work) {
  if (const Value* error = first_error(values, count)) return *error;
  Value::Entries entries;
  entries.reserve(count / 2);
  for (std::size_t i = 0; i < count; i += 2) {
    if (!is_key(values[i])) {
      return Value::error("a " + std::string(name_of(type_of(values[i]))) + " is no key of a map");
    }
    entries.emplace_back(std::move(values[i]), std::move(values[i + 1]));
  }
  if (!charge_map(entries, work)) return too_much_work();
  Value map = Value::map(std::move(entries));
  if (map.as_map().size() != count / 2) return Value::error("a key of the map is repeated");
  return map;
}

// The result of a loop that saw every item.
Value finished(Loop& loop, Work& work) {
  switch (loop.shape.macro) {
    case Macro::all: return loop.error ? *loop.error : Value::boolean(true);
    case Macro::exists: return loop.error ? *loop.error : Value::boolean(false);
    case Macro::exists_one: return Value::boolean(loop.hits == 1);
    case Macro::transform_map:
      if (!charge_map(loop.entries, work)) return too_much_work();
      return Value::map(std::move(loop.entries));
    default: return Value::list(std::move(loop.items));
  }
}

// What one turn's value means: nullopt to go on, else the loop's result.
std::optional<Value> collect(Loop& loop, Value value, const Value* locals) {
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
      if (value.as_boolean()) loop.items.push_back(locals[0]);
      break;
    case Macro::transform_map:
      if (value.is(Kind::error)) return value;
      loop.entries.emplace_back(locals[0], std::move(value));
      break;
    default:
      if (value.is(Kind::error)) return value;
      loop.items.push_back(std::move(value));
      break;
  }
  if (loop.items.size() + loop.entries.size() > kItemsMax) return too_large();
  return std::nullopt;
}

}  // namespace

struct Evaluator::State {
  std::vector<Value> stack;
  std::size_t stack_used = 0;
  std::vector<Value> locals;
  std::size_t locals_used = 0;
  std::vector<Loop> loops;
  std::size_t running = 0;  // evaluations inside each other
  std::uint64_t budget = kStepsMax;
  Work work;
  RegexCache regexes;
  std::optional<std::string> missing;

  Value run(const Program::Code& code, Bindings& bindings);
};

Value Evaluator::State::run(const Program::Code& code, Bindings& bindings) {
  const std::size_t stack_base = stack_used;
  const std::size_t locals_base = locals_used;
  const std::size_t loops_base = loops.size();
  stack_used += code.stack_max + 1;
  locals_used += code.locals;
  if (stack.size() < stack_used) stack.resize(stack_used);
  if (locals.size() < locals_used) locals.resize(locals_used);
  Value* top = stack.data() + stack_base;  // the next free place
  // The bindings may evaluate and thereby grow the stack.
  const auto variable = [&](std::uint32_t slot) -> const Value& {
    const std::ptrdiff_t depth = top - (stack.data() + stack_base);
    const Value& value = bindings.get(slot);
    top = stack.data() + stack_base + depth;
    return value;
  };
  const auto drop = [&] { *--top = Value(); };
  const auto combine = [&](Value result) {
    top[-2] = std::move(result);
    drop();
  };
  bool exhausted = !work.charge(code.instructions.size());
  const Instruction* const begin = code.instructions.data();
  const Instruction* const end = begin + code.instructions.size();
  for (const Instruction* at = begin; at != end && !exhausted; ++at) {
    const auto go_to = [&](std::uint32_t target) { at = begin + target - 1; };
    switch (at->op) {
      case Op::constant: *top++ = code.constants[at->a]; break;
      case Op::variable: {
        const Value& value = variable(at->a);
        *top++ = value;
        break;
      }
      case Op::local: *top++ = locals[locals_base + at->a]; break;
      case Op::path: {
        const Path& path = code.paths[at->a];
        const Value& value = variable(path.slot);
        *top++ = follow(path, value);
        break;
      }
      case Op::test_path: {
        const Path& path = code.paths[at->a];
        const Value& value = variable(path.slot);
        *top++ = expression::test_path(path, value);
        break;
      }
      case Op::select: top[-1] = select(top[-1], code.constants[at->a].as_text()); break;
      case Op::test: top[-1] = test(top[-1], code.constants[at->a].as_text()); break;
      case Op::index: combine(element(top[-2], top[-1], work)); break;
      case Op::call: {
        Value* const arguments = top - at->b;
        const Value* error = first_error(arguments, at->b);
        Value result = error != nullptr ? *error : functions()[at->a].code({arguments, at->b}, work);
        while (top != arguments) drop();
        *top++ = std::move(result);
        break;
      }
      case Op::match: {
        const Value& text = top[-1];
        if (!text.is(Kind::string)) {
          top[-1] = not_boolean("matches", text);
        } else if (!work.charge(text.as_text().size() / 4)) {
          exhausted = true;
        } else {
          top[-1] = Value::boolean(code.regexes[at->a]->search(text.as_text()));
        }
        break;
      }
      case Op::add: combine(add(top[-2], top[-1], work)); break;
      case Op::subtract: combine(subtract(top[-2], top[-1])); break;
      case Op::multiply: combine(multiply(top[-2], top[-1])); break;
      case Op::divide: combine(divide(top[-2], top[-1])); break;
      case Op::remainder: combine(remainder(top[-2], top[-1])); break;
      case Op::negate: top[-1] = negate(top[-1]); break;
      case Op::invert: top[-1] = invert(top[-1]); break;
      case Op::equal:
      case Op::not_equal:
        if (top[-2].is(Kind::error)) {
          drop();
        } else if (top[-1].is(Kind::error)) {
          combine(Value(top[-1]));
        } else {
          combine(Value::boolean(expression::equal(top[-2], top[-1], work) == (at->op == Op::equal)));
        }
        break;
      case Op::less:
      case Op::less_equal:
      case Op::greater:
      case Op::greater_equal: combine(compared(at->op, top[-2], top[-1])); break;
      case Op::in: {
        const Value* error = first_error(top - 2, 2);
        combine(error != nullptr ? Value(*error) : contains(top[-2], top[-1], work));
        break;
      }
      case Op::list:
      case Op::map: {
        Value* const values = top - at->a;
        Value result = at->op == Op::list ? make_list(values, at->a) : make_map(values, at->a, work);
        while (top != values) drop();
        *top++ = std::move(result);
        break;
      }
      case Op::and_jump:
        if (top[-1].is(Kind::boolean) && !top[-1].as_boolean()) go_to(at->a);
        break;
      case Op::or_jump:
        if (top[-1].is(Kind::boolean) && top[-1].as_boolean()) go_to(at->a);
        break;
      case Op::and_join: combine(join(false, "&&", top[-2], top[-1])); break;
      case Op::or_join: combine(join(true, "||", top[-2], top[-1])); break;
      case Op::branch:
        if (!top[-1].is(Kind::boolean)) {
          top[-1] = not_boolean("? :", top[-1]);
          go_to(at->b);
        } else {
          const bool taken = top[-1].as_boolean();
          drop();
          if (!taken) go_to(at->a);
        }
        break;
      case Op::jump: go_to(at->a); break;
      case Op::set_local:
        locals[locals_base + at->a] = std::move(top[-1]);
        drop();
        break;
      case Op::loop_begin: {
        Value& range = top[-1];
        if (!range.is(Kind::list) && !range.is(Kind::map)) {
          range = range.is(Kind::error) ? range : no_overload("a comprehension over", {&range, 1});
          go_to(at->b);
          break;
        }
        Loop& loop = loops.emplace_back();
        loop.shape = code.loops[at->a];
        loop.size = range.is(Kind::list) ? range.as_list().size() : range.as_map().size();
        loop.range = std::move(range);
        drop();
        break;
      }
      case Op::loop_next: {
        Loop& loop = loops.back();
        exhausted = !work.charge(at->a);
        if (exhausted) break;
        if (loop.next == loop.size) {
          *top++ = finished(loop, work);
          loops.pop_back();
          go_to(at->b);
          break;
        }
        Value* const bound = locals.data() + locals_base + loop.shape.first_local;
        const std::size_t i = loop.next++;
        const bool both = loop.shape.locals == 2;
        if (loop.range.is(Kind::list)) {
          if (both) bound[0] = Value::integer(static_cast<std::int64_t>(i));
          bound[both ? 1 : 0] = loop.range.as_list()[i];
        } else {
          const Value::Entry& entry = loop.range.as_map()[i];
          bound[0] = entry.first;
          if (both) bound[1] = entry.second;
        }
        break;
      }
      case Op::loop_filter:
        if (top[-1].is(Kind::boolean)) {
          const bool wanted = top[-1].as_boolean();
          drop();
          if (!wanted) go_to(at->a);
        } else {
          top[-1] = not_boolean("map", top[-1]);
          loops.pop_back();
          go_to(at->b);
        }
        break;
      case Op::loop_collect: {
        Loop& loop = loops.back();
        std::optional<Value> result =
            collect(loop, std::move(top[-1]), locals.data() + locals_base + loop.shape.first_local);
        drop();
        if (result) {
          *top++ = std::move(*result);
          loops.pop_back();
          go_to(at->b);
        } else {
          go_to(at->a);
        }
        break;
      }
    }
    if (work.left == 0) exhausted = true;
  }
  Value result = exhausted ? too_much_work() : std::move(top[-1]);
  while (top != stack.data() + stack_base) drop();
  while (loops.size() > loops_base) loops.pop_back();
  for (std::size_t i = locals_base; i < locals_base + code.locals; ++i) locals[i] = Value();
  stack_used = stack_base;
  locals_used = locals_base;
  return result;
}

Evaluator::Evaluator() : state_(std::make_unique<State>()) { state_->work.regexes = &state_->regexes; }
Evaluator::~Evaluator() = default;

Value Evaluator::evaluate(const Program& program, Bindings& bindings) {
  State& state = *state_;
  if (state.running >= kEvaluationsMax) return deep_error();
  if (state.running == 0) state.work.left = state.budget;
  ++state.running;
  Value result = state.run(program.code(), bindings);
  --state.running;
  state.missing.reset();
  if (result.is(Kind::error) && result.as_text().starts_with(kNoSuchKey)) {
    state.missing.emplace(result.as_text().substr(kNoSuchKey.size()));
  }
  return result;
}

const std::optional<std::string>& Evaluator::missing_member() const { return state_->missing; }
void Evaluator::set_budget(std::uint64_t steps) { state_->budget = steps; }
std::uint64_t Evaluator::steps_used() const { return state_->budget - state_->work.left; }

}  // namespace railhead::expression
