// What a function of the language is to the rest: a name, the arguments it takes, and code over values.
// Contract: arguments are never of kind error (the evaluator hands the first error on); the result may be one.
//           Code charges Work for what is not constant time, and makes no value beyond kTextValueMax or kItemsMax.
// Threads:  pure functions; a Work is one evaluation's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/message/value.h"
#include "rules/expression/expression.h"

namespace railhead::expression {

class RegexCache;

// The budget of one evaluation.
struct Work {
  std::uint64_t left = kStepsMax;
  RegexCache* regexes = nullptr;

  // False once the budget is spent: give up with too_much_work().
  bool charge(std::uint64_t steps) noexcept {
    if (steps > left) {
      left = 0;
      return false;
    }
    left -= steps;
    return true;
  }
  // For walking over texts.
  bool charge_bytes(std::size_t bytes) noexcept { return charge(bytes / 16); }
};

using Arguments = std::span<const Value>;
using Function = Value (*)(Arguments arguments, Work& work);

struct FunctionEntry {
  std::string_view name;    // "size", "math.abs"
  bool method = false;      // called value.name(...); the value is arguments[0]
  Function code = nullptr;  // none: instructions of its own
  // Overloads "arguments:result" parted by blanks, a letter a type: n null, b bool, i int, u uint, d double, s string,
  // y bytes, t timestamp, r duration, l list, m map, T type, o optional, a address, c network, * any. "+" for
  // arguments: one or more, checked by the code.
  std::string_view overloads;
};

// All functions. Numbers of entries do not change while the program runs.
[[nodiscard]] std::span<const FunctionEntry> functions();
// By name and style, the entry that has an overload of so many arguments; `arguments` counts a method's receiver.
[[nodiscard]] std::optional<std::size_t> find_function(std::string_view name, bool method, std::size_t arguments);
[[nodiscard]] Type type_of_letter(char letter) noexcept;
// What a call gives as far as the types of its arguments tell; nullopt if no overload takes them.
[[nodiscard]] std::optional<Type> call_result(const FunctionEntry& function, std::span<const Type> arguments);

// Parts of the table, a file each.
[[nodiscard]] std::span<const FunctionEntry> basic_functions();
[[nodiscard]] std::span<const FunctionEntry> conversion_functions();
[[nodiscard]] std::span<const FunctionEntry> string_functions();
[[nodiscard]] std::span<const FunctionEntry> math_functions();
[[nodiscard]] std::span<const FunctionEntry> time_functions();
[[nodiscard]] std::span<const FunctionEntry> optional_functions();
[[nodiscard]] std::span<const FunctionEntry> network_functions();

// The errors that several places share.
[[nodiscard]] Value too_much_work();
[[nodiscard]] Value too_large();
[[nodiscard]] Value no_overload(std::string_view name, Arguments arguments);
[[nodiscard]] Value integer_overflow();
[[nodiscard]] Value out_of_range(std::string_view what);
inline constexpr std::string_view kIndexOutOfRange = "index out of range: ";
[[nodiscard]] Value index_out_of_range(std::int64_t index);

// A double as a person reads it: shortest digits, no exponent from 1e-6 up to 1e21; "NaN" "Infinity" "-Infinity".
[[nodiscard]] std::string double_text(double number);
// string(value) of the language; nullopt for kinds it is not defined for.
[[nodiscard]] std::optional<std::string> text_of(const Value& value);

}  // namespace railhead::expression
