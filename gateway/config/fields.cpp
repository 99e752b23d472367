#include "gateway/config/fields.h"

#include <algorithm>
#include <set>

#include "gateway/base/assert.h"
#include "gateway/base/text.h"
#include "gateway/config/reference.h"
#include "gateway/config/shape.h"

namespace railhead::config {
namespace {

constexpr std::size_t kNamesInHint = 14;

void* at_offset(void* object, std::ptrdiff_t offset) { return static_cast<char*>(object) + offset; }

std::string in_ticks(std::string_view text) { return "'" + std::string(text) + "'"; }

// "did you mean 'limit'?", or all there are when they are few.
std::string name_hint(std::string_view unknown, const std::vector<std::string>& known,
                      std::optional<std::string>& nearest) {
  nearest = base::nearest(unknown, known);
  if (nearest) return "did you mean " + in_ticks(*nearest) + "?";
  if (known.empty() || known.size() > kNamesInHint) return {};
  std::string hint = "known are";
  for (std::size_t i = 0; i < known.size(); ++i) hint += (i == 0 ? " " : ", ") + known[i];
  return hint;
}

class Reader {
 public:
  Reader(const FieldsCore& fields, const Node& node, void* options, Diagnostics& diagnostics)
      : fields_(fields), node_(node), options_(options), diagnostics_(diagnostics) {}

  void read() {
    if (fields_.mark) *static_cast<Mark*>(at_offset(options_, *fields_.mark)) = node_.mark();
    if (!node_.is_map() && !node_.is_null()) {
      diagnostics_.error(node_, fields_.title + " is a map of fields, not " + std::string(node_.kind_name()),
                         written_out());
      return;
    }
    for (const Member& member : node_.members()) read_member(member);
    check_exclusives();
    check_missing();
  }

 private:
  // What a text alone probably means: the first field that is due, in a small table the first.
  [[nodiscard]] std::string written_out() const {
    constexpr std::size_t kShownMost = 60;
    if (!node_.is_scalar() || fields_.rows.empty() || node_.text().size() > kShownMost) return {};
    const auto due =
        std::find_if(fields_.rows.begin(), fields_.rows.end(), [](const FieldRow& row) { return row.doc.required; });
    constexpr std::size_t kSmall = 3;
    if (due == fields_.rows.end() && fields_.rows.size() > kSmall) return {};
    const FieldRow& row = due == fields_.rows.end() ? fields_.rows.front() : *due;
    return "like { " + row.name + ": " + std::string(node_.text()) + " }";
  }
  void read_member(const Member& member) {
    seen_.insert(member.name());
    if (const FieldRow* row = fields_.find(member.name())) {
      if (!member.value.is_broken()) {
        row->shape->read(member.value, at_offset(options_, row->offset), {row->name, row->doc, diagnostics_});
      }
      return;
    }
    if (fields_.others) {
      const FieldsCore::Others& others = *fields_.others;
      if (!member.value.is_broken()) {
        void* map = at_offset(options_, others.row.offset);
        others.row.shape->read(member.value, others.steps.insert(map, std::string(member.name())),
                               {member.name(), others.row.doc, diagnostics_});
      }
      return;
    }
    std::vector<std::string> known;
    for (const FieldRow& row : fields_.rows) {
      if (!seen_.contains(row.name)) known.push_back(row.name);
    }
    std::optional<std::string> nearest;
    std::string hint = name_hint(member.name(), known, nearest);
    if (fields_.meant != nullptr && !fields_.meant(member.name()).empty()) {
      nearest = fields_.meant(member.name());
      hint = "did you mean " + in_ticks(*nearest) + "?";
    }
    if (nearest) misspelt_.insert(*nearest);
    diagnostics_.error(member.key, "unknown field " + in_ticks(member.name()) + " in " + fields_.title,
                       std::move(hint));
  }

