// Functions over strings: the standard ones and the strings extension. Positions count code points.
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "rules/expression/functions/format.h"
#include "rules/expression/functions/function.h"
#include "rules/expression/functions/utf8.h"

namespace railhead::expression {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// Linear in the worst case too, unlike string_view::find.
std::size_t find_text(std::string_view text, std::string_view wanted, std::size_t from = 0) {
  if (from > text.size()) return kNone;
  const void* found = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
  return found == nullptr ? kNone : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

bool all_text(Arguments arguments) {
  for (const Value& argument : arguments) {
    if (!argument.is(Kind::string)) return false;
  }
  return true;
}

// Both texts are read once.
bool charge_texts(Arguments arguments, Work& work) {
  std::size_t bytes = 0;
  for (const Value& argument : arguments) bytes += argument.is(Kind::string) ? argument.as_text().size() : 0;
  return work.charge_bytes(bytes);
}

Value characters(std::size_t count) { return Value::integer(static_cast<std::int64_t>(count)); }

Value contains_text(Arguments arguments, Work& work) {
  if (!all_text(arguments)) return no_overload("contains", arguments);
  if (!charge_texts(arguments, work)) return too_much_work();
  return Value::boolean(find_text(arguments[0].as_text(), arguments[1].as_text()) != kNone);
}

Value starts_with(Arguments arguments, Work& work) {
  if (!all_text(arguments)) return no_overload("startsWith", arguments);
  if (!work.charge_bytes(arguments[1].as_text().size())) return too_much_work();
  return Value::boolean(arguments[0].as_text().starts_with(arguments[1].as_text()));
}

Value ends_with(Arguments arguments, Work& work) {
  if (!all_text(arguments)) return no_overload("endsWith", arguments);
  if (!work.charge_bytes(arguments[1].as_text().size())) return too_much_work();
  return Value::boolean(arguments[0].as_text().ends_with(arguments[1].as_text()));
}

Value char_at(Arguments arguments, Work& work) {
  if (!arguments[0].is(Kind::string) || !arguments[1].is(Kind::integer)) return no_overload("charAt", arguments);
  const std::string_view text = arguments[0].as_text();
  const std::int64_t index = arguments[1].as_integer();
  if (!work.charge_bytes(text.size())) return too_much_work();
  if (index < 0 || static_cast<std::uint64_t>(index) > text.size()) return index_out_of_range(index);
  const std::size_t offset = utf8_offset(text, static_cast<std::size_t>(index));
  if (offset == kNone) return index_out_of_range(index);
  return Value::text(text.substr(offset, utf8_length_at(text, offset)));
}

// (text, wanted[, position]) of both searches; an error value if they are wrong.
struct TextSearch {
  std::string_view text;
  std::string_view wanted;
  std::int64_t position = 0;
  std::size_t offset = 0;  // of the position, in bytes
};
std::optional<Value> read_search(std::string_view name, Arguments arguments, Work& work, TextSearch& search) {
  const bool placed = arguments.size() == 3;
  if (!all_text(arguments.first(2)) || (placed && !arguments[2].is(Kind::integer))) return no_overload(name, arguments);
  if (!charge_texts(arguments, work)) return too_much_work();
  search.text = arguments[0].as_text();
  search.wanted = arguments[1].as_text();
  if (!placed) return std::nullopt;
  search.position = arguments[2].as_integer();
  if (search.position < 0 || static_cast<std::uint64_t>(search.position) > search.text.size()) {
    return index_out_of_range(search.position);
  }
  search.offset = utf8_offset(search.text, static_cast<std::size_t>(search.position));
  return search.offset == kNone ? std::optional(index_out_of_range(search.position)) : std::nullopt;
}

Value index_of(Arguments arguments, Work& work) {
  TextSearch search;
  if (auto error = read_search("indexOf", arguments, work, search)) return *error;
  const std::size_t found = find_text(search.text, search.wanted, search.offset);
  return found == kNone ? Value::integer(-1) : characters(utf8_count(search.text.substr(0, found)));
}

Value last_index_of(Arguments arguments, Work& work) {
  TextSearch search;
  if (auto error = read_search("lastIndexOf", arguments, work, search)) return *error;
  const bool placed = arguments.size() == 3;
  if (search.wanted.empty()) return placed ? Value::integer(search.position) : characters(utf8_count(search.text));
  if (placed && search.offset == search.text.size()) return index_out_of_range(search.position);
  std::size_t last = kNone;
  for (std::size_t found = find_text(search.text, search.wanted); found != kNone;
       found = find_text(search.text, search.wanted, found + 1)) {
    if (placed && found > search.offset) break;
    last = found;
    if (!work.charge(1 + search.wanted.size() / 16)) return too_much_work();
  }
  return last == kNone ? Value::integer(-1) : characters(utf8_count(search.text.substr(0, last)));
}

template <char from, char to>
Value change_case(std::string_view name, Arguments arguments, Work& work) {
  if (!arguments[0].is(Kind::string)) return no_overload(name, arguments);
  if (!work.charge_bytes(arguments[0].as_text().size())) return too_much_work();
  std::string text(arguments[0].as_text());
  for (char& c : text) {
    if (c >= from && c <= to) c = static_cast<char>(c ^ 0x20);
  }
  return Value::text(text);
}
Value lower_ascii(Arguments arguments, Work& work) { return change_case<'A', 'Z'>("lowerAscii", arguments, work); }
Value upper_ascii(Arguments arguments, Work& work) { return change_case<'a', 'z'>("upperAscii", arguments, work); }

Value replace(Arguments arguments, Work& work) {
  const bool limited = arguments.size() == 4;
  if (!all_text(arguments.first(3)) || (limited && !arguments[3].is(Kind::integer))) {
    return no_overload("replace", arguments);
  }
  const std::string_view text = arguments[0].as_text();
  const std::string_view old_text = arguments[1].as_text();
  const std::string_view new_text = arguments[2].as_text();
  std::int64_t left = limited ? arguments[3].as_integer() : -1;
  if (!charge_texts(arguments, work)) return too_much_work();
  std::string result;
  std::size_t from = 0;
  for (bool first = true; left != 0; first = false) {
    std::size_t found = kNone;
    if (!old_text.empty()) {
      found = find_text(text, old_text, from);
    } else if (first) {
      found = 0;  // an empty text is found before each character and at the end
    } else if (from < text.size()) {
      found = from + utf8_length_at(text, from);
    }
    if (found == kNone) break;
    if (result.size() + (found - from) + new_text.size() > kTextValueMax) return too_large();
    if (!work.charge(1 + (found - from + new_text.size()) / 16)) return too_much_work();
    result.append(text, from, found - from).append(new_text);
    from = found + old_text.size();
    if (left > 0) --left;
  }
  if (result.size() + (text.size() - from) > kTextValueMax) return too_large();
  return Value::text(result.append(text.substr(from)));
}

Value split(Arguments arguments, Work& work) {
  const bool limited = arguments.size() == 3;
  if (!all_text(arguments.first(2)) || (limited && !arguments[2].is(Kind::integer))) {
    return no_overload("split", arguments);
  }
  const std::string_view text = arguments[0].as_text();
  const std::string_view separator = arguments[1].as_text();
  const std::int64_t limit = limited ? arguments[2].as_integer() : -1;
  if (!charge_texts(arguments, work)) return too_much_work();
  Value::List parts;
  if (limit == 0 || (separator.empty() && text.empty())) return Value::list({});
  std::size_t from = 0;
  for (;;) {
    const bool last = limit > 0 && static_cast<std::int64_t>(parts.size()) + 1 >= limit;
    std::size_t found = kNone;
    if (!last && separator.empty()) found = from + utf8_length_at(text, from);
    if (!last && !separator.empty()) found = find_text(text, separator, from);
    if (found == kNone || (separator.empty() && found >= text.size())) break;
    if (parts.size() + 1 >= kItemsMax) return too_large();
    if (!work.charge(2)) return too_much_work();
    parts.push_back(Value::text(text.substr(from, found - from)));
    from = found + separator.size();
  }
  parts.push_back(Value::text(text.substr(from)));
  return Value::list(std::move(parts));
}

Value substring(Arguments arguments, Work& work) {
  const bool ended = arguments.size() == 3;
  if (!arguments[0].is(Kind::string) || !arguments[1].is(Kind::integer) || (ended && !arguments[2].is(Kind::integer))) {
    return no_overload("substring", arguments);
  }
  const std::string_view text = arguments[0].as_text();
  if (!work.charge_bytes(text.size())) return too_much_work();
  const auto offset_of = [&](std::int64_t index) {
    if (index < 0 || static_cast<std::uint64_t>(index) > text.size()) return kNone;
    return utf8_offset(text, static_cast<std::size_t>(index));
  };
  const std::int64_t start = arguments[1].as_integer();
  const std::size_t from = offset_of(start);
  if (from == kNone) return index_out_of_range(start);
  if (!ended) return Value::text(text.substr(from));
  const std::int64_t end = arguments[2].as_integer();
  const std::size_t to = offset_of(end);
  if (to == kNone) return index_out_of_range(end);
  if (to < from) {
    return Value::error("invalid substring range. start: " + std::to_string(start) + ", end: " + std::to_string(end));
  }
  return Value::text(text.substr(from, to - from));
}

bool is_blank(std::uint32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
         c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

Value trim(Arguments arguments, Work& work) {
  if (!arguments[0].is(Kind::string)) return no_overload("trim", arguments);
  std::string_view text = arguments[0].as_text();
  if (!work.charge_bytes(text.size())) return too_much_work();
  while (!text.empty() && is_blank(utf8_decode(text, 0))) text.remove_prefix(utf8_length_at(text, 0));
  while (!text.empty()) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
    if (!is_blank(utf8_decode(text, begin))) break;
    text = text.substr(0, begin);
  }
  return Value::text(text);
}

Value join(Arguments arguments, Work& work) {
  const bool separated = arguments.size() == 2;
  if (!arguments[0].is(Kind::list) || (separated && !arguments[1].is(Kind::string)))
    return no_overload("join", arguments);
  const std::string_view separator = separated ? arguments[1].as_text() : std::string_view();
  std::string result;
  bool first = true;
  for (const Value& item : arguments[0].as_list()) {
    if (!item.is(Kind::string)) return no_overload("join", arguments);
    const std::size_t size = result.size() + item.as_text().size() + separator.size();
    if (size > kTextValueMax) return too_large();
    if (!work.charge(1 + (item.as_text().size() + separator.size()) / 16)) return too_much_work();
    if (!first) result += separator;
    first = false;
    result += item.as_text();
  }
  return Value::text(result);
}

Value quote(Arguments arguments, Work& work) {
  if (!arguments[0].is(Kind::string)) return no_overload("strings.quote", arguments);
  const std::string_view text = arguments[0].as_text();
  if (text.size() > kTextValueMax / 2) return too_large();
  if (!work.charge_bytes(text.size())) return too_much_work();
  constexpr std::string_view kSpecial = "\a\b\f\n\r\t\v\\\"";
  constexpr std::string_view kWritten = "abfnrtv\\\"";
  std::string result = "\"";
  for (const char c : text) {
    const std::size_t special = kSpecial.find(c);
    if (special == kNone) {
      result.push_back(c);
    } else {
      result.push_back('\\');
      result.push_back(kWritten[special]);
    }
  }
  return Value::text(result + "\"");
}

Value reverse(Arguments arguments, Work& work) {
  if (!arguments[0].is(Kind::string)) return no_overload("reverse", arguments);
  const std::string_view text = arguments[0].as_text();
  if (!work.charge_bytes(text.size() * 2)) return too_much_work();
  std::string result;
  result.reserve(text.size());
  for (std::size_t end = text.size(); end > 0;) {
    std::size_t begin = end - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
    result.append(text, begin, end - begin);
    end = begin;
  }
  return Value::text(result);
}

Value format(Arguments arguments, Work& work) {
  if (!arguments[0].is(Kind::string) || !arguments[1].is(Kind::list)) return no_overload("format", arguments);
  return format_text(arguments[0].as_text(), arguments[1].as_list(), work);
}

constexpr std::array<FunctionEntry, 16> kStrings{{
    {"contains", true, contains_text, "ss:b"},
    {"startsWith", true, starts_with, "ss:b"},
    {"endsWith", true, ends_with, "ss:b"},
    {"charAt", true, char_at, "si:s"},
    {"indexOf", true, index_of, "ss:i ssi:i"},
    {"lastIndexOf", true, last_index_of, "ss:i ssi:i"},
    {"lowerAscii", true, lower_ascii, "s:s"},
    {"upperAscii", true, upper_ascii, "s:s"},
    {"replace", true, replace, "sss:s sssi:s"},
    {"split", true, split, "ss:l ssi:l"},
    {"substring", true, substring, "si:s sii:s"},
    {"trim", true, trim, "s:s"},
    {"join", true, join, "l:s ls:s"},
    {"strings.quote", false, quote, "s:s"},
    {"reverse", true, reverse, "s:s"},
    {"format", true, format, "sl:s"},
}};

}  // namespace

std::span<const FunctionEntry> string_functions() { return kStrings; }

}  // namespace railhead::expression
