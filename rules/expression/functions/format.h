// "...".format([...]) of the strings extension: %s %d %f %e %b %o %x %X %%, with %.Nf and %.Ne.
// Threads: pure function.
#pragma once

#include <string_view>

#include "rules/expression/functions/function.h"

namespace railhead::expression {

inline constexpr std::size_t kPrecisionMax = 100;   // digits behind the point
inline constexpr std::size_t kFormatDepthMax = 64;  // lists and maps inside each other

[[nodiscard]] Value format_text(std::string_view format, std::span<const Value> arguments, Work& work);

}  // namespace railhead::expression
