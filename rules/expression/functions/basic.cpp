// size(), matches() and base64: what belongs to no other file.
#include <array>
#include <string>

#include "gateway/base/bytes.h"
#include "rules/expression/functions/function.h"
#include "rules/expression/functions/regex.h"
#include "rules/expression/functions/utf8.h"

namespace railhead::expression {
namespace {

Value size(Arguments arguments, Work& work) {
  const Value& of = arguments[0];
  const auto count = [](std::size_t number) { return Value::integer(static_cast<std::int64_t>(number)); };
  switch (of.kind()) {
    case Kind::string:
      if (!work.charge_bytes(of.as_text().size())) return too_much_work();
      return count(utf8_count(of.as_text()));
    case Kind::bytes: return count(of.as_text().size());
    case Kind::list: return count(of.as_list().size());
    case Kind::map: return count(of.as_map().size());
    default: return no_overload("size", arguments);
  }
}

Value matches(Arguments arguments, Work& work) {
  if (!arguments[0].is(Kind::string) || !arguments[1].is(Kind::string)) return no_overload("matches", arguments);
  const std::string_view text = arguments[0].as_text();
  const std::string_view pattern = arguments[1].as_text();
  const std::uint64_t to_compile = work.regexes->holds(pattern) ? 0 : 100 + pattern.size();
  if (!work.charge(to_compile)) return too_much_work();
  std::string why;
  const auto regex = work.regexes->get(pattern, why);
  if (regex == nullptr) return Value::error("wrong pattern: " + why);
  if (!work.charge(regex->cost(text))) return too_much_work();
  return Value::boolean(regex->search(text));
}

Value base64_encode(Arguments arguments, Work& work) {
  if (!arguments[0].is(Kind::bytes)) return no_overload("base64.encode", arguments);
  const std::string_view bytes = arguments[0].as_text();
  if (bytes.size() > kTextValueMax / 2) return too_large();
  if (!work.charge_bytes(bytes.size() * 2)) return too_much_work();
  return Value::text(base::to_base64(bytes));
}

Value base64_decode(Arguments arguments, Work& work) {
  if (!arguments[0].is(Kind::string)) return no_overload("base64.decode", arguments);
  if (!work.charge_bytes(arguments[0].as_text().size())) return too_much_work();
  const auto bytes = base::from_base64(arguments[0].as_text());
  return bytes ? Value::bytes(*bytes) : Value::error("not base64");
}

constexpr std::array<FunctionEntry, 6> kBasic{{
    {"size", false, size, "s:i y:i l:i m:i"},
    {"size", true, size, "s:i y:i l:i m:i"},
    {"matches", false, matches, "ss:b"},
    {"matches", true, matches, "ss:b"},
    {"base64.encode", false, base64_encode, "y:s"},
    {"base64.decode", false, base64_decode, "s:y"},
}};

}  // namespace

std::span<const FunctionEntry> basic_functions() { return kBasic; }

}  // namespace railhead::expression
