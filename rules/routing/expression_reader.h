// ExpressionReader: a YAML node where an expression or a template is due -> a compiled one. Everything wrong becomes a
// diagnostic at its line and column inside the expression inside the YAML, with the quoted form as hint where YAML and
// the expression language collide (S29). Threads: one owner.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "rules/expression/expression.h"
#include "rules/routing/compiled.h"

namespace railhead::routing {

class ExpressionReader {
 public:
  explicit ExpressionReader(config::Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  // `what` names the field in messages: "when", "let asset", "body.celsius". nullptr after reporting errors.
  ExpressionPtr expression(const config::Node& node, std::string_view what, const expression::Scope& scope);
  // As expression(), and its type is checked to be bool as far as it is known.
  ExpressionPtr condition(const config::Node& node, std::string_view what, const expression::Scope& scope);
  std::optional<Template> text_template(const config::Node& node, std::string_view what,
                                        const expression::Scope& scope);

  // Which devices the rule at hand takes ("'boiler-1'"), for messages about points they do not have; empty: not known.
  void set_devices(std::string devices) { devices_ = std::move(devices); }
  // Variables that mean nothing where the next expressions stand, with the message and the hint.
  struct Forbidden {
    std::string message;
    std::string hint;
  };
  using ForbiddenSlots = std::map<std::size_t, Forbidden>;
  // `aggregates`: window functions may stand in them.
  void forbid(ForbiddenSlots slots, bool aggregates) {
    forbidden_ = std::move(slots);
    aggregates_ = aggregates;
  }
  // Told of each program with window functions; their slots begin at `first_slot`.
  using OnAggregates = std::function<void(const expression::Program&, std::size_t first_slot, const config::Node&)>;
  void on_aggregates(OnAggregates listener) { on_aggregates_ = std::move(listener); }
  // The expression `null`, for a YAML null.
  [[nodiscard]] ExpressionPtr null_literal(const expression::Scope& scope);

  [[nodiscard]] config::Diagnostics& diagnostics() { return diagnostics_; }

 private:
  ExpressionPtr compile(const config::Node& node, std::size_t offset, std::string_view text, std::string_view what,
                        const expression::Scope& scope);
  // Adds what the program may not read here.
  void check_reads(const expression::Program& program, std::string_view text,
                   std::vector<expression::Problem>& problems) const;
  // True after reporting that something other than an expression's text stands here.
  bool collides(const config::Node& node, std::string_view what);

  // `text`, a part of the `whole` template, holds {device} or {{device}}.
  void warn_of_braces(const config::Node& node, std::string_view whole, std::string_view text,
                      const expression::Scope& scope);
  // Puts what is known of YAML and of the devices into the words of a problem of the expression.
  void reword(expression::Problem& problem, const config::Node& node, std::string_view text,
              std::string_view what) const;

  config::Diagnostics& diagnostics_;
  std::string devices_;
  ForbiddenSlots forbidden_;
  bool aggregates_ = true;
  OnAggregates on_aggregates_;
};

// The text in YAML quotes: "..." or, if it holds such quotes or backslashes, '...'.
[[nodiscard]] std::string quoted_for_yaml(std::string_view text);
// "an int", of a value.
[[nodiscard]] std::string type_with_article(const Value& value);
[[nodiscard]] std::string with_article(std::string_view noun);

}  // namespace railhead::routing
