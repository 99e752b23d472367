#include "rules/expression/functions/format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "rules/expression/functions/utf8.h"

namespace railhead::expression {
namespace {

using Failure = std::optional<Value>;

Failure wrong_clause(std::string_view clause, const Value& argument) {
  return Value::error("error during formatting: " + std::string(clause) + ", was given " +
                      std::string(cel_type_name(argument.kind())));
}

void append_lossy(std::string_view bytes, std::string& out) {
  bool replaced = false;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t length = utf8_valid_length_at(bytes, i);
    if (length > 0) {
      out.append(bytes, i, length);
    } else if (!replaced) {
      out += "\xEF\xBF\xBD";
    }
    replaced = length == 0;
    i += std::max<std::size_t>(1, length);
  }
}

// %s. Recursion is bounded by kFormatDepthMax.
Failure append_string(const Value& value, std::size_t depth, Work& work, std::string& out) {
  if (depth > kFormatDepthMax) return Value::error("the value is nested too deeply to be formatted");
  if (out.size() > kTextValueMax) return too_large();
  if (!work.charge(1)) return too_much_work();
  switch (value.kind()) {
    case Kind::null: out += "null"; return std::nullopt;
    case Kind::string:
    case Kind::bytes:
      if (!work.charge_bytes(value.as_text().size())) return too_much_work();
      append_lossy(value.as_text(), out);
      return std::nullopt;
    case Kind::list: {
      out.push_back('[');
      bool first = true;
      for (const Value& item : value.as_list()) {
        if (!first) out += ", ";
        first = false;
        if (Failure failure = append_string(item, depth + 1, work, out)) return failure;
      }
      out.push_back(']');
      return std::nullopt;
    }
    case Kind::map: {
      std::vector<std::pair<std::string, const Value*>> entries;
      for (const Value::Entry& entry : value.as_map()) {
        std::string key;
        if (Failure failure = append_string(entry.first, depth + 1, work, key)) return failure;
        entries.emplace_back(std::move(key), &entry.second);
      }
      std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      out.push_back('{');
      bool first = true;
      for (const auto& [key, item] : entries) {
        if (!first) out += ", ";
        first = false;
        out += key + ": ";
        if (Failure failure = append_string(*item, depth + 1, work, out)) return failure;
      }
      out.push_back('}');
      return std::nullopt;
    }
    default: break;
  }
  const std::optional<std::string> text = text_of(value);
  if (!text) return wrong_clause("string clause cannot be used here", value);
  out += *text;
  return std::nullopt;
}

Failure append_decimal(const Value& value, std::string& out) {
  if (!value.is_number()) return wrong_clause("decimal clause can only be used on integers", value);
  out += *text_of(value);
  return std::nullopt;
}

Failure append_real(const Value& value, char clause, std::size_t precision, std::string& out) {
  const bool fixed = clause == 'f';
  if (!value.is_number()) {
    return wrong_clause(
        fixed ? "fixed-point clause can only be used on doubles" : "scientific clause can only be used on doubles",
        value);
  }
  const double number = value.to_real();
  if (!std::isfinite(number)) {
    out += base::shortest(number);
    return std::nullopt;
  }
  std::array<char, 512> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), number,
                    fixed ? std::chars_format::fixed : std::chars_format::scientific, static_cast<int>(precision));
  if (error != std::errc{}) return too_large();
  out.append(text.data(), end);
  return std::nullopt;
}

Failure append_in_base(const Value& value, char clause, std::string& out) {
  const int base = clause == 'b' ? 2 : clause == 'o' ? 8 : 16;
  const auto upper = [&](std::string text) {
    if (clause == 'X') {
      std::transform(text.begin(), text.end(), text.begin(),
                     [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 0x20) : c; });
    }
    return text;
  };
  std::array<char, 70> text{};
  char* end = text.data();
  if (value.is(Kind::integer)) {
    end = std::to_chars(text.data(), text.data() + text.size(), value.as_integer(), base).ptr;
  } else if (value.is(Kind::uinteger)) {
    end = std::to_chars(text.data(), text.data() + text.size(), value.as_uinteger(), base).ptr;
  } else if (value.is(Kind::boolean) && clause == 'b') {
    out += value.as_boolean() ? "1" : "0";
    return std::nullopt;
  } else if ((value.is(Kind::string) || value.is(Kind::bytes)) && base == 16) {
    if (value.as_text().size() > kTextValueMax / 2) return too_large();
    out += upper(base::to_hex(value.as_text()));
    return std::nullopt;
  } else if (clause == 'b') {
    return wrong_clause("only integers and bools can be formatted as binary", value);
  } else if (clause == 'o') {
    return wrong_clause("octal clause can only be used on integers", value);
  } else {
    return wrong_clause("only integers, byte buffers, and strings can be formatted as hex", value);
  }
  out += upper(std::string(text.data(), end));
  return std::nullopt;
}

}  // namespace

Value format_text(std::string_view format, std::span<const Value> arguments, Work& work) {
  std::string out;
  std::size_t next = 0;
  if (!work.charge_bytes(format.size())) return too_much_work();
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out.push_back(format[i]);
      continue;
    }
    if (++i < format.size() && format[i] == '%') {
      out.push_back('%');
      continue;
    }
    std::size_t precision = 6;
    bool precise = false;
    if (i < format.size() && format[i] == '.') {
      const char* const from = format.data() + i + 1;
      const auto [end, error] = std::from_chars(from, format.data() + format.size(), precision);
      if (error != std::errc{} || precision > kPrecisionMax) {
        return Value::error("could not parse formatting clause: a precision is 0 to " + std::to_string(kPrecisionMax));
      }
      i += static_cast<std::size_t>(end - from) + 1;
      precise = true;
    }
    if (i >= format.size()) return Value::error("could not parse formatting clause: unexpected end of the format");
    const char clause = format[i];
    const bool known = std::string_view("sdfebxXo").find(clause) != std::string_view::npos;
    if (!known || (precise && clause != 'f' && clause != 'e')) {
      return Value::error("could not parse formatting clause: unrecognized formatting clause \"" +
                          std::string(format.substr(i, utf8_length_at(format, i))) + "\"");
    }
    if (next >= arguments.size()) return Value::error("index " + std::to_string(next) + " out of range");
    const Value& argument = arguments[next++];
    Failure failure;
    switch (clause) {
      case 's': failure = append_string(argument, 0, work, out); break;
      case 'd': failure = append_decimal(argument, out); break;
      case 'f':
      case 'e': failure = append_real(argument, clause, precision, out); break;
      default: failure = append_in_base(argument, clause, out); break;
    }
    if (failure) return *failure;
    if (out.size() > kTextValueMax) return too_large();
    if (!work.charge(4)) return too_much_work();
  }
  return Value::text(out);
}

}  // namespace railhead::expression
