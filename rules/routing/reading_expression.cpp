#include "rules/routing/reading_expression.h"

#include <array>
#include <utility>

#include "gateway/base/assert.h"
#include "rules/expression/expression.h"
#include "rules/routing/expression_reader.h"

namespace railhead::routing {
namespace {

using expression::Type;

enum Variable : std::size_t { kValue, kQuality, kBad, kTime, kSource, kDevice, kAttributes };
struct Named {
  std::string_view name;
  Type type;
};
constexpr std::array kVariables{Named{"value", Type::any},     Named{"quality", Type::string},
                                Named{"bad", Type::any},       Named{"time", Type::timestamp},
                                Named{"source", Type::string}, Named{"device", Type::string},
                                Named{"attributes", Type::any}};

class Evaluation final : public ports::ReadingExpression, private expression::Bindings {
 public:
  explicit Evaluation(ExpressionPtr program) : program_(std::move(program)) {}

  Value evaluate(const Reading& reading) override {
    reading_ = &reading;
    return evaluator_.evaluate(*program_, *this);
  }

 private:
  const Value& get(std::size_t slot) override {
    switch (slot) {
      case kValue: return reading_->value;
      case kBad: return reading_->bad;
      case kAttributes: return reading_->attributes;
      case kQuality: return made_ = Value::text(name_of(reading_->quality));
      case kTime: return time_ = Value::timestamp(reading_->time);
      case kSource: return source_ = Value::text(reading_->source);
      default: return device_ = Value::text(reading_->device);
    }
  }

  const ExpressionPtr program_;
  expression::Evaluator evaluator_;
  const Reading* reading_ = nullptr;
  // Each its own: a reference must stay valid until the evaluation ends.
  Value made_;
  Value time_;
  Value source_;
  Value device_;
};

class Plan final : public ports::ExpressionPlan {
 public:
  explicit Plan(ExpressionPtr program) : program_(std::move(program)) {}
  std::unique_ptr<ports::ReadingExpression> open() const override { return std::make_unique<Evaluation>(program_); }

 private:
  const ExpressionPtr program_;
};

class Compiler final : public ports::ExpressionCompiler {
 public:
  std::shared_ptr<const ports::ExpressionPlan> compile(const config::Node& node, std::string_view what,
                                                       config::Diagnostics& diagnostics) const override {
    expression::Scope scope;
    for (std::size_t i = 0; i < kVariables.size(); ++i) {
      RAILHEAD_ASSERT(scope.declare(std::string(kVariables[i].name), kVariables[i].type) == i);
    }
    ExpressionPtr program = ExpressionReader(diagnostics).expression(node, what, scope);
    return program ? std::make_shared<Plan>(std::move(program)) : nullptr;
  }
};

}  // namespace

const ports::ExpressionCompiler& reading_expressions() {
  static const Compiler compiler;
  return compiler;
}

}  // namespace railhead::routing
