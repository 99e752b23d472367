#include "rules/routing/template.h"

namespace railhead::routing {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_quote(char c) { return c == '"' || c == '\''; }

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// A literal prefixed r, R, br, Rb, ... takes backslashes as they are.
bool is_raw(std::string_view text, std::size_t quote) {
  bool raw = false;
  std::size_t letters = 0;
  std::size_t at = quote;
  while (at > 0 && is_letter(text[at - 1])) {
    --at;
    ++letters;
    const char c = text[at];
    if (c == 'r' || c == 'R') {
      raw = true;
    } else if (c != 'b' && c != 'B') {
      return false;
    }
  }
  return raw && letters <= 2;
}

// Behind the string literal that begins at `quote`, or kNone if nothing closes it.
std::size_t after_string(std::string_view text, std::size_t quote) {
  const bool raw = is_raw(text, quote);
  const std::string_view one = text.substr(quote, 1);
  const std::string triple(3, one[0]);
  const bool is_triple = text.substr(quote).starts_with(triple);
  const std::string_view closing = is_triple ? std::string_view(triple) : one;
  std::size_t at = quote + closing.size();
  while (at < text.size()) {
    if (text[at] == '\\' && !raw) {
      at += 2;
    } else if (text.substr(at).starts_with(closing)) {
      return at + closing.size();
    } else {
      ++at;
    }
  }
  return kNone;
}

// Where the `}` of the expression that begins at `from` stands, or kNone.
std::size_t end_of_expression(std::string_view text, std::size_t from) {
  std::size_t depth = 0;
  std::size_t at = from;
  while (at < text.size()) {
    const char c = text[at];
    if (is_quote(c)) {
      at = after_string(text, at);
      if (at == kNone) return kNone;
      continue;
    }
    if (c == '{') ++depth;
    if (c == '}') {
      if (depth == 0) return at;
      --depth;
    }
    ++at;
  }
  return kNone;
}

}  // namespace

std::vector<TemplatePart> split_template(std::string_view text, TemplateFault& fault) {
  fault = {};
  std::vector<TemplatePart> parts;
  const auto add_text = [&](std::string_view more, std::size_t offset) {
    if (more.empty()) return;
    if (parts.empty() || parts.back().kind != TemplatePart::Kind::text) {
      parts.push_back({TemplatePart::Kind::text, {}, offset});
    }
    parts.back().text += more;
  };
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t dollar = text.find('$', at);
    add_text(text.substr(at, dollar == kNone ? kNone : dollar - at), at);
    if (dollar == kNone) break;
    const std::string_view rest = text.substr(dollar);
    if (rest.starts_with("$${")) {
      add_text("${", dollar);
      at = dollar + 3;
    } else if (rest.starts_with("${")) {
      const std::size_t end = end_of_expression(text, dollar + 2);
      if (end == kNone) {
        fault = {dollar, text.size() - dollar, "nothing closes this ${"};
        return parts;
      }
      const std::string_view expression = text.substr(dollar + 2, end - dollar - 2);
      if (expression.find_first_not_of(" \t\r\n") == kNone) {
        fault = {dollar, end + 1 - dollar, "there is no expression in this ${}"};
        return parts;
      }
      parts.push_back({TemplatePart::Kind::expression, std::string(expression), dollar + 2});
      at = end + 1;
    } else {
      add_text("$", dollar);
      at = dollar + 1;
    }
  }
  return parts;
}

}  // namespace railhead::routing
