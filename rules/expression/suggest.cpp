#include "rules/expression/suggest.h"

#include <algorithm>
#include <array>

#include "gateway/base/text.h"
#include "rules/expression/types.h"

namespace railhead::expression {
namespace {

constexpr std::size_t kNamesShown = 8;
constexpr std::size_t kOverloadsShown = 4;

struct Others {
  bool other_style = false;
  bool same_style = false;
  std::size_t least = static_cast<std::size_t>(-1);
  std::size_t most = 0;
};

// Entries of this name, whatever their style and number of arguments.
Others others_named(std::string_view name, bool method) {
  Others others;
  for (const FunctionEntry& entry : functions()) {
    if (entry.name != name) continue;
    (entry.method == method ? others.same_style : others.other_style) = true;
    if (entry.method != method) continue;
    std::size_t count = 0;
    for (const char c : entry.overloads) {
      if (c == ' ') count = 0;
      if (c == ':') {
        others.least = std::min(others.least, count);
        others.most = std::max(others.most, count);
      }
      if (c != ' ' && c != ':') ++count;
    }
  }
  return others;
}

// What other languages call what is called otherwise here.
struct Elsewhere {
  std::string_view there;
  std::string_view here;
};
constexpr std::array<Elsewhere, 12> kConstantsElsewhere{{{"on", "true"},
                                                         {"yes", "true"},
                                                         {"True", "true"},
                                                         {"TRUE", "true"},
                                                         {"off", "false"},
                                                         {"no", "false"},
                                                         {"False", "false"},
                                                         {"FALSE", "false"},
                                                         {"None", "null"},
                                                         {"nil", "null"},
                                                         {"NULL", "null"},
                                                         {"Null", "null"}}};
constexpr std::array<Elsewhere, 14> kFunctionsElsewhere{{{"avg", "mean"},
                                                         {"average", "mean"},
                                                         {"len", "size"},
                                                         {"length", "size"},
                                                         {"lower", "lowerAscii"},
                                                         {"toLower", "lowerAscii"},
                                                         {"upper", "upperAscii"},
                                                         {"toUpper", "upperAscii"},
                                                         {"strip", "trim"},
                                                         {"min", "math.least"},
                                                         {"max", "math.greatest"},
                                                         {"float", "double"},
                                                         {"orElse", "orValue"},
                                                         {"isPresent", "hasValue"}}};

template <std::size_t count>
std::string_view said_here(const std::array<Elsewhere, count>& words, std::string_view there) {
  const auto found =
      std::find_if(words.begin(), words.end(), [&](const Elsewhere& word) { return word.there == there; });
  return found == words.end() ? std::string_view{} : found->here;
}

}  // namespace

std::string list_of_names(const std::vector<std::string>& names) {
  if (names.empty()) return {};
  std::string list = "known here: ";
  for (std::size_t i = 0; i < names.size() && i < kNamesShown; ++i) list += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kNamesShown ? list + ", ..." : list;
}

std::string suggest_name(const std::string& name, std::vector<std::string> locals, const Scope::Names& names) {
  for (const Scope::Names::Variable& variable : names.variables) locals.push_back(variable.name);
  // The member of the variable that is nearest at hand: value.x rather than previous.value.x.
  const auto member = [&](const auto& found_in) -> std::string {
    std::string best;
    for (const auto& [path, known] : names.known) {
      if (path.find('[') != std::string::npos || (!best.empty() && best.size() <= path.size())) continue;
      std::vector<std::string> fields;
      for (const auto& [field, type] : known.fields) fields.push_back(field);
      if (const std::optional<std::string> found = found_in(fields)) best = path + "." + *found;
    }
    return best.empty() ? best : "did you mean '" + best + "'?";
  };
  const auto same = [&](const std::vector<std::string>& fields) {
    return std::find(fields.begin(), fields.end(), name) == fields.end() ? std::nullopt : std::optional(name);
  };
  if (std::string hint = member(same); !hint.empty()) return hint;
  if (const auto near = base::nearest(name, locals)) return "did you mean '" + *near + "'?";
  const auto similar = [&](const std::vector<std::string>& fields) { return base::nearest(name, fields); };
  if (std::string hint = member(similar); !hint.empty()) return hint;
  if (names.aggregate(name) != nullptr) return "a window function is called with brackets: " + name + "()";
  for (const FunctionEntry& entry : functions()) {
    if (entry.name == name && !entry.method) return "a function is called with brackets: " + name + "(...)";
  }
  const std::string as_text = "a text is written in quotes: \"" + name + "\"";
  const auto constant = said_here(kConstantsElsewhere, name);
  return constant.empty() ? as_text : "write " + std::string(constant) + "; " + as_text;
}

std::string wrong_count(std::string_view name, std::size_t least, std::size_t most, std::size_t given) {
  std::string wanted = std::to_string(least);
  if (most > least) wanted += (most == least + 1 ? " or " : " to ") + std::to_string(most);
  return std::string(name) + "() takes " + wanted + (wanted == "1" ? " argument" : " arguments") + ", not " +
         std::to_string(given);
}

std::string unknown_function(const std::string& name, bool method, std::size_t arguments) {
  const Others others = others_named(name, method);
  const std::size_t receiver = method ? 1 : 0;
  if (others.same_style)
    return wrong_count(name, others.least - receiver, others.most - receiver, arguments - receiver);
  if (others.other_style && method) return name + "() is no method";
  if (others.other_style) return name + "() is a method";
  return "unknown function '" + name + "'";
}

std::string suggest_function(const std::string& name, bool method, std::size_t arguments, const Scope::Names& names) {
  const Others others = others_named(name, method);
  if (others.same_style) return {};
  if (others.other_style && method) return "write " + name + "(...)";
  if (others.other_style) return arguments > 0 ? "write text." + name + "(...)" : "";
  std::vector<std::string> known;
  for (const FunctionEntry& entry : functions()) {
    if (entry.method == method) known.emplace_back(entry.name);
  }
  if (method) {
    for (const char* macro : {"all", "exists", "exists_one", "map", "filter", "optMap", "optFlatMap"})
      known.emplace_back(macro);
  } else {
    known.emplace_back("has");
    for (const auto& aggregate : names.aggregates) known.push_back(aggregate.name);
  }
  if (method && std::find(known.begin(), known.end(), name) != known.end()) {
    return "for example: list." + name + "(x, x > 0)";
  }
  if (!method && names.by_name.contains(name)) return "'" + name + "' is no function: write it without brackets";
  const auto is_known = [&](const std::string& one) {
    return std::find(known.begin(), known.end(), one) != known.end();
  };
  for (const std::string& meant : {"math." + name, std::string(said_here(kFunctionsElsewhere, name))}) {
    if (is_known(meant)) return "did you mean '" + meant + "'?";
  }
  const auto near = base::nearest(name, known);
  return near ? "did you mean '" + *near + "'?" : "";
}

std::string a_type(Type type) {
  if (type == Type::null) return "null";
  if (type == Type::optional) return "an optional value";
  return (type == Type::integer ? "an " : "a ") + std::string(name_of(type));
}

std::string binary_mismatch(std::string_view operation, Type left, Type right) {
  const std::string a = a_type(left);
  const std::string b = a_type(right);
  if (operation == "in") return "'in' looks into a list or map, not into " + b;
  if (operation == "==" || operation == "!=") return a + " never equals " + b;
  if (operation.front() == '<' || operation.front() == '>') return a + " cannot be compared with " + b;
  return "'" + std::string(operation) + "' does not work between " + a + " and " + b;
}

std::string suggest_literal(const Value& literal, std::string_view source, Type other) {
  if (literal.is(Kind::null)) return "whether a member is there: has(value.temperature)";
  if (literal.is_number() && other == Type::string) return "write it as a text: \"" + std::string(source) + "\"";
  if (literal.is_number() && other == Type::boolean) return "a bool is a condition by itself, or compare it with true";
  if (literal.is(Kind::boolean) && is_number(other)) return "compare with a number: != 0";
  if (!literal.is(Kind::string)) return {};
  if (other == Type::boolean && (literal.as_text() == "true" || literal.as_text() == "false")) {
    return "write " + std::string(literal.as_text()) + " without quotes";
  }
  if (is_number(other) && base::parse_double(literal.as_text())) {
    return "write " + std::string(literal.as_text()) + " without quotes";
  }
  if (other == Type::timestamp) return "write timestamp(" + std::string(source) + ")";
  if (other == Type::address) return "write ip(" + std::string(source) + ")";
  if (other == Type::network) return "write cidr(" + std::string(source) + ")";
  return other == Type::duration ? "write duration(\"5s\")" : "";
}

std::string suggest_operands(std::string_view operation, Type left, Type right, bool left_is_comparison) {
  const bool compares = operation.find_first_of("=<>") != std::string_view::npos;
  if (compares && left_is_comparison) return "write both comparisons: a < b && b < c";
  if (operation == "+" && (left == Type::string || right == Type::string)) return "convert with string(...)";
  if ((operation == "*" || operation == "/" || operation == "-") && (left == Type::string || right == Type::string)) {
    return "convert the text with double(...)";
  }
  if (operation == "%" && is_number(left) && is_number(right)) {
    return "'%' takes two ints or two uints: convert with int(...)";
  }
  return {};
}

std::string describe_overloads(const FunctionEntry& function) {
  std::string text = "it takes ";
  std::size_t shown = 0;
  for (std::string_view overloads = function.overloads; !overloads.empty();) {
    const std::size_t end = std::min(overloads.size(), overloads.find(' '));
    const std::string_view wanted = overloads.substr(0, std::min(end, overloads.find(':')));
    overloads.remove_prefix(std::min(overloads.size(), end + 1));
    if (++shown > kOverloadsShown) return text + " ...";
    std::string arguments;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (i > 0) arguments += ", ";
      arguments += name_of(type_of_letter(wanted[i]));
    }
    text += (shown == 1 ? "(" : " or (") + arguments + ")";
  }
  return text;
}

}  // namespace railhead::expression
