// What the converters of scalars have in common; for the *_shapes.cpp of this room only.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/config/shape.h"

namespace railhead::config {

// What a converter sees: the text, and whether it was written as a plain scalar (a number has no quotes) or came from
// the environment or a file, where there are none.
struct Written {
  std::string_view text;
  const Node& node;
  bool in_quotes = false;
};

[[nodiscard]] bool begins_number(std::string_view text);
// What stands behind the number in "5 sec".
[[nodiscard]] std::string_view unit_of(std::string_view text);
// "minimum" and "maximum" of a plain number.
void add_bounds(Json& json, const Shape& shape, const FieldDoc& doc);

class ScalarShape : public Shape {
 public:
  void read(const Node& node, void* target, const FieldContext& context) const override {
    if (node.is_null()) {
      std::string hint;
      if (!context.doc.example.empty()) hint = "like " + std::string(context.doc.example);
      context.error(node, "no value, " + type() + " is due", std::move(hint));
      return;
    }
    if (!node.is_scalar() && !is_indirect(node)) {
      context.error(node, "expected " + type() + ", not " + std::string(node.kind_name()));
      return;
    }
    const std::optional<std::string> text = read_text(node, type(), context.diagnostics);
    if (text) convert({*text, node, node.quoted()}, target, context);
  }
  [[nodiscard]] Json schema(const FieldDoc& doc) const override {
    Json indirect;
    indirect["$ref"] = "#/$defs/indirect";
    Json json;
    json["anyOf"] = Json::list({scalar_schema(doc), std::move(indirect)});
    return json;
  }

 protected:
  virtual void convert(const Written& written, void* target, const FieldContext& context) const = 0;
  [[nodiscard]] virtual Json scalar_schema(const FieldDoc& doc) const = 0;

  // False after reporting that `value` lies outside the field's bounds.
  [[nodiscard]] bool within_bounds(double value, const Written& written, const FieldContext& context) const {
    const std::string& low = context.doc.min.text();
    const std::string& high = context.doc.max.text();
    const bool too_low = !low.empty() && value < *measure(low);
    const bool too_high = !high.empty() && value > *measure(high);
    if (!too_low && !too_high) return true;
    std::string due = too_low ? "at least " + bound_text(context.doc.min) : "at most " + bound_text(context.doc.max);
    if (!low.empty() && !high.empty())
      due = "between " + bound_text(context.doc.min) + " and " + bound_text(context.doc.max);
    context.error(written.node, std::string(written.text) + (too_low ? " is too small: " : " is too large: ") + due);
    return false;
  }
  [[nodiscard]] bool without_quotes(const Written& written, const FieldContext& context) const {
    if (!written.in_quotes) return true;
    context.error(written.node, "expected " + type() + ", not a text in quotes",
                  "without the quotes: " + std::string(written.text));
    return false;
  }
};

// One shape of a kind is enough.
template <class S>
[[nodiscard]] ShapePtr shared() {
  static const ShapePtr shape = std::make_shared<const S>();
  return shape;
}

}  // namespace railhead::config
