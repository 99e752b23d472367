// Protobuf's well-known values of one thing, google.protobuf.Int32Value{value: 1} and its kin: other ways to write an
// int, a text, a map. Each field is a function of one argument, "google.protobuf.Int32Value.value", which refuses what
// the message could not hold; a message without fields is what an empty one means.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "rules/expression/functions/function.h"

namespace railhead::expression {

// What `google.protobuf.Int32Value{}` is; nullopt: no such message is known.
[[nodiscard]] std::optional<Value> empty_message(std::string_view name);
[[nodiscard]] std::span<const FunctionEntry> well_known_functions();

}  // namespace railhead::expression
