// What stands behind Fields<T>; for the files of this room only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/fields.h"
#include "gateway/config/json.h"

namespace railhead::config {

// Which field is being read, for messages and bounds.
struct FieldContext {
  std::string_view name;
  const FieldDoc& doc;
  Diagnostics& diagnostics;

  void error(const Node& at, std::string_view what, std::string hint = {}) const {
    diagnostics.error(at, std::string(name) + ": " + std::string(what), std::move(hint));
  }
};

class Shape {
 public:
  virtual ~Shape() = default;
  // Leaves *target alone after a mistake, which it reports. Never called with an absent or broken node.
  virtual void read(const Node& node, void* target, const FieldContext& context) const = 0;
  // "a duration", "a list of texts".
  [[nodiscard]] virtual std::string type() const = 0;
  // "durations".
  [[nodiscard]] virtual std::string plural() const { return type() + "s"; }
  // A value in the notation of the file; "" when there is none worth showing.
  [[nodiscard]] virtual std::string show(const void* value) const = 0;
  [[nodiscard]] virtual Json schema(const FieldDoc& doc) const = 0;
  // A bound as a number of the shape's own; nullopt: not of this shape's notation.
  [[nodiscard]] virtual std::optional<double> measure(std::string_view) const { return std::nullopt; }
  // Its values are never shown.
  [[nodiscard]] virtual bool is_secret() const { return false; }
  // The table inside, and how its place is written behind the field's name: "", "[]", ".<name>".
  [[nodiscard]] virtual std::shared_ptr<const FieldsCore> table() const { return nullptr; }
  [[nodiscard]] virtual std::string path() const { return {}; }
};

struct FieldRow {
  std::string name;
  ShapePtr shape;
  std::ptrdiff_t offset = 0;
  FieldDoc doc;
  std::string shown_default;
};

class FieldsCore {
 public:
  struct Exclusive {
    std::vector<std::string_view> names;
    bool one_is_due = false;
  };
  struct Others {
    FieldRow row;  // its name stands for the unknown names
    MapSteps steps;
  };

  std::string title;
  std::string sentence;
  std::vector<FieldRow> rows;
  std::vector<Exclusive> exclusives;
  std::optional<Others> others;
  std::optional<std::ptrdiff_t> mark;
  Meant meant = nullptr;

  [[nodiscard]] const FieldRow* find(std::string_view name) const;
  [[nodiscard]] Json schema() const;
};

// "[10 ms, 1 h]" with what there is of it.
[[nodiscard]] std::string bounds_text(const FieldDoc& doc);
[[nodiscard]] std::string bound_text(const Bound& bound);

}  // namespace railhead::config
