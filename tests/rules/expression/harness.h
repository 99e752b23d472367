// An expression in three words: Expression("a + 1").with("a", value).result().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/expression/expression.h"

namespace railhead::expression::test {

class Values : public Bindings {
 public:
  std::vector<Value> values;
  int gets = 0;
  const Value& get(std::size_t slot) override {
    ++gets;
    return values.at(slot);
  }
};

class Expression {
 public:
  explicit Expression(std::string text) : text_(std::move(text)) {}
  Expression& with(const std::string& name, Value value, Type type = Type::any) {
    scope.declare(name, type);
    bindings.values.push_back(std::move(value));
    return *this;
  }
  std::shared_ptr<const Program> program() { return compile(text_, scope, problems); }
  Value result() {
    const auto compiled = program();
    if (compiled == nullptr) return Value::error(problems.empty() ? "?" : problems.front().message);
    return evaluator.evaluate(*compiled, bindings);
  }

  Scope scope;
  Values bindings;
  Evaluator evaluator;
  std::vector<Problem> problems;

 private:
  std::string text_;
};

}  // namespace railhead::expression::test