  void check_exclusives() {
    for (const FieldsCore::Exclusive& exclusive : fields_.exclusives) {
      std::vector<std::string_view> written;
      std::string names;
      bool misspelt = false;
      for (const std::string_view name : exclusive.names) {
        if (seen_.contains(name)) written.push_back(name);
        misspelt |= misspelt_.contains(std::string(name));
        names += (names.empty() ? "" : ", ") + std::string(name);
      }
      if (written.size() > 1) {
        for (const Member& member : node_.members()) {
          if (member.name() == written[1]) {
            diagnostics_.error(member.key,
                               in_ticks(written[0]) + " and " + in_ticks(written[1]) + " exclude each other",
                               "one of " + names);
          }
        }
      } else if (written.empty() && exclusive.one_is_due && !misspelt && !node_.is_unfinished()) {
        diagnostics_.error(node_, fields_.title + " needs one of " + names);
      }
    }
  }

  void check_missing() {
    if (node_.is_unfinished()) return;
    for (const FieldRow& row : fields_.rows) {
      if (!row.doc.required || seen_.contains(row.name) || misspelt_.contains(row.name)) continue;
      std::string hint;
      if (!row.doc.example.empty()) hint = "like " + row.name + ": " + std::string(row.doc.example);
      diagnostics_.error(node_, fields_.title + " needs the field " + in_ticks(row.name), std::move(hint));
    }
  }

  const FieldsCore& fields_;
  const Node& node_;
  void* options_;
  Diagnostics& diagnostics_;
  std::set<std::string_view> seen_;
  std::set<std::string> misspelt_;
};

class OptionalShape final : public Shape {
 public:
  OptionalShape(ShapePtr inner, const OptionalSteps& steps) : inner_(std::move(inner)), steps_(steps) {}
  void read(const Node& node, void* target, const FieldContext& context) const override {
    const std::size_t errors = context.diagnostics.error_count();
    inner_->read(node, steps_.emplace(target), context);
    if (context.diagnostics.error_count() != errors && inner_->table() == nullptr) steps_.reset(target);
  }
  [[nodiscard]] std::string type() const override { return inner_->type(); }
  [[nodiscard]] std::string plural() const override { return inner_->plural(); }
  [[nodiscard]] std::string show(const void* value) const override {
    const void* inside = steps_.get(value);
    return inside == nullptr ? std::string() : inner_->show(inside);
  }
  [[nodiscard]] Json schema(const FieldDoc& doc) const override { return inner_->schema(doc); }
  [[nodiscard]] std::optional<double> measure(std::string_view text) const override { return inner_->measure(text); }
  [[nodiscard]] bool is_secret() const override { return inner_->is_secret(); }
  [[nodiscard]] std::shared_ptr<const FieldsCore> table() const override { return inner_->table(); }
  [[nodiscard]] std::string path() const override { return inner_->path(); }

 private:
  ShapePtr inner_;
  OptionalSteps steps_;
};

class ListShape final : public Shape {
 public:
  ListShape(ShapePtr inner, const ListSteps& steps) : inner_(std::move(inner)), steps_(steps) {}
  void read(const Node& node, void* target, const FieldContext& context) const override {
    if (!node.is_list()) {
      const std::string hint = node.is_scalar() ? "write [" + std::string(node.rest_of_line()) + "]" : std::string();
      context.error(node, "expected " + type() + ", not " + std::string(node.kind_name()),
                    node.is_scalar() && node.rest_of_line() == node.text() ? hint : std::string());
      return;
    }
    if (context.doc.not_empty && node.items().empty()) context.error(node, "the list is empty");
    steps_.clear(target);
    for (const Node& item : node.items()) {
      if (!item.is_broken()) inner_->read(item, steps_.append(target), context);
    }
  }
  [[nodiscard]] std::string type() const override { return "a list of " + inner_->plural(); }
  [[nodiscard]] std::string plural() const override { return "lists of " + inner_->plural(); }
  [[nodiscard]] std::string show(const void* value) const override {
    std::string shown;
    for (std::size_t i = 0; i < steps_.size(value); ++i) {
      shown += (i == 0 ? "" : ", ") + inner_->show(steps_.at(value, i));
    }
    return shown.empty() ? shown : "[" + shown + "]";
  }
  [[nodiscard]] Json schema(const FieldDoc& doc) const override {
    Json json;
    json["type"] = "array";
    json["items"] = inner_->schema(doc);
    if (doc.not_empty) json["minItems"] = Json::number(1);
    return json;
  }
  [[nodiscard]] std::optional<double> measure(std::string_view text) const override { return inner_->measure(text); }
  [[nodiscard]] bool is_secret() const override { return inner_->is_secret(); }
  [[nodiscard]] std::shared_ptr<const FieldsCore> table() const override { return inner_->table(); }
  [[nodiscard]] std::string path() const override { return "[]" + inner_->path(); }

