// From "end of map not found" to what a person did: the places where YAML and the expression language collide (S29),
// unclosed brackets and quotes, tabs, indentation.
#include <algorithm>
#include <optional>

#include "gateway/config/tree.h"

namespace railhead::config {
namespace {

using Kind = Entry::Kind;

bool is_blank_in_line(char byte) { return byte == ' ' || byte == '\t' || byte == '\r'; }

std::size_t line_begin(std::string_view source, std::size_t offset) {
  if (offset == 0) return 0;
  const std::size_t before = source.rfind('\n', offset - 1);
  return before == std::string_view::npos ? 0 : before + 1;
}

std::size_t line_end(std::string_view source, std::size_t offset) {
  return std::min(source.find('\n', offset), source.size());
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank_in_line(text.back())) text.remove_suffix(1);
  return text;
}

// From `offset` to the end of the line, without a comment.
std::string_view value_at(std::string_view source, std::size_t offset) {
  std::string_view line = source.substr(offset, line_end(source, offset) - offset);
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quote != '\0') {
      if (line[i] == quote) quote = '\0';
    } else if (line[i] == '"' || line[i] == '\'') {
      quote = line[i];
    } else if (line[i] == '#' && i > 0 && is_blank_in_line(line[i - 1])) {
      return trimmed(line.substr(0, i));
    }
  }
  return trimmed(line);
}

// Inside { } or [ ]: to the ',' or bracket that ends the value in the writer's mind, so brackets and quotes are
// balanced.
std::string_view flow_value_at(std::string_view source, std::size_t offset) {
  const std::string_view line = value_at(source, offset);
  int depth = 0;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char byte = line[i];
    if (quote != '\0') {
      if (byte == quote) quote = '\0';
      continue;
    }
    if (byte == '"' || byte == '\'') quote = byte;
    if (byte == '(' || byte == '[' || byte == '{') ++depth;
    if (byte == ')' || byte == ']' || byte == '}') {
      if (depth == 0) return trimmed(line.substr(0, i));
      --depth;
    }
    if (byte == ',' && depth == 0) return trimmed(line.substr(0, i));
  }
  return line;
}

std::size_t indentation(std::string_view source, std::size_t line) {
  std::size_t count = 0;
  while (line + count < source.size() && source[line + count] == ' ') ++count;
  return count;
}

bool is_empty_line(std::string_view source, std::size_t line) {
  return trimmed(source.substr(line, line_end(source, line) - line)).empty();
}

SyntaxFault quote_it(std::string_view source, std::size_t offset, std::string_view value, std::string message) {
  return {static_cast<std::size_t>(offset), std::max<std::size_t>(1, std::min(value.size(), source.size() - offset)),
          std::move(message), "put the whole value in quotes: " + in_quotes(value)};
}

SyntaxFault no_end_of_template(std::size_t offset, std::size_t length) {
  return {offset, length, "nothing closes this ${", "end it with }; a literal ${ is written $${"};
}

// A ${ on the line of `offset` that took the bracket at the end for its own, and fields of the map with it.
std::optional<SyntaxFault> greedy_template(std::string_view source, std::size_t offset) {
  const std::string plain = unshielded(std::string(source.substr(offset, line_end(source, offset) - offset)));
  const std::string_view line = plain;
  for (std::size_t at = line.find("${"); at != std::string_view::npos; at = line.find("${", at + 2)) {
    const std::size_t end = line.find_first_of("{}", at + 2);
    const std::string_view inside = line.substr(at, end == std::string_view::npos ? end : end - at);
    const std::size_t comma = inside.find(',');
    if (comma == std::string_view::npos || inside.find(": ", comma) == std::string_view::npos) continue;
    return no_end_of_template(offset + at, comma);
  }
  return {};
}

SyntaxFault not_closed(std::string_view source, const Entry& open) {
  if (const std::optional<SyntaxFault> inner = greedy_template(source, open.offset)) return *inner;
  const char bracket = source[open.offset];
  if (bracket != '{' && bracket != '[') return {open.offset, 1, "a bracket is not closed", {}};
  return {open.offset, 1, std::string("this '") + bracket + "' is not closed",
          std::string("add '") + (bracket == '{' ? '}' : ']') + "'; a text with brackets or ':' in it needs quotes"};
}

