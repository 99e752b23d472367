// What a parser stands on: the token at hand, and the sentence and hint when it is another one than is due.
// Errors: the first Problem that parsing cannot go on behind stops it: `stopped()`, and only the end is left.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rules/expression/lexer.h"

namespace railhead::expression {

class TokenReader {
 public:
  TokenReader(std::vector<Token> tokens, std::vector<Problem>& problems);

  [[nodiscard]] const Token& now() const { return tokens_[at_]; }
  [[nodiscard]] const Token& ahead() const { return ahead(1); }
  [[nodiscard]] const Token& ahead(std::size_t by) const {
    return tokens_[at_ + by < tokens_.size() ? at_ + by : tokens_.size() - 1];
  }
  [[nodiscard]] std::size_t end_of_last() const;
  [[nodiscard]] bool stopped() const { return stopped_; }

  void advance() {
    if (at_ + 1 < tokens_.size()) ++at_;
  }
  bool accept(std::string_view symbol);
  // The closing bracket of `opened_by`, or what else belongs to it.
  void expect(std::string_view symbol, const Token& opened_by);

  void report(std::size_t offset, std::size_t length, std::string message, std::string hint = {});
  void fail_at(const Token& token, std::string message, std::string hint = {});
  // Another token was due; `after_operand`: an operator or the end of the expression.
  void unexpected(const Token& token, bool after_operand);

 private:
  [[nodiscard]] bool between_digits() const;  // 80,5
  [[nodiscard]] std::string hint_for(const Token& token, bool after_operand) const;

  std::vector<Token> tokens_;
  std::vector<Problem>& problems_;
  std::size_t at_ = 0;
  bool stopped_ = false;
};

}  // namespace railhead::expression
