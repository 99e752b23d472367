// Runs the tables of tests/cases/expression (their README.md explains the rows).
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "rules/expression/expression.h"
#include "tests/rules/expression/harness.h"
#include "tests/support/places.h"

namespace railhead::expression {
namespace {

// The result of a row, or "error ..." as one text, in the table's notation.
std::string shown(const Value& value) {
  switch (value.kind()) {
    case Kind::null: return "null";
    case Kind::boolean: return value.as_boolean() ? "bool true" : "bool false";
    case Kind::integer: return "int " + std::to_string(value.as_integer());
    case Kind::uinteger: return "uint " + std::to_string(value.as_uinteger());
    case Kind::real:
      return "double " + (std::isfinite(value.as_real()) ? to_json(value) : base::shortest(value.as_real()));
    case Kind::string: return "string " + to_json(value);
    case Kind::bytes: return std::string(base::trim("bytes " + base::to_hex(value.as_text())));
    case Kind::timestamp: return "timestamp " + to_rfc3339(value.timestamp_seconds(), value.timestamp_nanoseconds());
    case Kind::duration: return "duration " + duration_text(value.as_duration());
    case Kind::type: return "type " + std::string(value.as_text());
    case Kind::address: return "ip " + std::string(value.as_text());
    case Kind::network: return "cidr " + std::string(value.as_text());
    case Kind::list:
    case Kind::map: return "json " + to_json(value);
    case Kind::optional: return "optional";
    case Kind::error: return "error " + std::string(value.as_text());
  }
  return "?";
}

// Both sides of `json` and `string` and `double` rows in one spelling.
std::string normal(const std::string& expected) {
  for (const std::string prefix : {"json ", "string ", "double "}) {
    if (!expected.starts_with(prefix)) continue;
    const std::string text = expected.substr(prefix.size());
    if (prefix == "double ") {
      const auto number = base::parse_double(text);
      return number && std::isfinite(*number) ? prefix + to_json(Value::real(*number)) : expected;
    }
    JsonParser parser;
    const auto value = parser.parse(text);
    if (value) return prefix + to_json(*value);
  }
  return expected;
}

struct Row {
  std::string place;
  std::string expression;
  std::string expected;
};

class Table {
 public:
  explicit Table(const std::filesystem::path& path) {
    scope.check_types_at_run_time();
    std::ifstream in(path);
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
      const std::string place = path.filename().string() + ":" + std::to_string(number);
      if (base::trim(line).empty() || line.front() == '#') continue;
      if (line.starts_with("let ") && line.find(" = ") != std::string::npos) {
        const std::size_t equals = line.find(" = ");
        bind(line.substr(4, equals - 4), line.substr(equals + 3), place);
        continue;
      }
      const std::size_t arrow = line.rfind(" => ");
      REQUIRE_MESSAGE(arrow != std::string::npos, place);
      run({place, line.substr(0, arrow), std::string(base::trim(line.substr(arrow + 4)))});
    }
  }
  int rows = 0;

 private:
  void bind(const std::string& name, const std::string& text, const std::string& place) {
    const Value value = evaluate(text, place);
    REQUIRE_MESSAGE(!value.is(Kind::error), place);
    const std::size_t slot = scope.declare(name);
    if (bindings.values.size() <= slot) bindings.values.resize(slot + 1);
    bindings.values[slot] = value;
  }

  Value evaluate(const std::string& text, const std::string& place) {
    std::vector<Problem> problems;
    const auto program = compile(text, scope, problems);
    if (program == nullptr) {
      REQUIRE_MESSAGE(!problems.empty(), place);
      CHECK_MESSAGE(problems.front().offset <= text.size(), place);
      return Value::error(problems.front().message);
    }
    return evaluator.evaluate(*program, bindings);
  }

  void run(const Row& row) {
    ++rows;
    std::string text = row.expression;
    if (text.starts_with("json: ")) {
      JsonParser parser;
      const auto decoded = parser.parse(text.substr(6));
      REQUIRE_MESSAGE(decoded.has_value(), row.place);
      text = std::string(decoded->as_text());
    }
    const std::string got = shown(evaluate(text, row.place));
    INFO(row.place << ": " << row.expression << " => " << got);
    if (row.expected.starts_with("error")) {
      CHECK(got.starts_with("error"));
      CHECK(got.find(std::string(base::trim(row.expected.substr(5)))) != std::string::npos);
    } else {
      CHECK(got == normal(row.expected));
    }
  }

  Scope scope;
  test::Values bindings;
  Evaluator evaluator;
};

TEST_CASE("every row of the tables gives what it says") {
  int tables = 0;
  int rows = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(railhead::test::source_directory() + "/tests/cases/expression")) {
    if (entry.path().extension() != ".txt" || entry.path().filename() == "diagnostics.txt") continue;
    ++tables;
    rows += Table(entry.path()).rows;
  }
  CHECK(tables >= 9);
  CHECK(rows > 700);
}

}  // namespace
}  // namespace railhead::expression
