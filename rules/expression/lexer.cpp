#include "rules/expression/lexer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "gateway/base/bytes.h"
#include "rules/expression/functions/utf8.h"

namespace railhead::expression {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool continues_name(char c) { return starts_name(c) || is_digit(c); }
std::uint32_t hex_digit(char c) {
  if (is_digit(c)) return static_cast<std::uint32_t>(c - '0');
  return static_cast<std::uint32_t>((c | 0x20) - 'a' + 10);
}

constexpr std::array<std::string_view, 6> kDoubleSymbols{"==", "!=", "<=", ">=", "&&", "||"};
constexpr std::string_view kSingleSymbols = "<>+-*/%!?:.,()[]{}=";

class Lexer {
 public:
  Lexer(std::string_view text, std::vector<Problem>& problems) : text_(text), problems_(problems) {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    for (;;) {
      skip_blank();
      if (at_ >= text_.size() || reported_ >= kTokenProblemsMax) break;
      const std::size_t from = at_;
      Token token;
      token.offset = from;
      if (next(token)) {
        token.length = at_ - from;
        tokens.push_back(std::move(token));
      }
      if (at_ == from) ++at_;
    }
    Token last;
    last.offset = text_.size();
    tokens.push_back(std::move(last));
    return tokens;
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }

  void problem(std::size_t offset, std::size_t length, std::string message, std::string hint = {}) {
    ++reported_;
    problems_.push_back({offset, std::max<std::size_t>(length, 1), std::move(message), std::move(hint), false});
  }

  void skip_blank() {
    for (;;) {
      const char c = peek();
      if (at_ < text_.size() && (c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r')) {
        ++at_;
      } else if (c == '/' && peek(1) == '/') {
        at_ = std::min(text_.size(), text_.find('\n', at_));
      } else {
        return;
      }
    }
  }

  bool next(Token& token) {
    const char c = peek();
    if (const std::size_t prefix = string_prefix(); prefix != std::string_view::npos) return take_string(token, prefix);
    if (starts_name(c)) return take_name(token);
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return take_number(token);
    if (c == '`') return take_quoted_name(token);
    for (const std::string_view symbol : kDoubleSymbols) {
      if (rest().starts_with(symbol)) return take_symbol(token, symbol);
    }
    if (kSingleSymbols.find(c) != std::string_view::npos) return take_symbol(token, rest().substr(0, 1));
    return foreign_character(token);
  }

  bool take_symbol(Token& token, std::string_view symbol) {
    token.kind = TokenKind::symbol;
    token.text = symbol;
    at_ += symbol.size();
    return true;
  }

  bool foreign_character(Token& token) {
    const char c = peek();
    if (c == '&' || c == '|') {
      const std::string both(2, c);
      problem(at_, 1, std::string("'") + c + "' is no operator", "write '" + both + "'");
      take_symbol(token, both);
      --at_;
      return true;
    }
    const std::size_t length = std::max<std::size_t>(1, utf8_length_at(text_, at_));
    const std::string_view character = text_.substr(at_, length);
    const bool typographic = character == "\xE2\x80\x9C" || character == "\xE2\x80\x9D" ||
                             character == "\xE2\x80\x98" || character == "\xE2\x80\x99" || character == "\xE2\x80\x9E";
    std::string hint;
    if (typographic) hint = "write a plain quote: \" or '";
    if (c == '$') hint = "inside an expression a variable is named without '$'";
    if (character == "\xC2\xB0") hint = "a number stands without its unit";
    if (c == ';') hint = "one expression has no ';'";
    const bool printable = static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && base::is_utf8(character);
    problem(at_, length,
            printable ? "unexpected character '" + std::string(character) + "'" : "unexpected control character", hint);
    at_ += length;
    return false;
  }

  bool take_name(Token& token) {
    const std::size_t from = at_;
    while (continues_name(peek())) ++at_;
    token.kind = TokenKind::identifier;
    token.text = text_.substr(from, at_ - from);
    return true;
  }

  bool take_quoted_name(Token& token) {
    const std::size_t from = at_++;
    while (continues_name(peek()) || peek() == '.' || peek() == '-' || peek() == '/' || peek() == ' ') ++at_;
    if (peek() != '`' || at_ == from + 1) {
      problem(from, at_ - from, "a back-quoted name holds letters, digits and _ . - / and blanks, and ends with `",
              "for other names write [\"...\"]");
      at_ = std::min(text_.size(), std::max(at_, text_.find('`', at_)));
      if (at_ < text_.size()) ++at_;
      return false;
    }
    token.kind = TokenKind::quoted_identifier;
    token.text = text_.substr(from + 1, at_ - from - 1);
    ++at_;
    return true;
  }

  bool take_number(Token& token) {
    const std::size_t from = at_;
    token.kind = TokenKind::integer;
    if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X') && is_hex(peek(2))) {
      at_ += 2;
      while (is_hex(peek())) ++at_;
    } else {
      while (is_digit(peek())) ++at_;
      if (peek() == '.' && is_digit(peek(1))) {
        token.kind = TokenKind::real;
        ++at_;
        while (is_digit(peek())) ++at_;
      }
      const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
      if ((peek() == 'e' || peek() == 'E') && is_digit(peek(1 + sign))) {
        token.kind = TokenKind::real;
        at_ += 1 + sign;
        while (is_digit(peek())) ++at_;
      }
    }
    token.text = text_.substr(from, at_ - from);
    if (token.kind == TokenKind::integer && (peek() == 'u' || peek() == 'U')) {
      token.kind = TokenKind::uinteger;
      ++at_;
    }
    if (continues_name(peek())) {
      const std::size_t tail = at_;
      while (continues_name(peek())) ++at_;
      problem(from, at_ - from, "a number ends before '" + std::string(text_.substr(tail, at_ - tail)) + "'",
              "a number has no unit; durations are written duration(\"5s\")");
    }
    return true;
  }

