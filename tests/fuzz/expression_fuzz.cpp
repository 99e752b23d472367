// Fuzz target: any text as an expression over some variables; whatever compiles is evaluated. Crashes, leaks and runs
// of more than a second or so are findings.
// Rooms: rules/expression
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "gateway/message/json.h"
#include "rules/expression/expression.h"

namespace {

using railhead::Value;
namespace expression = railhead::expression;

class Variables : public expression::Bindings {
 public:
  std::vector<Value> values;
  const Value& get(std::size_t slot) override { return values[slot]; }
};

struct World {
  World() {
    strict.declare("value", expression::Type::map);
    strict.declare_fields("value", {{"t", expression::Type::real}, {"n", expression::Type::integer}}, false);
    strict.declare("list", expression::Type::list);
    strict.declare("text", expression::Type::string);
    strict.declare("time", expression::Type::timestamp);
    strict.declare("any.of");
    strict.declare_aggregate("mean", 1, 1, expression::Type::real);
    lenient = strict;
    lenient.check_types_at_run_time();
    Value::List items;
    for (int i = 0; i < 100; ++i) items.push_back(Value::integer(i));
    variables.values = {Value::map({{Value::text("t"), Value::real(21.5)}, {Value::text("n"), Value::integer(7)}}),
                        Value::list(std::move(items)), Value::text("boiler-1 °C"), Value::timestamp({}),
                        Value::uinteger(3)};
    variables.values.resize(variables.values.size() + 64, Value::real(1.5));
  }
  expression::Scope strict;
  expression::Scope lenient;
  Variables variables;
  expression::Evaluator evaluator;
};

void run(std::string_view text, const expression::Scope& scope, World& world) {
  std::vector<expression::Problem> problems;
  const auto program = expression::compile(text, scope, problems);
  bool wrong = false;
  for (const expression::Problem& problem : problems) {
    wrong = wrong || !problem.warning;
    if (problem.offset > text.size() || problem.length == 0 || problem.message.empty()) std::abort();
  }
  if (wrong != (program == nullptr)) std::abort();
  if (program == nullptr || program->aggregates().size() > 64) return;
  const Value result = world.evaluator.evaluate(*program, world.variables);
  if (world.evaluator.steps_used() > expression::kStepsMax) std::abort();
  if (program->constant() && !result.is(railhead::Kind::error) && !(result == *program->constant()) &&
      !result.is(railhead::Kind::real) && !result.is(railhead::Kind::list) && !result.is(railhead::Kind::map)) {
    std::abort();
  }
  std::string out;
  static_cast<void>(expression::append_text(result, out));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  run(text, world.strict, world);
  run(text, world.lenient, world);
  static_cast<void>(expression::end_of_embedded(text, 0));
  return 0;
}
