// Text of an expression -> tokens [langdef "Syntax": the lexis]. Offsets count bytes.
// Errors: Problems for what is no token; the lexer then goes on behind it. At most kTokenProblemsMax.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rules/expression/expression.h"

namespace railhead::expression {

enum class TokenKind : std::uint8_t {
  end,
  identifier,  // also reserved words; `text` is the name
  quoted_identifier,
  integer,  // `text` is as written, without sign and suffix
  uinteger,
  real,
  string,  // `text` is decoded
  bytes,
  symbol,  // `text` is one of the operators and brackets
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::size_t offset = 0;
  std::size_t length = 0;
  std::string text;

  [[nodiscard]] bool is(std::string_view symbol) const { return kind == TokenKind::symbol && text == symbol; }
  [[nodiscard]] bool is_word(std::string_view word) const { return kind == TokenKind::identifier && text == word; }
};

inline constexpr std::size_t kTokenProblemsMax = 8;

// All tokens, an `end` token last.
[[nodiscard]] std::vector<Token> tokenize(std::string_view text, std::vector<Problem>& problems);
// false, null, true and in: no name of anything.
[[nodiscard]] bool is_keyword(std::string_view word);
// Words that CEL keeps for languages it is embedded in: no variable or function, but a member may be called so.
[[nodiscard]] bool is_reserved(std::string_view word);

}  // namespace railhead::expression
