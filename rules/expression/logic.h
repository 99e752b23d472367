// Where a bool is due and something else stands. Threads: pure functions.
#pragma once

#include <string_view>

#include "gateway/message/value.h"

namespace railhead::expression {

// `operand` where a bool is due: itself if it is an error, else an error.
[[nodiscard]] Value not_boolean(std::string_view name, const Value& operand);
// && and || over two values of which the left one did not decide; `deciding`: true of ||, false of &&. An error gives
// way where the right one decides.
[[nodiscard]] Value join(bool deciding, const Value& left, const Value& right);

}  // namespace railhead::expression
