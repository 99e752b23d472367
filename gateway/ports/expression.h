// Expressions that stand in an adapter's own configuration (a subscription's `time:` and `split:`). An adapter knows no
// rule language: it hands over the text and gets back something that turns a reading into a value.
// Threads: an ExpressionPlan is immutable and shared; a ReadingExpression is one source thread's.
#pragma once

#include <memory>
#include <string_view>

#include "gateway/message/reading.h"
#include "gateway/message/value.h"

namespace railhead::config {
class Node;
class Diagnostics;
}  // namespace railhead::config

namespace railhead::ports {

class ReadingExpression {
 public:
  virtual ~ReadingExpression() = default;
  // Never throws, bounded. What fails is a Value of kind error.
  [[nodiscard]] virtual Value evaluate(const Reading& reading) = 0;
};

class ExpressionPlan {
 public:
  virtual ~ExpressionPlan() = default;
  [[nodiscard]] virtual std::unique_ptr<ReadingExpression> open() const = 0;
};

class ExpressionCompiler {
 public:
  virtual ~ExpressionCompiler() = default;
  // `what` names the field in messages. nullptr after reporting errors.
  [[nodiscard]] virtual std::shared_ptr<const ExpressionPlan> compile(const config::Node& node, std::string_view what,
                                                                      config::Diagnostics& diagnostics) const = 0;
};

}  // namespace railhead::ports