 private:
  ShapePtr inner_;
  ListSteps steps_;
};

class MapShape final : public Shape {
 public:
  MapShape(ShapePtr inner, const MapSteps& steps) : inner_(std::move(inner)), steps_(steps) {}
  void read(const Node& node, void* target, const FieldContext& context) const override {
    if (!node.is_map()) {
      context.error(node, "expected " + type() + ", not " + std::string(node.kind_name()));
      return;
    }
    if (context.doc.not_empty && node.members().empty()) context.error(node, "the map is empty");
    steps_.clear(target);
    for (const Member& member : node.members()) {
      if (context.doc.key_check != nullptr) {
        if (const std::string fault = context.doc.key_check(member.name()); !fault.empty())
          context.error(member.key, fault);
      }
      if (!member.value.is_broken())
        inner_->read(member.value, steps_.insert(target, std::string(member.name())), context);
    }
  }
  [[nodiscard]] std::string type() const override { return "a map of names to " + inner_->plural(); }
  [[nodiscard]] std::string plural() const override { return "maps of names to " + inner_->plural(); }
  [[nodiscard]] std::string show(const void*) const override { return {}; }
  [[nodiscard]] Json schema(const FieldDoc& doc) const override {
    Json json;
    json["type"] = "object";
    json["additionalProperties"] = inner_->schema(doc);
    return json;
  }
  [[nodiscard]] std::optional<double> measure(std::string_view text) const override { return inner_->measure(text); }
  [[nodiscard]] bool is_secret() const override { return inner_->is_secret(); }
  [[nodiscard]] std::shared_ptr<const FieldsCore> table() const override { return inner_->table(); }
  [[nodiscard]] std::string path() const override { return ".<name>" + inner_->path(); }

 private:
  ShapePtr inner_;
  MapSteps steps_;
};

class LocatedShape final : public Shape {
 public:
  LocatedShape(ShapePtr inner, const LocatedSteps& steps) : inner_(std::move(inner)), steps_(steps) {}
  void read(const Node& node, void* target, const FieldContext& context) const override {
    steps_.place(target, node.mark(), node.length());
    inner_->read(node, steps_.value(target), context);
  }
  [[nodiscard]] std::string type() const override { return inner_->type(); }
  [[nodiscard]] std::string plural() const override { return inner_->plural(); }
  // Why: only the address is taken, nothing is written through it.
  [[nodiscard]] std::string show(const void* value) const override {
    return inner_->show(steps_.value(const_cast<void*>(value)));
  }
  [[nodiscard]] Json schema(const FieldDoc& doc) const override { return inner_->schema(doc); }
  [[nodiscard]] std::optional<double> measure(std::string_view text) const override { return inner_->measure(text); }
  [[nodiscard]] bool is_secret() const override { return inner_->is_secret(); }
  [[nodiscard]] std::shared_ptr<const FieldsCore> table() const override { return inner_->table(); }
  [[nodiscard]] std::string path() const override { return inner_->path(); }

