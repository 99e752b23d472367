#include "rules/expression/eval_json.h"

#include <cmath>
#include <istream>
#include <ostream>
#include <string>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "rules/expression/expression.h"
#include "rules/expression/functions/address.h"
#include "rules/expression/functions/function.h"
#include "rules/expression/functions/instant.h"

namespace railhead::expression {
namespace {

constexpr std::size_t kLineMax = 16 * 1024 * 1024;  // bytes of one input line
constexpr std::size_t kTypedDepthMax = 200;         // lists and maps inside each other in an answer

class VariableBindings : public Bindings {
 public:
  std::vector<Value> values;
  const Value& get(std::size_t slot) override { return values[slot]; }
};

// --- in
bool read_typed(const Value& typed, Value& out, std::string& why);

bool read_list(const Value& items, Value& out, std::string& why) {
  Value::List list;
  list.reserve(items.as_list().size());
  for (const Value& item : items.as_list()) {
    if (!read_typed(item, list.emplace_back(), why)) return false;
  }
  out = Value::list(std::move(list));
  return true;
}

bool read_map(const Value& pairs, Value& out, std::string& why) {
  Value::Entries entries;
  entries.reserve(pairs.as_list().size());
  for (const Value& pair : pairs.as_list()) {
    if (!pair.is(Kind::list) || pair.as_list().size() != 2) {
      why = "a map is an array of [key, value]";
      return false;
    }
    auto& [key, value] = entries.emplace_back();
    if (!read_typed(pair.as_list()[0], key, why) || !read_typed(pair.as_list()[1], value, why)) return false;
    if (!key.is(Kind::string) && !key.is(Kind::integer) && !key.is(Kind::uinteger) && !key.is(Kind::boolean)) {
      why = "the key of a map is a string, int, uint or bool";
      return false;
    }
  }
  out = Value::map(std::move(entries));
  return true;
}

bool read_double(const Value& value, Value& out) {
  if (value.is_number()) {
    out = Value::real(value.to_real());
    return true;
  }
  if (!value.is(Kind::string)) return false;
  const std::string_view text = value.as_text();
  const double sign = text.starts_with('-') ? -1 : 1;
  if (text == "NaN") {
    out = Value::real(std::nan(""));
  } else if (text == "Infinity" || text == "-Infinity") {
    out = Value::real(sign * HUGE_VAL);
  } else if (const auto number = base::parse_double(text)) {
    out = Value::real(*number);
  } else {
    return false;
  }
  return true;
}

// The kinds whose value is a JSON string.
bool read_text(std::string_view type, std::string_view text, Value& out) {
  if (type == "string") {
    out = Value::text(text);
  } else if (type == "type") {
    out = Value::type(text);
  } else if (type == "int") {
    const auto number = base::parse_int(text);
    if (!number) return false;
    out = Value::integer(*number);
  } else if (type == "uint") {
    const auto number = base::parse_uint(text);
    if (!number) return false;
    out = Value::uinteger(*number);
  } else if (type == "bytes") {
    const auto bytes = base::from_base64(text);
    if (!bytes) return false;
    out = Value::bytes(*bytes);
  } else if (type == "timestamp") {
    const auto instant = parse_instant(text);
    if (!instant) return false;
    out = value_of(*instant);
  } else if (type == "duration") {
    const auto duration = parse_cel_duration(text);
    if (!duration) return false;
    out = Value::duration(*duration);
  } else if (type == "net.IP") {
    const auto address = parse_address(text);
    if (!address) return false;
    out = Value::address(address_text(*address));
  } else if (type == "net.CIDR") {
    const auto network = parse_network(text);
    if (!network) return false;
    out = Value::network(network_text(*network));
  } else {
    return false;
  }
  return !out.is(Kind::error);
}

// Recursion is bounded by the depth of JSON (64).
bool read_typed(const Value& typed, Value& out, std::string& why) {
  const Value* const type = typed.find("type");
  const Value* const value = typed.find("value");
  if (type == nullptr || !type->is(Kind::string)) {
    why = "a value is {\"type\": ..., \"value\": ...}";
    return false;
  }
  const std::string_view name = type->as_text();
  if (name == "null" || name == "null_type") {
    out = Value();
    return true;
  }
  bool ok = value != nullptr;
  if (!ok) {
  } else if (name == "bool" && value->is(Kind::boolean)) {
    out = *value;
  } else if (name == "list" && value->is(Kind::list)) {
    return read_list(*value, out, why);
  } else if (name == "map" && value->is(Kind::list)) {
    return read_map(*value, out, why);
  } else if (name == "double") {
    ok = read_double(*value, out);
  } else if (name == "int" && value->is(Kind::integer)) {
    out = *value;
  } else if (name == "uint" && (value->is(Kind::uinteger) || (value->is(Kind::integer) && value->as_integer() >= 0))) {
    out = value->is(Kind::uinteger) ? *value : Value::uinteger(static_cast<std::uint64_t>(value->as_integer()));
  } else {
    ok = value->is(Kind::string) && read_text(name, value->as_text(), out);
  }
  if (!ok) why = "no value of type '" + std::string(name) + "'";
  return ok;
}

// --- out
void write_scalar(std::string_view type, std::string_view text, std::string& out) {
  out += R"({"type":")" + std::string(type) + R"(","value":)";
  write_json_text(text, out);
  out += '}';
}

void write_double(double number, std::string& out) {
  out += R"({"type":"double","value":)";
  if (std::isfinite(number)) {
    write_json(Value::real(number), out);
  } else {
    write_json_text(base::shortest(number), out);
  }
  out += '}';
}

// False if the value is nested too deeply to be written.
bool write_typed(const Value& value, std::size_t depth, std::string& out) {
  if (depth > kTypedDepthMax) return false;
  switch (value.kind()) {
    case Kind::null: out += R"({"type":"null","value":null})"; return true;
    case Kind::boolean:
      out += value.as_boolean() ? R"({"type":"bool","value":true})" : R"({"type":"bool","value":false})";
      return true;
    case Kind::integer: write_scalar("int", std::to_string(value.as_integer()), out); return true;
    case Kind::uinteger: write_scalar("uint", std::to_string(value.as_uinteger()), out); return true;
    case Kind::real: write_double(value.as_real(), out); return true;
    case Kind::string: write_scalar("string", value.as_text(), out); return true;
    case Kind::bytes: write_scalar("bytes", base::to_base64(value.as_text()), out); return true;
    case Kind::timestamp: write_scalar("timestamp", instant_text(instant_of(value)), out); return true;
    case Kind::duration: write_scalar("duration", duration_text(value.as_duration()), out); return true;
    case Kind::type: write_scalar("type", value.as_text(), out); return true;
    case Kind::address:
    case Kind::network: write_scalar(cel_type_name(value.kind()), value.as_text(), out); return true;
    case Kind::list: {
      out += R"({"type":"list","value":[)";
      bool first = true;
      for (const Value& item : value.as_list()) {
        if (!first) out += ',';
        first = false;
        if (!write_typed(item, depth + 1, out)) return false;
      }
      out += "]}";
      return true;
    }
    case Kind::map: {
      out += R"({"type":"map","value":[)";
      bool first = true;
      for (const Value::Entry& entry : value.as_map()) {
        out += first ? "[" : ",[";
        first = false;
        if (!write_typed(entry.first, depth + 1, out)) return false;
        out += ',';
        if (!write_typed(entry.second, depth + 1, out)) return false;
        out += ']';
      }
      out += "]}";
      return true;
    }
    case Kind::optional:  // no program gives one
    case Kind::error: return false;
  }
  return false;
}

std::string error_line(std::string_view sentence) {
  std::string out = R"({"error":)";
  write_json_text(sentence, out);
  return out + '}';
}

std::string answer(std::string_view line, JsonParser& parser, Evaluator& evaluator) {
  if (line.size() > kLineMax) return error_line("the line is too long");
  const Result<Value> request = parser.parse(line);
  if (!request) return error_line("not JSON: " + request.error().what);
  const Value* const text = request->find("expr");
  if (text == nullptr || !text->is(Kind::string)) return error_line("\"expr\" is missing or no string");
  Scope scope;
  scope.check_types_at_run_time();
  VariableBindings bindings;
  if (const Value* const variables = request->find("vars"); variables != nullptr && !variables->is(Kind::null)) {
    if (!variables->is(Kind::map)) return error_line("\"vars\" is no object");
    for (const Value::Entry& entry : variables->as_map()) {
      const std::string name(entry.first.as_text());
      std::string why;
      scope.declare(name);
      if (!read_typed(entry.second, bindings.values.emplace_back(), why)) return error_line(name + ": " + why);
    }
  }
  std::vector<Problem> problems;
  const auto program = compile(text->as_text(), scope, problems);
  if (program == nullptr) return error_line(problems.empty() ? "the expression is wrong" : problems.front().message);
  const Value result = evaluator.evaluate(*program, bindings);
  if (result.is(Kind::error)) return error_line(result.as_text());
  std::string out;
  return write_typed(result, 0, out) ? out : error_line("the value is nested too deeply");
}

}  // namespace

int eval_lines(std::istream& in, std::ostream& out) {
  JsonParser parser;
  Evaluator evaluator;
  std::string line;
  while (std::getline(in, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    out << answer(line, parser, evaluator) << '\n' << std::flush;
    if (!out) return 2;
  }
  return 0;
}

int eval_text(std::string_view expression, std::ostream& out, std::ostream& problems) {
  Scope scope;
  std::vector<Problem> found;
  const auto program = compile(expression, scope, found);
  for (const Problem& problem : found) {
    problems << (problem.warning ? "warning: " : "error: ") << problem.message << '\n';
    // The line that holds the problem, and a caret below it.
    const std::size_t at = std::min(problem.offset, expression.size());
    const std::size_t begin = at == 0 ? 0 : expression.rfind('\n', at - 1) + 1;
    const std::string_view line =
        expression.substr(begin, std::min(expression.find('\n', at), expression.size()) - begin);
    problems << "  " << line << "\n  " << std::string(at - begin, ' ')
             << std::string(std::max<std::size_t>(1, std::min(problem.length, line.size() - (at - begin))), '^');
    problems << (problem.hint.empty() ? "" : "  " + problem.hint) << '\n';
  }
  if (program == nullptr) return 1;
  VariableBindings bindings;
  Evaluator evaluator;
  const Value result = evaluator.evaluate(*program, bindings);
  if (result.is(Kind::error)) {
    problems << "error: " << result.as_text() << '\n';
    return 1;
  }
  out << to_json(result) << '\n';
  return 0;
}

}  // namespace railhead::expression
