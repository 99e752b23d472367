// Expressions: the language of `when`, `let`, `body`, windows and `${...}`. text -> compile -> Program -> Evaluator ->
// Value. Language: the Common Expression Language (cel-spec, doc/langdef.md) without protobuf messages, with the
// strings, math and network extensions and one addition: + - * / between int, uint and double promotes (rules/README.md
// is the manual).
// Shapes:   offsets and lengths count bytes in the expression's text; a slot is the number of a variable in its Scope.
// Errors:   a human's mistake is a Problem, as many at once as can be told apart; a failing evaluation is a Value of
// kind error. Bounds:   kTextMax and its neighbours below; an evaluation ends after a budget of steps, whatever the
// expression is. Threads:  a Scope and an Evaluator belong to one thread at a time; a Program is immutable and shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/message/value.h"

namespace railhead::expression {

inline constexpr std::size_t kTextMax = 64 * 1024;  // bytes of an expression
inline constexpr std::size_t kNestingMax = 250;   // parentheses, brackets, unary operators, ternaries inside each other
inline constexpr std::size_t kNodesMax = 20'000;  // operators, names and literals of an expression
inline constexpr std::size_t kTextValueMax =
    4 * 1024 * 1024;                                   // bytes of a string or bytes value that an evaluation makes
inline constexpr std::size_t kItemsMax = 200'000;      // items of a list or entries of a map that an evaluation makes
inline constexpr std::uint64_t kStepsMax = 1'000'000;  // work of one evaluation; a step is about one instruction

// What is known of a value before it is there. `any` is CEL's dyn: nothing.
enum class Type : std::uint8_t {
  any,
  null,
  boolean,
  integer,
  uinteger,
  real,
  string,
  bytes,
  timestamp,
  duration,
  list,
  map,
  type,
  optional,
  address,
  network,
};
// As the user writes them: "dyn" "null_type" "bool" "int" ... "timestamp" "duration" "list" "map" "type" "net.IP".
[[nodiscard]] std::string_view name_of(Type type) noexcept;
[[nodiscard]] Type type_of(Kind kind) noexcept;
[[nodiscard]] inline Type type_of(const Value& value) noexcept { return type_of(value.kind()); }

// What a human got wrong, or may regret (warning). `hint` completes the sentence: "did you mean 'temperature'?".
struct Problem {
  std::size_t offset = 0;
  std::size_t length = 1;
  std::string message;
  std::string hint;
  bool warning = false;
};

class Program;

// Which names an expression may use, and what is known about them.
class Scope {
 public:
  using Fields = std::vector<std::pair<std::string, Type>>;

  Scope();
  ~Scope();
  Scope(const Scope&);
  Scope& operator=(const Scope&);
  Scope(Scope&&) noexcept;
  Scope& operator=(Scope&&) noexcept;

  // Returns the variable's slot: 0, 1, 2... in the order of declaration. A name declared again keeps its slot and takes
  // the new type. A name may be qualified ("plant.line"): then `plant.line` reads that variable.
  std::size_t declare(std::string name, Type type = Type::any);
  // A variable computed by a program of this scope (let): takes over its type and its known fields.
  std::size_t declare(std::string name, const Program& computed_by);
  // Known members of the map at `path`: a variable ("value"), a member of one ("tables.assets"), or what indexing one
  // gives
  // ("tables.assets[]": the columns of a table). A name that is not there is an error with the nearest as hint if
  // `complete`, else a warning if it looks like a misspelling.
  void declare_fields(std::string path, Fields fields, bool complete);
  // All texts that the text at `path` ever is: comparing it with another one is a warning. With `or_digits` it may be
  // any number's digits, too.
  void declare_texts(std::string path, std::vector<std::string> texts, bool or_digits = false);
  // A window aggregate: `mean(value.t)` compiles to a slot of its own, see Program::aggregates. With `arguments_min`
  // and `arguments_max` arguments.
  void declare_aggregate(std::string name, std::size_t arguments_min, std::size_t arguments_max,
                         Type result = Type::any);
  // Leaves what types and overloads are wrong to the evaluation, where `&&`, `||` and `?:` may absorb or skip it
  // (`railhead eval`; rules are checked).
  void check_types_at_run_time();

  [[nodiscard]] std::optional<std::size_t> slot_of(std::string_view name) const;
  [[nodiscard]] std::size_t size() const;

  struct Names;  // the room's own

  [[nodiscard]] const Names& names() const { return *names_; }

