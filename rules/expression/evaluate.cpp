// Evaluator: programs inside each other, the budget they share, and what cannot be a result.
#include <utility>

#include "rules/expression/machine.h"
#include "rules/expression/optionals.h"

namespace railhead::expression {
namespace {

// What a program of one look-up gives; nullptr: it fails.
const Value* look_up(const Program::Code& code, Bindings& bindings) {
  const Instruction& instruction = code.instructions[0];
  if (instruction.left == From::constant) return &code.constants[instruction.a];
  if (instruction.left == From::variable) return &bindings.at(instruction.a);
  if (instruction.left == From::member) {
    const MemberOfVariable& read = code.members[instruction.a];
    return read.member.in(bindings.at(read.slot));
  }
  const Path& path = code.paths[instruction.a];
  const Value* failed = nullptr;
  std::string_view name;
  return follow(path, path.members.size(), bindings.at(path.slot), failed, name);
}

Value optional_leaves() {
  static const Value error = Value::error(kOptionalLeaves);
  return error;
}

// Why a list, map or optional cannot be a result; null: it can. What shares its parts may be far larger written out
// than it was to make, ten lists of ten lists of ten lists...: it is charged whole.
Value refusal(const Value& value, Work& work) {
  std::vector<const Value*> open{&value};
  const auto look = [&open](const Value& part) {
    if (part.is_shared() || part.is(Kind::optional)) open.push_back(&part);
  };
  while (!open.empty()) {
    const Value& next = *open.back();
    open.pop_back();
    if (next.is(Kind::optional)) return optional_leaves();
    if (next.is(Kind::list)) {
      if (!work.charge(next.as_list().size())) return too_much_work();
      for (const Value& item : next.as_list()) look(item);
    } else if (next.is(Kind::map)) {
      if (!work.charge(next.as_map().size())) return too_much_work();
      for (const Value::Entry& entry : next.as_map()) {
        look(entry.first);
        look(entry.second);
      }
    } else if (!work.charge_bytes(next.as_text().size())) {
      return too_much_work();
    }
  }
  return {};
}

bool may_be_refused(const Value& result) {
  return result.is(Kind::list) || result.is(Kind::map) || result.is(Kind::optional);
}

}  // namespace

struct Evaluator::State {
  std::vector<std::unique_ptr<Frame>> frames;
  std::size_t running = 0;  // evaluations inside each other
  std::uint64_t budget = kStepsMax;
  Work work;
  RegexCache regexes;
  const Value too_deep = Value::error("variables depend on each other too deeply");
};

Evaluator::Evaluator() : state_(std::make_unique<State>()) { state_->work.regexes = &state_->regexes; }
Evaluator::~Evaluator() = default;

const Value& Evaluator::look(const Program& program, Bindings& bindings) {
  State& state = *state_;
  if (state.running >= kEvaluationsMax) return state.too_deep;
  if (state.running == 0) state.work.left = state.budget;
  const Program::Code& code = program.code();
  if (!code.is_look_up) return compute(code, bindings);
  // Most leaves of a body: no machine is needed.
  ++state.running;
  const Value* const found = look_up(code, bindings);
  --state.running;
  return found != nullptr && state.work.charge(1) ? *found : compute(code, bindings);
}

const Value& Evaluator::compute(const Program::Code& code, Bindings& bindings) {
  State& state = *state_;
  while (state.frames.size() <= state.running) state.frames.push_back(std::make_unique<Frame>());
  Frame& frame = *state.frames[state.running];
  ++state.running;
  const Value* result = &run(code, bindings, frame, state.work);
  if (code.makes_containers && may_be_refused(*result)) {
    if (Value why = refusal(*result, state.work); why.is(Kind::error)) {
      frame.own[0] = std::move(why);
      result = &frame.own[0];
    }
  }
  --state.running;
  return *result;
}

bool Evaluator::stands_outside(const Value& result) const {
  if (state_->running >= state_->frames.size()) return true;
  const Value& own = state_->frames[state_->running]->own[0];
  return &result != &own && !own.is_shared();  // else it may be a part of `own`
}

std::optional<std::string_view> Evaluator::missing_member(const Value& result) {
  if (!result.is(Kind::error) || !result.as_text().starts_with(kNoSuchKey)) return {};
  return result.as_text().substr(kNoSuchKey.size());
}

void Evaluator::set_budget(std::uint64_t steps) { state_->budget = steps; }
std::uint64_t Evaluator::steps_used() const { return state_->budget - state_->work.left; }

}  // namespace railhead::expression
