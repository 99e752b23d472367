#include "rules/expression/functions/function.h"

#include <algorithm>
#include <array>
#include <vector>

#include "rules/expression/functions/well_known.h"

namespace railhead::expression {
namespace {

std::vector<FunctionEntry> collect() {
  std::vector<FunctionEntry> all;
  for (const auto part : {basic_functions(), conversion_functions(), string_functions(), math_functions(),
                          time_functions(), optional_functions(), network_functions(), well_known_functions()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

bool takes(std::string_view overloads, std::size_t arguments) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < overloads.size(); ++i) {
    const char c = overloads[i];
    if (c == '+' && arguments > 0) return true;
    if (c == ':') {
      if (count == arguments) return true;
      i = std::min(overloads.size(), overloads.find(' ', i));
      count = 0;
    } else {
      ++count;
    }
  }
  return false;
}

}  // namespace

std::span<const FunctionEntry> functions() {
  static const std::vector<FunctionEntry> all = collect();
  return all;
}

std::optional<std::size_t> find_function(std::string_view name, bool method, std::size_t arguments) {
  const auto all = functions();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].method == method && all[i].name == name && takes(all[i].overloads, arguments)) return i;
  }
  return std::nullopt;
}

Type type_of_letter(char letter) noexcept {
  switch (letter) {
    case 'n': return Type::null;
    case 'b': return Type::boolean;
    case 'i': return Type::integer;
    case 'u': return Type::uinteger;
    case 'd': return Type::real;
    case 's': return Type::string;
    case 'y': return Type::bytes;
    case 't': return Type::timestamp;
    case 'r': return Type::duration;
    case 'l': return Type::list;
    case 'm': return Type::map;
    case 'T': return Type::type;
    case 'o': return Type::optional;
    case 'a': return Type::address;
    case 'c': return Type::network;
    default: return Type::any;
  }
}

std::optional<Type> call_result(const FunctionEntry& function, std::span<const Type> arguments) {
  std::optional<Type> result;
  for (std::string_view overloads = function.overloads; !overloads.empty();) {
    const std::size_t end = std::min(overloads.size(), overloads.find(' '));
    const std::string_view overload = overloads.substr(0, end);
    overloads.remove_prefix(std::min(overloads.size(), end + 1));
    const std::string_view wanted = overload.substr(0, overload.find(':'));
    bool fits = wanted == "+" || wanted.size() == arguments.size();
    for (std::size_t i = 0; fits && wanted != "+" && i < wanted.size(); ++i) {
      const Type want = type_of_letter(wanted[i]);
      fits = arguments[i] == Type::any || want == Type::any || arguments[i] == want;
    }
    if (!fits) continue;
    // Overloads that all fit what is known leave the result open unless they agree.
    const Type gives = type_of_letter(overload.back());
    result = !result || *result == gives ? gives : Type::any;
  }
  return result;
}

Value too_much_work() {
  static const Value error = Value::error("the expression takes too much work");
  return error;
}
Value too_large() {
  static const Value error = Value::error("the value becomes too large");
  return error;
}
Value integer_overflow() {
  static const Value error = Value::error("integer overflow");
  return error;
}
Value out_of_range(std::string_view what) { return Value::error("range error: " + std::string(what)); }
Value index_out_of_range(std::int64_t index) {
  return Value::error(std::string(kIndexOutOfRange) + std::to_string(index));
}

Value no_overload(std::string_view name, Arguments arguments) {
  std::string sentence = "no such overload: " + std::string(name) + "(";
  for (std::size_t i = 0; i < arguments.size() && i < 8; ++i) {
    if (i > 0) sentence += ", ";
    sentence += name_of(type_of(arguments[i]));
  }
  return Value::error(sentence + ")");
}

}  // namespace railhead::expression
