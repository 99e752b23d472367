#include "rules/expression/macros.h"

#include <algorithm>
#include <array>

namespace railhead::expression {
namespace {

constexpr std::array<MacroShape, 17> kMacros{{
    {"all", 2, Macro::all, 1, false},
    {"all", 3, Macro::all, 2, false},
    {"exists", 2, Macro::exists, 1, false},
    {"exists", 3, Macro::exists, 2, false},
    {"exists_one", 2, Macro::exists_one, 1, false},
    {"exists_one", 3, Macro::exists_one, 2, false},
    {"existsOne", 2, Macro::exists_one, 1, false},
    {"existsOne", 3, Macro::exists_one, 2, false},
    {"map", 2, Macro::map, 1, false},
    {"map", 3, Macro::map, 1, true},
    {"filter", 2, Macro::filter, 1, false},
    {"transformList", 3, Macro::transform_list, 2, false},
    {"transformList", 4, Macro::transform_list, 2, true},
    {"transformMap", 3, Macro::transform_map, 2, false},
    {"transformMap", 4, Macro::transform_map, 2, true},
    {"optMap", 2, Macro::opt_map, 1, false},
    {"optFlatMap", 2, Macro::opt_flat_map, 1, false},
}};

}  // namespace

const MacroShape* find_macro(std::string_view name, std::size_t arguments) noexcept {
  const auto found = std::find_if(kMacros.begin(), kMacros.end(), [&](const MacroShape& each) {
    return each.name == name && each.arguments == arguments;
  });
  return found == kMacros.end() ? nullptr : &*found;
}

}  // namespace railhead::expression
