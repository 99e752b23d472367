// Configured: what the configuration alone decides. `${labels.site}` and `${gateway}` are written out when a template
// is read, so that most topics are plain texts when readings come. Threads: one owner.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "gateway/message/value.h"
#include "rules/expression/expression.h"
#include "rules/routing/compiled.h"

namespace railhead::routing {

class Configured final : private expression::Bindings {
 public:
  Configured(const std::string& gateway, const std::map<std::string, std::string>& labels);

  [[nodiscard]] const Value& gateway() const { return gateway_; }
  [[nodiscard]] const Value& labels() const { return labels_; }
  // Of an expression that reads nothing else and does not fail.
  [[nodiscard]] std::optional<Value> value_of(const expression::Program& program);
  // Such expressions become text, and neighbouring texts one.
  void write_out(Template& text);

 private:
  const Value& get(std::size_t slot) override;

  const Value gateway_;
  const Value labels_;
  expression::Evaluator evaluator_;
};

}  // namespace railhead::routing
