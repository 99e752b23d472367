// Hostile expressions end in a bounded time with an error, and honest ones cost no memory.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "tests/rules/expression/allocations.h"
#include "tests/rules/expression/harness.h"

namespace railhead::expression {
namespace {

using test::Expression;

std::string repeated(std::string_view part, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += part;
  return text;
}

// Far above what any of these takes, sanitizers and a busy machine included, and far below what an unbounded one would.
constexpr std::chrono::seconds kAtMost{10};

Value within_bounds(Expression& expression) {
  const auto before = std::chrono::steady_clock::now();
  Value result = expression.result();
  CHECK(std::chrono::steady_clock::now() - before < kAtMost);
  return result;
}

bool fails_with(Expression& expression, std::string_view words) {
  const Value result = within_bounds(expression);
  if (!result.is(Kind::error)) return false;
  INFO("error: " << result.as_text());
  CHECK(result.as_text().find(words) != std::string_view::npos);
  return true;
}

bool fails_with(Expression&& expression, std::string_view words) { return fails_with(expression, words); }

TEST_CASE("depth is refused, not recursed into") {
  for (const std::size_t depth : {std::size_t{300}, std::size_t{5'000}}) {
    CHECK(fails_with(Expression(repeated("(", depth) + "1" + repeated(")", depth)), "nested too deeply"));
    CHECK(fails_with(Expression(repeated("[", depth) + repeated("]", depth)), "nested too deeply"));
    CHECK(fails_with(Expression(repeated("{1:", depth) + "1" + repeated("}", depth)), "nested too deeply"));
    CHECK(fails_with(Expression(repeated("!", depth) + "true"), "too many signs"));
    CHECK(fails_with(Expression(repeated("- ", depth) + "x"), "too many signs"));
    CHECK(fails_with(Expression(repeated("size(", depth) + "1" + repeated(")", depth)), "nested too deeply"));
    CHECK(fails_with(Expression(repeated("[1].map(x,", depth) + "1" + repeated(")", depth)), ""));
    CHECK(fails_with(Expression(repeated("(", depth)), "nested too deeply"));
  }
  CHECK(fails_with(Expression(repeated("true ? 1 : ", 5000) + "2"), "nested too deeply"));
  CHECK(fails_with(Expression("1" + repeated(" + 1", 15'000)), "nested too deeply"));
  CHECK(fails_with(Expression("x" + repeated(".a", 15'000)), "nested too deeply"));
  CHECK(fails_with(Expression("x" + repeated("[0]", 15'000)), "nested too deeply"));
  CHECK(fails_with(Expression("true" + repeated(" == true", 8'000)), "nested too deeply"));
}

TEST_CASE("depth that people write is fine") {
  CHECK(Expression(repeated("(", 200) + "1" + repeated(")", 200)).result() == Value::integer(1));
  CHECK(Expression("1" + repeated(" + 1", 900)).result() == Value::integer(901));
  CHECK(Expression("true" + repeated(" && true", 8'000)).result() == Value::boolean(true));
  CHECK(Expression(repeated("false ? 1 : ", 200) + "2").result() == Value::integer(2));
  CHECK(Expression(repeated("[1].map(x,", 60) + "x" + repeated(")[0]", 60)).result() == Value::integer(1));
}

TEST_CASE("size is refused") {
  CHECK(fails_with(Expression(std::string(kTextMax + 1, ' ')), "too long"));
  CHECK(fails_with(Expression("[" + repeated("1,", kNodesMax + 1) + "1]"), "too long"));
  CHECK(Expression("'" + std::string(60'000, 'x') + "'.size()").result() == Value::integer(60'000));
}

TEST_CASE("work is bounded") {
  // Ten items, nested: 10^8 turns if it went on.
  const std::string ten = "[0,1,2,3,4,5,6,7,8,9]";
  std::string nested = "x >= 0";
  for (int i = 0; i < 8; ++i) nested = ten + ".all(x, " + nested + ")";
  CHECK(fails_with(Expression("a && " + nested).with("a", Value::boolean(true)), "too much work"));

  Value::List many;
  for (int i = 0; i < 200'000; ++i) many.push_back(Value::integer(i));
  const Value huge = Value::list(std::move(many));
  CHECK(fails_with(Expression("v.all(x, v.exists(y, y == x))").with("v", huge), "too much work"));
  CHECK(fails_with(Expression("v.map(x, v)  == v.map(x, v)").with("v", huge), ""));
  CHECK(fails_with(Expression("v.filter(x, x in v)").with("v", huge), "too much work"));
  CHECK(fails_with(Expression("(v + v).size()").with("v", huge), "too large"));
  CHECK(fails_with(Expression("v.map(x, string(x)).join('" + std::string(100, '-') + "')").with("v", huge), "too"));
  CHECK(Expression("v.all(x, x >= 0)").with("v", huge).result() == Value::boolean(true));
}

TEST_CASE("a billion laughs stop") {
  std::string doubling = "'0123456789abcdef'";
  for (int i = 0; i < 40; ++i) doubling = "cel.bind(s, " + doubling + ", s + s)";
  CHECK(fails_with(Expression("a ? " + doubling + " : ''").with("a", Value::boolean(true)), "too"));
  std::string lists = "['lol']";
  for (int i = 0; i < 40; ++i) lists = "cel.bind(l, " + lists + ", l + l)";
  CHECK(fails_with(Expression("a ? " + lists + " : []").with("a", Value::boolean(true)), "too"));
  std::string replacing = "t";
  for (int i = 0; i < 12; ++i) replacing += ".replace('a', 'aaaaaaaaaaaaaaaa')";
  CHECK(fails_with(Expression(replacing).with("t", Value::text("a")), "too"));
  CHECK(fails_with(Expression("'%s%s%s%s%s%s%s%s%s%s'.format([t,t,t,t,t,t,t,t,t,t])")
                       .with("t", Value::text(std::string(1'000'000, 'x'))),
                   "too"));
}

TEST_CASE("searching and matching are linear") {
  const Value text = Value::text(std::string(1'000'000, 'a'));
  const Value wanted = Value::text(std::string(500'000, 'a') + "b");
  CHECK(Expression("t.contains(w)").with("t", text).with("w", wanted).result() == Value::boolean(false));
  CHECK(Expression("t.matches('^(a+)+$')").with("t", text).result() == Value::boolean(true));
  Expression ambiguous("t.matches('(a*)*(a*)*(a*)*b$')");
  CHECK(within_bounds(ambiguous.with("t", text)) == Value::boolean(false));
  Expression counted("t.matches('((((a{1,100}){1,100}){1,100}){1,100})')");
  CHECK(within_bounds(counted.with("t", text)).is(Kind::error));
  Expression many_matches("t.lastIndexOf(w)");
  CHECK(within_bounds(many_matches.with("t", text).with("w", Value::text(std::string(400'000, 'a')))).is(Kind::error));
}

TEST_CASE("a pattern of many states is charged for them") {
  Expression hostile(R"(v.matches("((a?){1,30}){1,30}a{900}$"))");
  CHECK(fails_with(hostile.with("v", Value::text(std::string(200'000, 'a'))), "too much work"));
  Expression honest(R"(v.matches("^(boiler|pump)-[0-9]{1,3}$"))");
  CHECK(within_bounds(honest.with("v", Value::text(std::string(200'000, 'a')))) == Value::boolean(false));
}

TEST_CASE("a result that would be huge when it is written out is refused") {
  std::string text = "g";
  for (const char* const step : {"g f", "f e", "e d", "d c", "c b", "b a"}) {
    const std::string name(step, 1);
    const std::string of(step + 2, 1);
    text = "cel.bind(" + name + ", [" + of + repeated(", " + of, 9) + "], " + text + ")";
  }
  CHECK(fails_with(Expression("cel.bind(a, [v" + repeated(", v", 9) + "], " + text + ")").with("v", Value::integer(1)),
                   "too much work"));
  CHECK(fails_with(Expression("[v" + repeated(", v", 99) + "]").with("v", Value::text(std::string(1'000'000, 'a'))),
                   "too much work"));
}

TEST_CASE("a comparison of shared structures is bounded") {
  // 2^40 pairs if each were visited.
  Value left = Value::integer(1);
  Value right = Value::integer(1);
  for (int i = 0; i < 40; ++i) {
    left = Value::list({left, left});
    right = Value::list({right, right});
  }
  CHECK(fails_with(Expression("a == b").with("a", left).with("b", right), "too much work"));
  CHECK(fails_with(Expression("[a] == [b] || a in [b]").with("a", left).with("b", right), "too much work"));
  CHECK(fails_with(Expression("'%s'.format([a])").with("a", left), "too much work"));
}

TEST_CASE("a scalar expression allocates nothing in steady state") {
  const Value reading = Value::map({{Value::text("temperature"), Value::real(93.5)},
                                    {Value::text("pressure"), Value::real(2.1)},
                                    {Value::text("burner_on"), Value::boolean(true)},
                                    {Value::text("count"), Value::integer(7)}});
  const char* const expressions[] = {
      "quality == \"good\" && value.temperature > 0",
      "value.temperature * 1.8 + 32",
      "value.temperature > 90.0 && value.burner_on ? value.pressure * 100.0 : 0.0",
      "(value.count + 3) * 2 % 5 == 0 || has(value.flow)",
      "device.startsWith(\"boiler\") && device.matches(\"^boiler-[0-9]+$\")",
      "string(value.count) + \"x\"",
      "time + duration(\"1s\") > timestamp(\"2026-01-01T00:00:00Z\")",
      "math.abs(value.temperature - 100.0) < 10.0",
      "[1, 7, 9].exists(x, x == value.count)",
      "value.count in [1, 7, 9]",
      "size(device) + device.indexOf(\"-\")",
      "time.getHours(\"+02:00\") >= 6",
      "value.?flow.orValue(1.5) + value[?'pressure'].orValue(0.0)",
      "value.?flow.or(value.?pump.speed).or(value.?pressure).orValue(1.5)",
      "value.?flow.hasValue() || value.?pressure.hasValue()",
  };
  for (const char* const text : expressions) {
    Expression expression(text);
    expression.with("value", reading).with("quality", Value::text("good")).with("device", Value::text("boiler-1"));
    expression.with("time", Value::timestamp(Time{Duration{1'767'225'600'000'000'000}}));
    const auto program = expression.program();
    REQUIRE_MESSAGE(program != nullptr, text);
    for (int i = 0; i < 3; ++i)
      CHECK_FALSE(expression.evaluator.evaluate(*program, expression.bindings).is(Kind::error));
    const std::uint64_t before = railhead::test::allocations();
    bool error = false;
    for (int i = 0; i < 100; ++i) {
      error = error || expression.evaluator.evaluate(*program, expression.bindings).is(Kind::error);
    }
    CHECK_MESSAGE(railhead::test::allocations() - before == 0, text);
    CHECK_FALSE(error);
  }
}

TEST_CASE("the counter counts") {
  const std::uint64_t before = railhead::test::allocations();
  const Value list = Value::list({Value::integer(1)});
  CHECK(railhead::test::allocations() > before);
}

}  // namespace
}  // namespace railhead::expression
