// What a person reads when an expression is wrong: the goldens of tests/cases/expression/diagnostics.txt.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "rules/expression/expression.h"
#include "tests/support/places.h"

namespace railhead::expression {
namespace {

// The names a rule has, with a device whose points are known and one (`sensor`) of which nothing is.
Scope rule_scope() {
  Scope scope;
  scope.declare("value", Type::map);
  scope.declare_fields("value",
                       {{"temperature", Type::real},
                        {"pressure", Type::real},
                        {"burner_on", Type::boolean},
                        {"count", Type::integer},
                        {"mode", Type::string}},
                       true);
  scope.declare("quality", Type::string);
  scope.declare("time", Type::timestamp);
  scope.declare("device", Type::string);
  scope.declare("sensor");
  scope.declare("attributes", Type::map);
  scope.declare_fields("attributes", {{"topic", Type::string}, {"retained", Type::boolean}}, false);
  scope.declare("tables", Type::map);
  scope.declare_fields("tables", {{"assets", Type::map}}, true);
  scope.declare_fields("tables.assets[]", {{"owner", Type::string}, {"limit", Type::real}}, true);
  scope.declare_aggregate("mean", 1, 1, Type::real);
  scope.declare_aggregate("count", 0, 1, Type::integer);
  return scope;
}

std::string shown(const std::vector<Problem>& problems) {
  if (problems.empty()) return "fine\n";
  std::ostringstream out;
  for (const Problem& problem : problems) {
    out << (problem.warning ? "warning " : "error ") << problem.offset << '+' << problem.length << ": "
        << problem.message;
    if (!problem.hint.empty()) out << " | " << problem.hint;
    out << '\n';
  }
  return out.str();
}

TEST_CASE("diagnostics read as the goldens do") {
  const Scope scope = rule_scope();
  std::ifstream in(test::source_directory() + "/tests/cases/expression/diagnostics.txt");
  std::string line;
  int blocks = 0;
  std::string expression;
  std::string expected;
  int at = 0;
  int number = 0;
  const auto finish = [&] {
    if (expression.empty()) return;
    ++blocks;
    std::vector<Problem> problems;
    const auto program = compile(expression, scope, problems);
    INFO("diagnostics.txt:" << at << ": " << expression);
    CHECK(shown(problems) == expected);
    bool wrong = false;
    for (const Problem& problem : problems) wrong = wrong || !problem.warning;
    CHECK((program == nullptr) == wrong);
    expression.clear();
    expected.clear();
  };
  while (std::getline(in, line)) {
    ++number;
    if (line.starts_with("#")) continue;
    if (line.starts_with("> ")) {
      finish();
      expression = line.substr(2);
      at = number;
    } else if (!line.empty()) {
      expected += line + "\n";
    }
  }
  finish();
  CHECK(blocks >= 40);
}

TEST_CASE("a computed variable takes over what is known of its value") {
  Scope scope = rule_scope();
  std::vector<Problem> problems;
  const auto asset = compile("tables.assets[device]", scope, problems);
  REQUIRE(asset != nullptr);
  scope.declare("asset", *asset);
  CHECK(compile("asset.owner + '!'", scope, problems) != nullptr);
  CHECK(problems.empty());
  CHECK(compile("asset.ownr", scope, problems) == nullptr);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].hint == "did you mean 'owner'?");
}

}  // namespace
}  // namespace railhead::expression
