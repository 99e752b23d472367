// The macros that go through lists and maps, by name and number of arguments [langdef "Macros"]. Threads: constants.
#pragma once

#include <cstddef>
#include <string_view>

#include "rules/expression/ast.h"

namespace railhead::expression {

struct MacroShape {
  std::string_view name;
  std::size_t arguments;  // without the receiver
  Macro macro;
  std::size_t variables;  // how many of the arguments name variables
  bool filtered;          // then a test, then the body
};

// cel.bind(name, value, body).
inline constexpr MacroShape kBind{"bind", 3, Macro::bind, 1, false};

// nullptr if no macro is called so.
[[nodiscard]] const MacroShape* find_macro(std::string_view name, std::size_t arguments) noexcept;

}  // namespace railhead::expression