 private:
  std::unique_ptr<Names> names_;
};

// A member of a variable that a program reads by name: `value.temperature` is {slot of value, "value",
// {"temperature"}}.
struct MemberPath {
  std::size_t slot = 0;
  std::string variable;
  std::vector<std::string> members;  // empty: the variable as a whole
  bool only_tested = false;          // appears inside has() alone
  std::size_t offset = 0;            // where it is written first
  std::size_t length = 0;
  friend bool operator==(const MemberPath&, const MemberPath&) = default;
};

// A call of a window aggregate. Feed each reading of the window through `arguments`; when the window closes, the
// program that contains the call asks Bindings::get(slot) for the result.
struct Aggregate {
  std::string name;
  std::vector<std::shared_ptr<const Program>> arguments;
  std::size_t slot = 0;  // Scope::size() and up, in order of appearance
};

class Program {
 public:
  struct Code;  // the room's own

  explicit Program(std::unique_ptr<const Code> code);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] Type result_type() const;
  // Every variable and member the program may read, each once.
  [[nodiscard]] const std::vector<MemberPath>& reads() const;
  [[nodiscard]] const std::vector<Aggregate>& aggregates() const;
  // The value of a program that reads nothing.
  [[nodiscard]] const std::optional<Value>& constant() const;
  [[nodiscard]] const std::string& text() const;

  [[nodiscard]] const Code& code() const { return *code_; }

 private:
  std::unique_ptr<const Code> code_;
};

// nullptr if `problems` gained an error; it may gain warnings beside a program.
[[nodiscard]] std::shared_ptr<const Program> compile(std::string_view text, const Scope& scope,
                                                     std::vector<Problem>& problems);

// The values of the variables during one evaluation. Lazily computed ones live behind this: get() may use the same
// Evaluator again (at most kEvaluationsMax deep).
class Bindings {
 public:
  virtual ~Bindings() = default;
  // A slot of the program's scope or of an aggregate. The reference must stay valid until the evaluation ends. An error
  // value is an absent or failed variable.
  [[nodiscard]] virtual const Value& get(std::size_t slot) = 0;
  // get(), but for what stands ready.
  [[nodiscard]] const Value& at(std::size_t slot) {
    if (slot < ready_count_ && ready_[slot] != nullptr) return *ready_[slot];
    return get(slot);
  }

 protected:
  // Where the values of the first `count` slots stand; nullptr: get() knows. Read at each at().
  void set_ready(const Value* const* values, std::size_t count) {
    ready_ = values;
    ready_count_ = count;
  }
  // Only slots below `count` are looked for there; gives how many it were.
  std::size_t limit_ready(std::size_t count) { return std::exchange(ready_count_, count); }

 private:
  const Value* const* ready_ = nullptr;
  std::size_t ready_count_ = 0;
};

inline constexpr std::size_t kEvaluationsMax = 100;

class Evaluator {
 public:
  Evaluator();
  ~Evaluator();
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  // Never throws. What fails is a Value of kind error: "division by zero", "no such key: temperature", ...
  [[nodiscard]] Value evaluate(const Program& program, Bindings& bindings) { return look(program, bindings); }
  // The same where it stands: in the bindings, the program or here. Valid until the next evaluation that is not inside
  // another one, and as long as the bindings do not change.
  [[nodiscard]] const Value& look(const Program& program, Bindings& bindings);
  // Of what look() just gave: it stands where no evaluation of this Evaluator changes it.
  [[nodiscard]] bool stands_outside(const Value& result) const;
  // Of a result that is the error that a member of a map was absent: the member's name, which stands in the result.
  [[nodiscard]] static std::optional<std::string_view> missing_member(const Value& result);
  // Steps an evaluation may take from now on (kStepsMax at first), and those the last one took.
  void set_budget(std::uint64_t steps);
  [[nodiscard]] std::uint64_t steps_used() const;

 private:
  const Value& compute(const Program::Code& code, Bindings& bindings);
  struct State;
  std::unique_ptr<State> state_;
};

// For `${...}` in texts: where the expression that begins at `begin` ends, i.e. the offset of its closing brace (braces
// inside strings and maps do not count); npos if there is none.
[[nodiscard]] std::size_t end_of_embedded(std::string_view text, std::size_t begin);
// Appends what CEL's string(value) gives, for templates. False (nothing appended) for kinds without a text: null, list,
// map, type, error, bytes that are not UTF-8.
[[nodiscard]] bool append_text(const Value& value, std::string& out);

}  // namespace railhead::expression