bool is_quoted(const Entry& entry) {
  return entry.writing == Writing::single_quoted || entry.writing == Writing::double_quoted;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char byte : unshielded(std::string(text))) {
    out += byte;
    if (byte == '\'') out += byte;
  }
  return out + "'";
}

std::size_t end_of_quoted(std::string_view source, std::size_t offset) {
  const char quote = source[offset];
  for (std::size_t i = offset + 1; i < source.size(); ++i) {
    if (quote == '"' && source[i] == '\\') {
      ++i;
    } else if (source[i] == quote) {
      if (quote == '\'' && i + 1 < source.size() && source[i + 1] == '\'') {
        ++i;
      } else {
        return i + 1;
      }
    }
  }
  return std::string_view::npos;
}

SyntaxFault explain(std::string_view source, const SyntaxFailure& failure) {
  const std::size_t at = std::min(failure.offset, source.size());
  const std::size_t line = line_begin(source, at);
  const std::string_view message = failure.message;
  const char byte = at < source.size() ? source[at] : '\0';
  const Entry* last = failure.last;
  const Entry* open = failure.open;
  const bool in_flow = open != nullptr && open->writing == Writing::flow;
  const bool last_is_here = last != nullptr && last->offset >= line && last->offset < at;

  const std::size_t indent = indentation(source, line);
  if (message.find("tab") != std::string_view::npos ||
      (line + indent < source.size() && source[line + indent] == '\t')) {
    return {line + indent, 1, "a tab in the indentation", "YAML takes blanks only"};
  }
  if (message.find("anchor") != std::string_view::npos && byte == '*') {
    return {at, trimmed(value_at(source, at)).size(), "'*' begins a YAML alias: aliases are not taken here",
            "a text or an expression that begins with '*' needs quotes: " + in_quotes(value_at(source, at))};
  }
  if (in_flow && source.find_first_not_of(" \t\r\n", at) == std::string_view::npos) return not_closed(source, *open);
  // "a" == b, [1, 2].size(), {x: 1}.y
  if (last_is_here && (is_quoted(*last) || last->kind == Kind::list || last->kind == Kind::map)) {
    const std::string_view value = in_flow ? flow_value_at(source, last->offset) : value_at(source, last->offset);
    return quote_it(source, last->offset, value,
                    is_quoted(*last) ? "text behind the closing quote" : "text behind the closing bracket");
  }
  if (in_flow && byte == '{' && at > 0 && source[at - 1] == '$') return no_end_of_template(at - 1, 2);
  // Inside braces: { when: a ? b : c }, { x: m["k"] }
  if (in_flow && last_is_here && last->kind == Kind::scalar && byte != '\0' &&
      std::string_view("?:[]{}\"'").find(byte) != std::string_view::npos) {
    return quote_it(source, last->offset, flow_value_at(source, last->offset),
                    "inside { } and [ ] a value with '" + std::string(1, byte) + "' needs quotes");
  }
  if (in_flow && open->offset < line) {
    if (const std::optional<SyntaxFault> inner = greedy_template(source, open->offset)) return *inner;
    const char bracket = source[open->offset];
    return {open->offset, 1, std::string("this '") + bracket + "' is not closed before the next line's field",
            std::string("add '") + (bracket == '{' ? '}' : ']') + "', or separate with ','"};
  }
  if (in_flow) return not_closed(source, *open);
  if (message.find("illegal map value") != std::string_view::npos) {
    // when: a ? b : c
    if (last_is_here && last->kind == Kind::scalar) {
      return quote_it(source, last->offset, value_at(source, last->offset),
                      "a ':' with a blank behind it inside a value");
    }
    const std::string_view key = value_at(source, line + indent);
    return {line + indent, std::max<std::size_t>(1, key.size()), "a field where the text of the line above goes on",
            "check the indentation, or whether the line above already has a value"};
  }
  if (message.find("unknown token") != std::string_view::npos) {
    return quote_it(source, at, value_at(source, at), std::string("a value cannot begin with '") + byte + "'");
  }
  if (message.find("escape") != std::string_view::npos) {
    const std::size_t backslash = source.rfind('\\', at);
    const std::size_t from = backslash != std::string_view::npos && backslash >= line ? backslash : at;
    return {from, 2, "no such escape in a double-quoted text", "write \\\\ for a backslash, or use single quotes"};
  }
  if (message.find("illegal block entry") != std::string_view::npos) {
    return {at, 1, "a list cannot begin on the line of its key", "begin '- ' on the next line, or write [a, b]"};
  }
  if (message.find("end of map not found") != std::string_view::npos ||
      message.find("end of sequence not found") != std::string_view::npos) {
    return {at, std::max<std::size_t>(1, value_at(source, at).size()), "this does not belong to what stands above",
            "check the indentation"};
  }
  return {at, 1, "not YAML: " + failure.message, {}};
}

