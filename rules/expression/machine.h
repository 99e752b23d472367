// The stack machine that runs a Program. No recursion: nested loops are frames on a stack of their own.
// Why a stack of references: a member of a reading, a constant or an item of a list is used where it stands; only what
// an instruction computes is stored in the stack's own place.
// Threads: a Frame is one thread's.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "rules/expression/loop.h"
#include "rules/expression/program.h"

namespace railhead::expression {

inline constexpr std::string_view kNoSuchKey = "no such key: ";

// The error of a member that is not there.
[[nodiscard]] inline Value no_selection(const Value& operand, std::string_view name) {
  if (operand.is(Kind::error)) return operand;
  // A reading without value: its members are absent like any other.
  if (operand.is(Kind::map) || operand.is(Kind::null)) return Value::error(std::string(kNoSuchKey) + std::string(name));
  return Value::error("no such overload: a " + std::string(name_of(type_of(operand))) + " has no member '" +
                      std::string(name) + "'");
}

// Follows the first `count` members of a path. nullptr: `failed` stands where `name` is not.
[[nodiscard]] inline const Value* follow(const Path& path, std::size_t count, const Value& variable,
                                         const Value*& failed, std::string_view& name) {
  const Value* at = &variable;
  for (std::size_t i = 0; i < count; ++i) {
    const Value* const found = path.members[i].in(*at);
    if (found == nullptr) {
      failed = at;
      name = path.members[i].name.as_text();
      return nullptr;
    }
    at = found;
  }
  return at;
}

// What one evaluation works on; a Bindings that evaluates in turn gets the next one. Nothing here moves while it runs.
struct Frame {
  bool holds_memory = false;        // `own` may
  std::vector<const Value*> stack;  // refers to `own` of the same place, or to what outlives the evaluation or the turn
  std::vector<Value> own = std::vector<Value>(1);
  std::vector<const Value*> locals;
  std::vector<Value> own_locals;
  std::vector<Loop> loops;

  void prepare(const Program::Code& code) {
    if (own.size() <= code.stack_max || locals.size() < code.locals) grow(code);
  }
  // Lets go of the memory that the evaluation took, but for its result, which stands at the bottom.
  void clear(const Program::Code& code) {
    if (holds_memory || code.locals > 0) release(code);
  }

 private:
  void grow(const Program::Code& code);
  void release(const Program::Code& code);
};

// The value of the program: it stands in the frame, the program or the bindings.
[[nodiscard]] const Value& run(const Program::Code& code, Bindings& bindings, Frame& frame, Work& work);

}  // namespace railhead::expression