  // Number of prefix letters if a string literal begins here, npos otherwise.
  [[nodiscard]] std::size_t string_prefix() const {
    std::size_t letters = 0;
    bool raw = false;
    bool octets = false;
    for (; letters < 2; ++letters) {
      const char c = peek(letters);
      if ((c == 'r' || c == 'R') && !raw) {
        raw = true;
      } else if ((c == 'b' || c == 'B') && !octets && !raw) {
        octets = true;
      } else {
        break;
      }
    }
    const char quote = peek(letters);
    return quote == '"' || quote == '\'' ? letters : std::string_view::npos;
  }

  bool take_string(Token& token, std::size_t prefix) {
    const std::size_t from = at_;
    bool raw = false;
    token.kind = TokenKind::string;
    for (std::size_t i = 0; i < prefix; ++i) {
      if ((peek(i) | 0x20) == 'r') raw = true;
      if ((peek(i) | 0x20) == 'b') token.kind = TokenKind::bytes;
    }
    at_ += prefix;
    const char quote = peek();
    const bool triple = peek(1) == quote && peek(2) == quote;
    const std::string closing(triple ? 3 : 1, quote);
    at_ += closing.size();
    for (;;) {
      if (at_ >= text_.size() || (!triple && (peek() == '\n' || peek() == '\r'))) {
        problem(from, at_ - from, "a text without its closing " + closing,
                at_ < text_.size() ? "a text over several lines is written between \"\"\"" : "");
        return true;
      }
      if (rest().starts_with(closing)) {
        at_ += closing.size();
        break;
      }
      if (peek() == '\\' && !raw) {
        take_escape(token);
      } else {
        token.text.push_back(peek());
        ++at_;
      }
    }
    if (token.kind == TokenKind::string && !base::is_utf8(token.text)) {
      problem(from, at_ - from, "a text must be UTF-8", "write b\"...\" for bytes");
    }
    return true;
  }

  void take_escape(Token& token) {
    const std::size_t from = at_++;
    const char c = peek();
    ++at_;
    const bool octets = token.kind == TokenKind::bytes;
    constexpr std::string_view kNames = "abfnrtv\\?\"'`";
    constexpr std::string_view kMeans = "\a\b\f\n\r\t\v\\?\"'`";
    if (const std::size_t known = kNames.find(c); c != '\0' && known != std::string_view::npos) {
      token.text.push_back(kMeans[known]);
      return;
    }
    std::optional<std::uint32_t> code;
    if (c == 'x' || c == 'X') {
      code = take_hex(2);
    } else if (c == 'u' && !octets) {
      code = take_hex(4);
    } else if (c == 'U' && !octets) {
      code = take_hex(8);
    } else if (c >= '0' && c <= '3' && peek() >= '0' && peek() <= '7' && peek(1) >= '0' && peek(1) <= '7') {
      code = static_cast<std::uint32_t>((c - '0') * 64 + (peek() - '0') * 8 + (peek(1) - '0'));
      at_ += 2;
    } else {
      at_ = std::min(at_, text_.size());
      problem(from, at_ - from, "unknown escape '" + std::string(text_.substr(from, at_ - from)) + "'",
              "a backslash itself is written \\\\; in a raw text r\"...\" it needs no escape");
      return;
    }
    if (!code) {
      problem(from, at_ - from, "an escape with too few hexadecimal digits", "\\x takes 2, \\u 4 and \\U 8 of them");
    } else if (octets) {
      token.text.push_back(static_cast<char>(*code));
    } else if (*code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff)) {
      problem(from, at_ - from, "no Unicode character has this number",
              "characters beyond \\uFFFF are written \\U0001F600");
    } else {
      append_utf8(*code, token.text);
    }
  }

  std::optional<std::uint32_t> take_hex(std::size_t digits) {
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (!is_hex(peek())) return std::nullopt;
      code = code * 16 + hex_digit(peek());
      ++at_;
    }
    return code;
  }

  std::string_view text_;
  std::vector<Problem>& problems_;
  std::size_t at_ = 0;
  std::size_t reported_ = 0;
};

constexpr std::array<std::string_view, 4> kKeywords{"false", "in", "null", "true"};
constexpr std::array<std::string_view, 17> kReserved{"as",        "break",  "const",  "continue", "else", "for",
                                                     "function",  "if",     "import", "let",      "loop", "package",
                                                     "namespace", "return", "var",    "void",     "while"};

}  // namespace

std::vector<Token> tokenize(std::string_view text, std::vector<Problem>& problems) {
  return Lexer(text, problems).run();
}

bool is_keyword(std::string_view word) {
  return std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
}
bool is_reserved(std::string_view word) {
  return std::find(kReserved.begin(), kReserved.end(), word) != kReserved.end();
}

}  // namespace railhead::expression
