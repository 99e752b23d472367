// The digits of a number literal -> its value [langdef "Numeric Values"]. Threads: pure function.
#pragma once

#include <optional>
#include <string_view>

#include "gateway/message/value.h"
#include "rules/expression/lexer.h"

namespace railhead::expression {

// `text` is as in a Token of kind integer, uinteger or real; `negative` if a minus stands before it. nullopt: an
// integer out of range. A double out of range becomes an infinity or zero, as IEEE 754 rounds it.
[[nodiscard]] std::optional<Value> number_value(std::string_view text, TokenKind kind, bool negative);

}  // namespace railhead::expression