 private:
  ShapePtr inner_;
  LocatedSteps steps_;
};

class TableShape final : public Shape {
 public:
  explicit TableShape(std::shared_ptr<const FieldsCore> fields) : fields_(std::move(fields)) {}
  void read(const Node& node, void* target, const FieldContext& context) const override {
    read_fields(*fields_, node, target, context.diagnostics);
  }
  [[nodiscard]] std::string type() const override { return "a map of fields"; }
  [[nodiscard]] std::string plural() const override { return "maps of fields"; }
  [[nodiscard]] std::string show(const void*) const override { return {}; }
  [[nodiscard]] Json schema(const FieldDoc&) const override { return fields_->schema(); }
  [[nodiscard]] std::shared_ptr<const FieldsCore> table() const override { return fields_; }

 private:
  std::shared_ptr<const FieldsCore> fields_;
};

FieldRow make_row(std::string_view name, ShapePtr shape, std::ptrdiff_t offset, FieldDoc doc) {
  FieldRow row;
  row.name = name;
  row.shape = std::move(shape);
  row.offset = offset;
  row.doc = std::move(doc);
  // A bound must be in the notation of its field.
  for (const Bound* bound : {&row.doc.min, &row.doc.max})
    RAILHEAD_ASSERT(bound->text().empty() || row.shape->measure(bound->text()));
  return row;
}

}  // namespace

Bound::Bound(double number) : text_(base::shortest(number)) {}
Bound::Bound(ByteSize size) : text_(std::to_string(size.value()) + " B") {}

ShapePtr optional_shape(ShapePtr inner, const OptionalSteps& steps) {
  return std::make_shared<const OptionalShape>(std::move(inner), steps);
}
ShapePtr list_shape(ShapePtr inner, const ListSteps& steps) {
  return std::make_shared<const ListShape>(std::move(inner), steps);
}
ShapePtr map_shape(ShapePtr inner, const MapSteps& steps) {
  return std::make_shared<const MapShape>(std::move(inner), steps);
}
ShapePtr located_shape(ShapePtr inner, const LocatedSteps& steps) {
  return std::make_shared<const LocatedShape>(std::move(inner), steps);
}
ShapePtr table_shape(std::shared_ptr<const FieldsCore> fields) {
  return std::make_shared<const TableShape>(std::move(fields));
}

std::shared_ptr<FieldsCore> new_fields(std::string_view title, std::string_view sentence) {
  auto fields = std::make_shared<FieldsCore>();
  fields->title = title;
  fields->sentence = sentence;
  return fields;
}

void add_field(FieldsCore& fields, std::string_view name, ShapePtr shape, std::ptrdiff_t offset, FieldDoc doc,
               const void* defaults) {
  RAILHEAD_ASSERT(fields.find(name) == nullptr);
  FieldRow row = make_row(name, std::move(shape), offset, std::move(doc));
  if (!row.doc.required) row.shown_default = row.shape->show(defaults);
  fields.rows.push_back(std::move(row));
}

void add_others(FieldsCore& fields, std::string_view name, ShapePtr inner, const MapSteps& steps, std::ptrdiff_t offset,
                FieldDoc doc) {
  RAILHEAD_ASSERT(!fields.others);
  fields.others = FieldsCore::Others{make_row(name, std::move(inner), offset, std::move(doc)), steps};
}

void add_mark(FieldsCore& fields, std::ptrdiff_t offset) { fields.mark = offset; }

void set_meant(FieldsCore& fields, Meant meant) { fields.meant = meant; }

void add_exclusive(FieldsCore& fields, std::vector<std::string_view> names, bool one_is_due) {
  for (const std::string_view name : names) RAILHEAD_ASSERT(fields.find(name) != nullptr);
  fields.exclusives.push_back({std::move(names), one_is_due});
}

void read_fields(const FieldsCore& fields, const Node& node, void* options, Diagnostics& diagnostics) {
  if (node.present() && !node.is_broken()) Reader(fields, node, options, diagnostics).read();
}

void describe_fields(const std::shared_ptr<const FieldsCore>& fields, Reference& reference) { reference.add(fields); }

const FieldRow* FieldsCore::find(std::string_view name) const {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const FieldRow& known) { return known.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

}  // namespace railhead::config
