#include "gateway/config/expression_text.h"

#include <algorithm>

#include "gateway/config/scalars.h"
#include "gateway/config/tree.h"

namespace railhead::config {
namespace {

bool is_blank(char byte) { return byte == ' ' || byte == '\t' || byte == '\r'; }

// Brackets or quotes left open, or an operator at the end: something must have followed.
bool is_unfinished(std::string_view text) {
  int depth = 0;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char byte = text[i];
    if (quote != '\0') {
      if (byte == '\\') ++i;
      if (byte == quote) quote = '\0';
    } else if (byte == '"' || byte == '\'') {
      quote = byte;
    } else if (byte == '(' || byte == '[' || byte == '{') {
      ++depth;
    } else if (byte == ')' || byte == ']' || byte == '}') {
      --depth;
    }
  }
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  const bool operator_last =
      !text.empty() && std::string_view("+-*/%<>=&|!?:.,").find(text.back()) != std::string_view::npos;
  return depth > 0 || quote != '\0' || operator_last;
}

// Does a comment follow this plain scalar on its line?
bool comment_follows(const Node& node) {
  std::string_view rest = node.rest_of_line();
  rest.remove_prefix(std::min(rest.size(), node.length()));
  const std::size_t next = rest.find_first_not_of(" \t");
  return next != std::string_view::npos && next > 0 && rest[next] == '#';
}

}  // namespace

std::optional<std::string> expression_text(const Node& node, Diagnostics& diagnostics) {
  if (!node.present() || node.is_broken()) return std::nullopt;
  if (node.is_null()) {
    if (node.rest_of_line().starts_with("null")) return "null";
    diagnostics.error(node, "an expression is due here", "a text is written '\"like this\"', no value is null");
    return std::nullopt;
  }
  if (is_indirect(node)) return read_text(node, "an expression", diagnostics);
  if (!node.is_scalar()) {
    std::string hint;
    if (node.writing() == Writing::flow) {
      const std::string_view line = node.rest_of_line();
      const std::string_view value = line.substr(0, line.find(" #"));
      const char closing = node.is_list() ? ']' : '}';
      if (value.ends_with(closing)) hint = "if this is an expression, put it in quotes: " + in_quotes(value);
    }
    diagnostics.error(node, "expected an expression, not " + std::string(node.kind_name()), std::move(hint));
    return std::nullopt;
  }
  if (node.writing() == Writing::plain && comment_follows(node) && is_unfinished(node.text())) {
    diagnostics.error(node, "' #' begins a comment: the expression is cut short here",
                      "put the whole expression in quotes: " + in_quotes(node.rest_of_line()));
    return std::nullopt;
  }
  if (node.text().find_first_not_of(" \t\r\n") == std::string_view::npos) {
    diagnostics.error(node, "the expression is empty", node.quoted() ? "an empty text is '\"\"'" : "");
    return std::nullopt;
  }
  return std::string(node.text());
}

std::string literal_hint(const Node& node) {
  if (!node.quoted()) return {};
  const bool word = std::all_of(node.text().begin(), node.text().end(), [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '_' || byte == '-' || byte == ' ' || static_cast<unsigned char>(byte) >= 0x80;
  });
  if (!word || node.text().empty()) return {};
  return "YAML takes these quotes away: as a text write " + in_quotes("\"" + std::string(node.text()) + "\"");
}

}  // namespace railhead::config
