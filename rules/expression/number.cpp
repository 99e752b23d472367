#include "rules/expression/number.h"

#include <limits>
#include <string>

#include "gateway/base/text.h"

namespace railhead::expression {
namespace {

Value real_value(std::string_view text, bool negative) {
  const std::string digits = (text.starts_with('.') ? "0" : "") + std::string(text);
  double number = 0;
  if (const std::optional<double> real = base::parse_double(digits)) {
    number = *real;
  } else if (digits.find("e-") == std::string::npos && digits.find("E-") == std::string::npos) {
    number = std::numeric_limits<double>::infinity();
  }
  return Value::real(negative ? -number : number);
}

}  // namespace

std::optional<Value> number_value(std::string_view text, TokenKind kind, bool negative) {
  if (kind == TokenKind::real) return real_value(text, negative);
  std::uint64_t magnitude = 0;
  const bool hex = text.size() > 2 && (text[1] | 0x20) == 'x';
  for (const char c : text.substr(hex ? 2 : 0)) {
    const unsigned digit = c <= '9' ? static_cast<unsigned>(c - '0') : static_cast<unsigned>((c | 0x20) - 'a' + 10);
    if (__builtin_mul_overflow(magnitude, std::uint64_t{hex ? 16u : 10u}, &magnitude) ||
        __builtin_add_overflow(magnitude, std::uint64_t{digit}, &magnitude)) {
      return std::nullopt;
    }
  }
  if (kind == TokenKind::uinteger) return Value::uinteger(magnitude);
  constexpr std::uint64_t kHighest = 0x7fff'ffff'ffff'ffff;
  if (magnitude > kHighest + (negative ? 1 : 0)) return std::nullopt;
  return Value::integer(static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude));
}

}  // namespace railhead::expression
