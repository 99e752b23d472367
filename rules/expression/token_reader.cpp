#include "rules/expression/token_reader.h"

#include <algorithm>
#include <utility>

#include "rules/expression/functions/utf8.h"

namespace railhead::expression {

TokenReader::TokenReader(std::vector<Token> tokens, std::vector<Problem>& problems)
    : tokens_(std::move(tokens)), problems_(problems) {}

std::size_t TokenReader::end_of_last() const {
  return at_ == 0 ? 0 : tokens_[at_ - 1].offset + tokens_[at_ - 1].length;
}

bool TokenReader::accept(std::string_view symbol) {
  if (!now().is(symbol)) return false;
  advance();
  return true;
}

void TokenReader::expect(std::string_view symbol, const Token& opened_by) {
  if (stopped_ || accept(symbol)) return;
  if (now().kind == TokenKind::end) {
    fail_at(opened_by, "'" + opened_by.text + "' without its '" + std::string(symbol) + "'");
  } else {
    unexpected(now(), true);
  }
}

void TokenReader::report(std::size_t offset, std::size_t length, std::string message, std::string hint) {
  problems_.push_back({offset, std::max<std::size_t>(1, length), std::move(message), std::move(hint), false});
}

void TokenReader::fail_at(const Token& token, std::string message, std::string hint) {
  if (!stopped_) report(token.offset, token.length, std::move(message), std::move(hint));
  stopped_ = true;
  at_ = tokens_.size() - 1;
}

bool TokenReader::between_digits() const {
  if (at_ == 0 || at_ + 1 >= tokens_.size()) return false;
  const Token& before = tokens_[at_ - 1];
  const Token& behind = tokens_[at_ + 1];
  return before.kind == TokenKind::integer && behind.kind == TokenKind::integer &&
         before.offset + before.length + 1 == behind.offset;
}

std::string TokenReader::hint_for(const Token& token, bool after_operand) const {
  const bool negated = at_ > 0 && (tokens_[at_ - 1].is_word("not") || tokens_[at_ - 1].is_word("NOT"));
  if (negated) return "write '!' instead of '" + tokens_[at_ - 1].text + "'";
  if (token.is("{")) return "there are no message types in this language";
  if (token.is(",") && between_digits()) {
    return "a number has a decimal point: " + tokens_[at_ - 1].text + "." + tokens_[at_ + 1].text;
  }
  if (token.is(">") && at_ > 0 && tokens_[at_ - 1].is("<")) return "write '!=' for \"not equal\"";
  if (token.is_word("not") || token.is_word("NOT")) return "write '!'";
  if (token.is_word("or") || token.is_word("OR")) return "write '||'";
  if (token.is_word("and") || token.is_word("AND")) return "write '&&'";
  if (token.is("=")) return "write '==' to compare";
  return after_operand && token.kind != TokenKind::symbol ? "an operator is missing before it" : "";
}

void TokenReader::unexpected(const Token& token, bool after_operand) {
  if (token.kind == TokenKind::end) {
    return fail_at(token, "the expression ends too early", after_operand ? "" : "a value is missing here");
  }
  // Bytes need not be characters.
  if (token.kind == TokenKind::bytes) return fail_at(token, "unexpected bytes", hint_for(token, after_operand));
  std::string shown = token.text;
  if (token.kind == TokenKind::string) shown = "\"" + shown + "\"";
  if (shown.size() > 40) shown = std::string(shortened(shown, 40)) + "...";
  fail_at(token, token.kind == TokenKind::string ? "unexpected text " + shown : "unexpected '" + shown + "'",
          hint_for(token, after_operand));
}

}  // namespace railhead::expression
