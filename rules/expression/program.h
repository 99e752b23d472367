// A compiled expression: a list of instructions for a stack machine.
// Why a stack machine: an explicit stack instead of recursion at run time, and slots instead of names.
// Shapes:  each expression leaves one Value on the stack; an error is a Value and travels like one.
// Threads: immutable once compiled.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rules/expression/ast.h"
#include "rules/expression/expression.h"
#include "rules/expression/functions/function.h"
#include "rules/expression/functions/regex.h"

namespace railhead::expression {

enum class Op : std::uint8_t {
  // Of two operands, see From.
  add,
  subtract,
  multiply,
  divide,
  remainder,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  index,
  // The others take their operands from the stack.
  push,       // what `left` and a say
  test_path,  // push has(paths[a])
  select,     // top = top.(constants[a])
  test,       // top = has(top.(constants[a]))
  call,       // functions()[a] over the top b values
  match,      // top = top.matches(regexes[a])
  negate,
  invert,
  list,          // of the top a values
  map,           // of the top a values, key value key value
  and_jump,      // to a if top is false
  and_join,      // two values to one
  or_jump,       // to a if top is true
  or_join,       // two values to one
  branch,        // pop: true goes on, false to a, all else becomes an error and goes to b
  jump,          // to a
  set_local,     // pop into local a
  keep,          // of what may refer to a local that ends: a value of its own
  loop_begin,    // pop the range of loops[a]; no range: push an error and go to b
  loop_next,     // bind the next item, or push the result and go to b; a is what one turn costs
  loop_filter,   // pop: true goes on, false to a, all else ends the loop and goes to b
  loop_collect,  // pop what the body gave and go to a, or end the loop and go to b
  // Of optionals; see optionals.h.
  optional_path,    // push the optional of paths[a]
  path_or,          // push what stands at paths[a] and go to b; nothing: go on
  optional_select,  // top = top.?(constants[a])
  optional_index,   // of two: [?]
  path_holds,       // push whether something stands at paths[a]
  held_or,          // top holds a value: keep it (a: what it holds) and go to b; none: pop
  held_to_local,    // pop what the top holds into local a; none: keep it and go to b
  optional_of,      // top = optional.of(top)
  marked_list,      // of the top a values; marks[b] says which are optional
  marked_map,       // of the top a values, key value key value; marks[b] of the entries
};

// Where an operand stands. Only what an instruction computed has to be on the stack.
enum class From : std::uint8_t { stack, constant, variable, local, member, path };

struct Instruction {
  Op op = Op::push;
  From left = From::stack;   // with a: of constants, slots, locals, members or paths
  From right = From::stack;  // with b
  std::uint32_t a = 0;
  std::uint32_t b = 0;
};

struct LoopShape {
  Macro macro = Macro::all;
  std::uint32_t first_local = 0;
  std::uint32_t locals = 1;
};

// Readings of one source mostly have one shape: where a member stood in the last map is where it stands in the next.
// Threads: any; what one remembers is a hint for all.
class Place {
 public:
  Place() = default;
  Place(const Place& other) noexcept : place_(other.get()) {}
  Place& operator=(const Place&) = delete;
  [[nodiscard]] std::uint32_t get() const { return place_.load(std::memory_order_relaxed); }
  void set(std::uint32_t place) { place_.store(place, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> place_{0};
};

struct Member {
  Value name;  // a text
  mutable Place place{};

  [[nodiscard]] const Value* in(const Value& container) const {
    const std::uint32_t before = place.get();
    std::uint32_t now = before;
    const Value* const found = container.find_again(name, now);
    if (now != before) place.set(now);
    return found;
  }
};

// variable.member
struct MemberOfVariable {
  std::uint32_t slot = 0;
  Member member;
};

// variable.member.member..., variable.?member.member...
struct Path {
  std::uint32_t slot = 0;
  std::uint32_t optional_from = 0xffff'ffff;  // the first member that may be absent
  std::vector<Member> members;
};

struct Program::Code {
  std::string text;
  std::vector<Instruction> instructions;
  std::vector<Value> constants;
  std::vector<MemberOfVariable> members;
  std::vector<Path> paths;
  std::vector<LoopShape> loops;
  std::vector<std::vector<bool>> marks;
  std::vector<std::shared_ptr<const Regex>> regexes;
  bool is_look_up = false;  // one instruction, a push of what stands somewhere
  std::size_t steps = 0;    // what a run without loops costs
  std::size_t stack_max = 0;
  std::size_t locals = 0;
  bool makes_containers = false;  // lists, maps or optionals, which may hold others more than once
  Type result = Type::any;
  std::string result_shape;
  std::vector<MemberPath> reads;
  std::vector<Aggregate> aggregates;
  std::optional<Value> constant;
};

}  // namespace railhead::expression
