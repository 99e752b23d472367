#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/rules/expression/harness.h"

namespace railhead::expression {
namespace {

using test::Expression;

std::vector<std::string> read_paths(const Program& program) {
  std::vector<std::string> paths;
  for (const MemberPath& path : program.reads()) {
    std::string text = path.variable;
    for (const std::string& member : path.members) text += "." + member;
    paths.push_back(text + (path.only_tested ? "?" : ""));
  }
  return paths;
}

TEST_CASE("a program tells what it reads") {
  Expression expression(
      "has(value.flow) && value.temperature > value.limits.high || value['pressure'] > 1 || value.temperature > 1 || "
      "tables.assets[device].owner == 'x' || has(value.door) && value.door");
  expression.with("value", {}).with("tables", {}).with("device", {});
  const auto program = expression.program();
  REQUIRE(program != nullptr);
  CHECK(read_paths(*program) == std::vector<std::string>{"value.flow?", "value.temperature", "value.limits.high",
                                                         "value.pressure", "tables.assets", "device", "value.door"});
  CHECK(program->reads()[1].offset == 19);
  CHECK(program->reads()[1].length == 17);
  CHECK(program->result_type() == Type::boolean);
  CHECK_FALSE(program->constant().has_value());
}

TEST_CASE("what is read as an optional may be absent, like what has() asks for") {
  Expression expression("value.?flow.orValue(1.5) + value[?'a'].b.or(value.limits.?high).orValue(0.0)");
  expression.with("value", {});
  const auto program = expression.program();
  REQUIRE(program != nullptr);
  CHECK(read_paths(*program) == std::vector<std::string>{"value.flow?", "value.a.b?", "value.limits.high?"});
}

TEST_CASE("what needs no variable is computed once") {
  Expression expression("60 * 60 * 24 + size('abc') + [1, 2].map(x, x * 2)[1]");
  const auto program = expression.program();
  REQUIRE(program != nullptr);
  REQUIRE(program->constant().has_value());
  CHECK(*program->constant() == Value::integer(86'407));
  CHECK(program->reads().empty());
}

TEST_CASE("variables are fetched only when needed") {
  Expression expression("a || b");
  expression.with("a", Value::boolean(true)).with("b", Value::boolean(true));
  CHECK(expression.result() == Value::boolean(true));
  CHECK(expression.bindings.gets == 1);
}

TEST_CASE("an absent member is told from other failures") {
  const Value reading = Value::map({{Value::text("pressure"), Value::real(2.1)}});
  const auto missing = [&](const std::string& text, const Value& value) {
    Expression expression(text);
    expression.with("value", value).with("zero", Value::integer(0));
    const Value result = expression.result();
    return std::pair(result.is(Kind::error), std::string(Evaluator::missing_member(result).value_or("-")));
  };
  using Answer = std::pair<bool, std::string>;
  CHECK(missing("value.temperature > 0", reading) == Answer{true, "temperature"});
  CHECK(missing("value.pressure > 0 && value.temperature > 0", reading) == Answer{true, "temperature"});
  CHECK(missing("value.pressure > 0 || value.temperature > 0", reading) == Answer{false, "-"});
  CHECK(missing("1 / zero > 0", reading) == Answer{true, "-"});
  CHECK(missing("value.pressure.high > 0", reading) == Answer{true, "-"});
  CHECK(missing("value.temperature > 0", Value()) == Answer{true, "temperature"});
}

// Variables computed by expressions, as `let` has them.
class Lets : public Bindings {
 public:
  explicit Lets(Evaluator& evaluator) : evaluator_(evaluator) {}
  std::vector<std::shared_ptr<const Program>> programs;
  std::map<std::size_t, Value> computed;
  int evaluations = 0;
  const Value& get(std::size_t slot) override {
    if (const auto found = computed.find(slot); found != computed.end()) return found->second;
    ++evaluations;
    Value value = evaluator_.evaluate(*programs.at(slot), *this);
    return computed[slot] = std::move(value);
  }

 private:
  Evaluator& evaluator_;
};

TEST_CASE("bindings may evaluate with the same evaluator") {
  Scope scope;
  std::vector<Problem> problems;
  Evaluator evaluator;
  Lets lets(evaluator);
  std::string text = "1";
  for (int i = 0; i < 20; ++i) {
    lets.programs.push_back(compile(text, scope, problems));
    REQUIRE(lets.programs.back() != nullptr);
    const std::string name = "v" + std::to_string(i);
    scope.declare(name, *lets.programs.back());
    text = "[" + name + ", 2, 3].map(x, x + " + name + ")[0]";
  }
  const auto program = compile("[1, 2].map(i, v19 + v18 + i)[1]", scope, problems);
  REQUIRE(program != nullptr);
  CHECK(evaluator.evaluate(*program, lets) == Value::integer((1 << 19) + (1 << 18) + 2));
  CHECK(lets.evaluations == 20);
}

TEST_CASE("variables that depend on themselves end in an error") {
  Scope scope;
  std::vector<Problem> problems;
  Evaluator evaluator;
  scope.declare("self");
  Lets lets(evaluator);
  lets.programs.push_back(compile("self + 1", scope, problems));
  const Value result = evaluator.evaluate(*lets.programs[0], lets);
  REQUIRE(result.is(Kind::error));
  CHECK(result.as_text() == "variables depend on each other too deeply");
}

TEST_CASE("window functions become slots of their own") {
  Scope scope;
  std::vector<Problem> problems;
  scope.declare("value", Type::map);
  scope.declare_aggregate("mean", 1, 1, Type::real);
  scope.declare_aggregate("count", 0, 0, Type::integer);
  const auto program = compile("mean(value.t * 2.0) > 80.0 && count() > 3", scope, problems);
  REQUIRE(program != nullptr);
  REQUIRE(program->aggregates().size() == 2);
  const Aggregate& mean = program->aggregates()[0];
  CHECK(mean.name == "mean");
  CHECK(mean.slot == 1);
  REQUIRE(mean.arguments.size() == 1);
  CHECK(read_paths(*mean.arguments[0]) == std::vector<std::string>{"value.t"});
  CHECK(mean.arguments[0]->text() == "value.t * 2.0");
  CHECK(program->aggregates()[1].slot == 2);
  CHECK(program->aggregates()[1].arguments.empty());

  Evaluator evaluator;
  test::Values values;
  values.values = {Value::map({{Value::text("t"), Value::real(20.5)}}), Value::real(90.0), Value::integer(4)};
  CHECK(evaluator.evaluate(*mean.arguments[0], values) == Value::real(41.0));
  CHECK(evaluator.evaluate(*program, values) == Value::boolean(true));
}

TEST_CASE("a scope gives slots in the order of declaration") {
  Scope scope;
  CHECK(scope.declare("a") == 0);
  CHECK(scope.declare("b", Type::string) == 1);
  CHECK(scope.declare("a", Type::integer) == 0);
  CHECK(scope.size() == 2);
  CHECK(scope.slot_of("b") == 1u);
  CHECK_FALSE(scope.slot_of("c").has_value());
  const Scope copy = scope;
  scope.declare("c");
  CHECK(copy.size() == 2);
}

TEST_CASE("an embedded expression ends at its own brace") {
  const auto rest = [](const std::string& text) {
    const std::size_t end = end_of_embedded(text, text.find("${") + 2);
    return end == std::string::npos ? "none" : text.substr(end);
  };
  CHECK(rest("telemetry.${labels.site}.x") == "}.x");
  CHECK(rest("${ {'a': 1}['a'] }!") == "}!");
  CHECK(rest("${'}' + \"}\"}.${b}") == "}.${b}");
  CHECK(rest("${a + \"\"\"}\"\"\"}z") == "}z");
  CHECK(rest("${a") == "none");
  CHECK(rest("${{'a': 1}") == "none");
}

TEST_CASE("values as text in templates") {
  std::string out;
  CHECK(append_text(Value::text("a"), out));
  CHECK(append_text(Value::integer(-1), out));
  CHECK(append_text(Value::real(2.5), out));
  CHECK(append_text(Value::boolean(true), out));
  CHECK(append_text(Value::address("::1"), out));
  CHECK_FALSE(append_text(Value(), out));
  CHECK_FALSE(append_text(Value::list({}), out));
  CHECK_FALSE(append_text(Value::bytes("\xff"), out));
  CHECK_FALSE(append_text(Value::error("x"), out));
  CHECK(out == "a-12.5true::1");
}

TEST_CASE("a budget bounds an evaluation") {
  Expression expression("v.map(x, x * 2).size()");
  expression.with("v", Value::list(Value::List(1000)));
  expression.bindings.values[0] = Value::list(Value::List(1000, Value::integer(1)));
  CHECK(expression.result() == Value::integer(1000));
  CHECK(expression.evaluator.steps_used() > 1000);
  expression.evaluator.set_budget(100);
  CHECK(expression.result().is(Kind::error));
  CHECK(expression.evaluator.steps_used() == 100);
  expression.evaluator.set_budget(kStepsMax);
  CHECK(expression.result() == Value::integer(1000));
}

}  // namespace
}  // namespace railhead::expression