namespace {

// Control characters stand in no file (they are refused before); 4 is left out, the parser takes it for the end.
constexpr std::string_view kMarks = "{}[],\"':?#";
constexpr std::string_view kShields = "\x01\x02\x03\x05\x06\x0e\x0f\x10\x11\x12";
static_assert(kMarks.size() == kShields.size());

}  // namespace

bool shield_template(std::string& source, const SyntaxFailure& failure) {
  const std::size_t at = failure.offset;
  const bool in_flow = failure.open != nullptr && failure.open->writing == Writing::flow;
  if (!in_flow || at == 0 || at >= source.size() || source[at] != '{' || source[at - 1] != '$') return false;
  int depth = 0;
  for (std::size_t end = at; end < source.size() && source[end] != '\n'; ++end) {
    if (source[end] == '{') ++depth;
    if (source[end] != '}' || --depth > 0) continue;
    for (std::size_t i = at; i <= end; ++i) {
      if (const std::size_t mark = kMarks.find(source[i]); mark != std::string_view::npos) source[i] = kShields[mark];
    }
    return true;
  }
  return false;
}

std::string unshielded(std::string text) {
  for (char& byte : text) {
    if (const std::size_t mark = kShields.find(byte); mark != std::string_view::npos) byte = kMarks[mark];
  }
  return text;
}

bool blank_out(std::string& source, const SyntaxFault& fault, std::pair<std::size_t, std::size_t>& hole) {
  const std::size_t line = line_begin(source, fault.offset);
  const std::size_t indent = indentation(source, line);
  std::size_t begin = std::min(fault.offset, source.size());
  // From the value on, if "key: " or "- " stands before it on the line; otherwise the whole line.
  const std::string_view line_text = std::string_view(source).substr(line, line_end(source, line) - line);
  const std::size_t colon = line_text.find(": ");
  const std::size_t key_end = colon != std::string_view::npos ? line + colon + 2 : line + indent;
  const bool dash = line_text.substr(std::min(indent, line_text.size())).starts_with("- ");
  if (colon != std::string_view::npos && begin >= key_end && line_text.find_first_of("{[") > colon &&
      line_text.find_first_of("\"'") > colon) {
    begin = key_end;
  } else if (dash && begin >= line + indent + 2) {
    begin = line + indent + 2;
  } else {
    begin = line;
  }
  std::size_t end = line_end(source, line);
  if (trimmed(std::string_view(source).substr(begin, end - begin)).empty()) begin = line;
  while (end < source.size()) {
    const std::size_t next = end + 1;
    if (next >= source.size()) break;
    const bool deeper = indentation(source, next) > indent;
    if (!deeper && !is_empty_line(source, next)) break;
    if (source.find_first_not_of(" \t\r\n", next) == std::string::npos) break;
    end = line_end(source, next);
  }
  hole = {begin, end};
  bool changed = false;
  for (std::size_t i = begin; i < end; ++i) {
    if (source[i] == '\n' || source[i] == ' ' || source[i] == '\r') continue;
    source[i] = ' ';
    changed = true;
  }
  return changed;
}

}  // namespace railhead::config
