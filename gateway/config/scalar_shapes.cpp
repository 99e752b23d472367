// The strict converters from a scalar's text to each type, and what they say when it does not fit.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <system_error>

#include "gateway/base/assert.h"
#include "gateway/base/text.h"
#include "gateway/config/shape.h"

namespace railhead::config {
namespace {

// What a converter sees: the text, and whether it was written as a plain scalar (a number has no quotes) or came from
// the environment or a file, where there are none.
struct Written {
  std::string_view text;
  const Node& node;
  bool in_quotes = false;
};

bool begins_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

// How people write units that YAML's reader does not know by these names.
constexpr std::array<std::pair<std::string_view, std::string_view>, 26> kUsualUnits{
    {{"sec", "s"},    {"secs", "s"},     {"second", "s"},    {"seconds", "s"}, {"S", "s"},    {"m", "min"},
     {"mins", "min"}, {"minute", "min"}, {"minutes", "min"}, {"hr", "h"},      {"hour", "h"}, {"hours", "h"},
     {"day", "d"},    {"days", "d"},     {"msec", "ms"},     {"usec", "us"},   {"kb", "kB"},  {"KB", "kB"},
     {"K", "KiB"},    {"k", "KiB"},      {"mb", "MB"},       {"M", "MiB"},     {"gb", "GB"},  {"G", "GiB"},
     {"tb", "TB"},    {"T", "TiB"}}};

std::string_view unit_of(std::string_view text) {
  const std::size_t begin = text.find_first_not_of("0123456789.+-eE ");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

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

class BooleanShape final : public ScalarShape {
 public:
  [[nodiscard]] std::string type() const override { return "true or false"; }
  [[nodiscard]] std::string plural() const override { return "true or false"; }
  [[nodiscard]] std::string show(const void* value) const override {
    return *static_cast<const bool*>(value) ? "true" : "false";
  }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    if (!without_quotes(written, context)) return;
    if (written.text == "true" || written.text == "false") {
      *static_cast<bool*>(target) = written.text == "true";
      return;
    }
    std::string lower(written.text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
    std::string hint;
    if (lower == "yes" || lower == "on" || lower == "y" || lower == "1" || lower == "true") hint = "write true";
    if (lower == "no" || lower == "off" || lower == "n" || lower == "0" || lower == "false") hint = "write false";
    context.error(written.node, "expected true or false, not '" + std::string(written.text) + "'", std::move(hint));
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc&) const override {
    Json json;
    json["type"] = "boolean";
    return json;
  }
};

void bound_schema(Json& json, const Shape& shape, const FieldDoc& doc) {
  if (!doc.min.text().empty()) json["minimum"] = Json::number(*shape.measure(doc.min.text()));
  if (!doc.max.text().empty()) json["maximum"] = Json::number(*shape.measure(doc.max.text()));
}

template <class T>
class IntegerShape final : public ScalarShape {
 public:
  [[nodiscard]] std::string type() const override { return "a whole number"; }
  [[nodiscard]] std::string plural() const override { return "whole numbers"; }
  [[nodiscard]] std::string show(const void* value) const override {
    return std::to_string(*static_cast<const T*>(value));
  }
  [[nodiscard]] std::optional<double> measure(std::string_view text) const override { return base::parse_double(text); }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    if (!without_quotes(written, context)) return;
    const std::string_view text = written.text;
    const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
      std::string hint;
      if (digits.starts_with("0x") || digits.starts_with("0X")) {
        if (const long number = std::strtol(std::string(digits).c_str(), nullptr, 16); number > 0)
          hint = "in decimal: " + std::to_string(number);
      } else if (digits.find('_') != std::string_view::npos) {
        hint = "without '_'";
      } else if (begins_number(text) && !unit_of(text).empty()) {
        hint =
            context.doc.unit.empty() ? "without a unit" : "without a unit: it is in " + std::string(context.doc.unit);
      }
      context.error(written.node, "expected a whole number, not '" + std::string(text) + "'", std::move(hint));
      return;
    }
    if (digits.size() > 1 && digits.front() == '0') {
      context.error(written.node, "a number with a leading 0 may be read as octal",
                    "write it without the 0, in decimal");
      return;
    }
    T number{};
    bool fits = true;
    if constexpr (std::is_signed_v<T>) {
      const auto wide = base::parse_int(text);
      fits = wide && std::in_range<T>(*wide);
      if (fits) number = static_cast<T>(*wide);
    } else {
      const auto wide = base::parse_uint(text);
      fits = wide && std::in_range<T>(*wide);
      if (fits) number = static_cast<T>(*wide);
    }
    const auto as_double = base::parse_double(text).value_or(0);
    if (!fits) {
      if (!within_bounds(as_double, written, context)) return;
      context.error(written.node, std::string(text) + " is out of range: between " +
                                      std::to_string(std::numeric_limits<T>::min()) + " and " +
                                      std::to_string(std::numeric_limits<T>::max()));
      return;
    }
    if (within_bounds(as_double, written, context)) *static_cast<T*>(target) = number;
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc& doc) const override {
    Json json;
    json["type"] = "integer";
    if (std::is_unsigned_v<T> && doc.min.text().empty()) json["minimum"] = Json::number(0);
    bound_schema(json, *this, doc);
    return json;
  }
};

class NumberShape final : public ScalarShape {
 public:
  [[nodiscard]] std::string type() const override { return "a number"; }
  [[nodiscard]] std::string plural() const override { return "numbers"; }
  [[nodiscard]] std::string show(const void* value) const override {
    return base::shortest(*static_cast<const double*>(value));
  }
  [[nodiscard]] std::optional<double> measure(std::string_view text) const override { return base::parse_double(text); }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    if (!without_quotes(written, context)) return;
    const auto number =
        begins_number(written.text) && !written.text.starts_with('+') ? base::parse_double(written.text) : std::nullopt;
    if (!number) {
      context.error(written.node, "expected a number, not '" + std::string(written.text) + "'",
                    begins_number(written.text) && written.text.find(',') != std::string_view::npos
                        ? "the decimal sign is '.'"
                        : "");
      return;
    }
    if (within_bounds(*number, written, context)) *static_cast<double*>(target) = *number;
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc& doc) const override {
    Json json;
    json["type"] = "number";
    bound_schema(json, *this, doc);
    return json;
  }
};

class DecimalShape final : public ScalarShape {
 public:
  [[nodiscard]] std::string type() const override { return "a decimal number"; }
  [[nodiscard]] std::string plural() const override { return "decimal numbers"; }
  [[nodiscard]] std::string show(const void* value) const override {
    const auto& decimal = *static_cast<const Decimal*>(value);
    std::string digits = std::to_string(decimal.digits < 0 ? -decimal.digits : decimal.digits);
    const auto places = static_cast<std::size_t>(std::max(0, -decimal.exponent));
    if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
    if (places > 0) digits.insert(digits.size() - places, ".");
    digits.append(static_cast<std::size_t>(std::max(0, decimal.exponent)), '0');
    return (decimal.digits < 0 ? "-" : "") + digits;
  }
  [[nodiscard]] std::optional<double> measure(std::string_view text) const override { return base::parse_double(text); }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    if (!without_quotes(written, context)) return;
    const auto decimal = parse_decimal(written.text);
    if (!decimal) {
      context.error(written.node, "expected a decimal number like 0.1, not '" + std::string(written.text) + "'",
                    written.text.find_first_of("eE") != std::string_view::npos ? "without an exponent" : "");
      return;
    }
    if (within_bounds(base::parse_double(written.text).value_or(0), written, context))
      *static_cast<Decimal*>(target) = *decimal;
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc& doc) const override {
    Json json;
    json["type"] = "number";
    bound_schema(json, *this, doc);
    return json;
  }
};

// "<number> <unit>": what durations, sizes and rates have in common.
class QuantityShape : public ScalarShape {
 public:
  QuantityShape(std::string noun, std::string example, std::vector<std::string> units)
      : noun_(std::move(noun)), example_(std::move(example)), units_(std::move(units)) {}
  [[nodiscard]] std::string type() const override { return "a " + noun_; }
  [[nodiscard]] std::string plural() const override { return noun_ + "s"; }

 protected:
  void refuse(const Written& written, const FieldContext& context) const {
    const std::string_view text = written.text;
    std::string units = "units are";
    for (const std::string& unit : units_) units += " " + unit;
    const std::string_view unit = unit_of(text);
    if (text.starts_with('-') && begins_number(text)) {
      context.error(written.node, "a " + noun_ + " cannot be negative");
    } else if (begins_number(text) && unit.empty()) {
      // Why: the number itself in the example, as the shortest way to a right line.
      const std::string like = example_.substr(example_.find_first_not_of("0123456789"));
      context.error(written.node, "a " + noun_ + " needs a unit, like " + std::string(text) + like, std::move(units));
    } else if (begins_number(text)) {
      auto near = base::nearest(unit, units_);
      for (const auto& [usual, name] : kUsualUnits) {
        if (usual == unit && std::find(units_.begin(), units_.end(), name) != units_.end()) near = name;
      }
      context.error(written.node, "no unit '" + std::string(unit) + "' for a " + noun_,
                    near ? "did you mean '" + *near + "'? " + units : units);
    } else {
      context.error(written.node, "expected a " + noun_ + " like " + example_ + ", not '" + std::string(text) + "'");
    }
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc&) const override {
    std::string names;
    for (const std::string& unit : units_) names += (names.empty() ? "" : "|") + unit;
    Json json;
    json["type"] = Json::list({"string", "integer"});
    json["pattern"] = "^ *(0|[0-9]+(\\.[0-9]+)? *(" + names + ")) *$";
    json["maximum"] = Json::number(0);
    return json;
  }

 private:
  std::string noun_;
  std::string example_;
  std::vector<std::string> units_;
};

class DurationShape final : public QuantityShape {
 public:
  DurationShape() : QuantityShape("duration", "500 ms", {"ns", "us", "ms", "s", "min", "h", "d"}) {}
  [[nodiscard]] std::string show(const void* value) const override {
    return base::format_duration(*static_cast<const Duration*>(value));
  }
  [[nodiscard]] std::optional<double> measure(std::string_view text) const override {
    const auto duration = base::parse_duration(text);
    return duration ? std::optional(static_cast<double>(duration->count())) : std::nullopt;
  }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    const auto duration = base::parse_duration(written.text);
    if (!duration) {
      refuse(written, context);
    } else if (within_bounds(static_cast<double>(duration->count()), written, context)) {
      *static_cast<Duration*>(target) = *duration;
    }
  }
};

class SizeShape final : public QuantityShape {
 public:
  SizeShape() : QuantityShape("size", "64 MiB", {"B", "KiB", "MiB", "GiB", "TiB", "kB", "MB", "GB", "TB"}) {}
  [[nodiscard]] std::string show(const void* value) const override {
    return base::format_size(static_cast<const ByteSize*>(value)->value());
  }
  [[nodiscard]] std::optional<double> measure(std::string_view text) const override {
    const auto size = base::parse_size(text);
    return size ? std::optional(static_cast<double>(*size)) : std::nullopt;
  }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    const auto size = base::parse_size(written.text);
    if (!size) {
      refuse(written, context);
    } else if (within_bounds(static_cast<double>(*size), written, context)) {
      *static_cast<ByteSize*>(target) = ByteSize(*size);
    }
  }
};

class RateShape final : public QuantityShape {
 public:
  RateShape() : QuantityShape("rate", "500/s", {"/s", "/min", "/h"}) {}
  [[nodiscard]] std::string show(const void* value) const override {
    const double rate = static_cast<const Rate*>(value)->per_second;
    return rate == 0 ? std::string() : base::shortest(rate) + "/s";
  }
  [[nodiscard]] std::optional<double> measure(std::string_view text) const override { return base::parse_rate(text); }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    const auto rate = base::parse_rate(written.text);
    if (!rate) {
      refuse(written, context);
    } else if (within_bounds(*rate, written, context)) {
      static_cast<Rate*>(target)->per_second = *rate;
    }
  }
};

// False after reporting what the field's own check says.
bool passes(const Written& written, const FieldContext& context) {
  if (context.doc.not_empty && written.text.empty()) {
    context.error(written.node, "the text is empty");
    return false;
  }
  if (context.doc.check == nullptr) return true;
  const std::string fault = context.doc.check(written.text);
  if (!fault.empty()) context.error(written.node, fault);
  return fault.empty();
}

class TextShape : public ScalarShape {
 public:
  [[nodiscard]] std::string type() const override { return "a text"; }
  [[nodiscard]] std::string plural() const override { return "texts"; }
  [[nodiscard]] std::string show(const void* value) const override { return *static_cast<const std::string*>(value); }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    if (passes(written, context)) *static_cast<std::string*>(target) = written.text;
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc& doc) const override {
    Json json;
    json["type"] = Json::list({"string", "number", "boolean"});
    if (doc.not_empty) json["minLength"] = Json::number(1);
    return json;
  }
};

class PathShape final : public ScalarShape {
 public:
  [[nodiscard]] std::string type() const override { return "a path"; }
  [[nodiscard]] std::string plural() const override { return "paths"; }
  [[nodiscard]] std::string show(const void* value) const override {
    return static_cast<const std::filesystem::path*>(value)->string();
  }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    if (written.text.empty()) {
      context.error(written.node, "the path is empty");
    } else if (passes(written, context)) {
      *static_cast<std::filesystem::path*>(target) = written.node.resolve(written.text);
    }
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc&) const override {
    Json json;
    json["type"] = "string";
    json["minLength"] = Json::number(1);
    return json;
  }
};

class SecretShape final : public ScalarShape {
 public:
  void read(const Node& node, void* target, const FieldContext& context) const override {
    if (!is_indirect(node)) {
      ScalarShape::read(node, target, context);
      return;
    }
    const Member& member = node.members()[0];
    const bool in_file = member.name() == "file";
    Secret secret = in_file ? Secret::in_file(member.value.resolve(member.value.text()))
                            : Secret::in_environment(std::string(member.value.text()));
    // Why a warning: a configuration is checked on other machines than the one that has the secret.
    if (const Result<std::string> now = secret.read(); !now)
      context.diagnostics.warning(member.value, now.error().what);
    *static_cast<Secret*>(target) = std::move(secret);
  }
  [[nodiscard]] std::string type() const override { return "a secret"; }
  [[nodiscard]] std::string show(const void*) const override { return {}; }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    context.diagnostics.warning(written.node, std::string(context.name) + ": a secret in plain text",
                                "write { file: path } or { env: NAME }");
    *static_cast<Secret*>(target) = Secret::plain(std::string(written.text));
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc&) const override {
    Json json;
    json["type"] = "string";
    return json;
  }
};

class ChoiceShape final : public ScalarShape {
 public:
  ChoiceShape(std::vector<std::pair<std::string_view, std::int64_t>> choices, std::size_t bytes)
      : choices_(std::move(choices)), bytes_(bytes) {}
  [[nodiscard]] std::string type() const override { return "one of " + names(); }
  [[nodiscard]] std::string plural() const override { return "choices (" + names() + ")"; }
  [[nodiscard]] std::string show(const void* value) const override {
    for (const auto& [name, number] : choices_) {
      if (same(value, number)) return std::string(name);
    }
    return {};
  }

 protected:
  void convert(const Written& written, void* target, const FieldContext& context) const override {
    std::vector<std::string> known;
    for (const auto& [name, number] : choices_) {
      known.emplace_back(name);
      if (name != written.text) continue;
      store(target, number);
      return;
    }
    const auto near = base::nearest(written.text, known);
    context.error(written.node, "'" + std::string(written.text) + "' is not " + type(),
                  near ? "did you mean '" + *near + "'?" : "");
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc&) const override {
    Json json;
    json["enum"] = Json::list();
    for (const auto& [name, number] : choices_) json["enum"].append(name);
    return json;
  }

 private:
  [[nodiscard]] std::string names() const {
    std::string all;
    for (const auto& [name, number] : choices_) all += (all.empty() ? "" : ", ") + std::string(name);
    return all;
  }
  void store(void* target, std::int64_t number) const {
    const auto put = [&](auto narrow) { std::memcpy(target, &narrow, sizeof narrow); };
    switch (bytes_) {
      case 1: put(static_cast<std::int8_t>(number)); break;
      case 2: put(static_cast<std::int16_t>(number)); break;
      case 4: put(static_cast<std::int32_t>(number)); break;
      default: RAILHEAD_ASSERT(bytes_ == 8); put(number);
    }
  }
  [[nodiscard]] bool same(const void* value, std::int64_t number) const {
    std::array<char, 8> stored{};
    store(stored.data(), number);
    return std::memcmp(stored.data(), value, bytes_) == 0;
  }

  std::vector<std::pair<std::string_view, std::int64_t>> choices_;
  std::size_t bytes_;
};

class NodeShape final : public Shape {
 public:
  void read(const Node& node, void* target, const FieldContext&) const override { *static_cast<Node*>(target) = node; }
  [[nodiscard]] std::string type() const override { return "see below"; }
  [[nodiscard]] std::string plural() const override { return "values"; }
  [[nodiscard]] std::string show(const void*) const override { return {}; }
  [[nodiscard]] Json schema(const FieldDoc&) const override { return {}; }
};

template <class S>
ShapePtr shared() {
  static const ShapePtr shape = std::make_shared<const S>();
  return shape;
}

}  // namespace

template <>
ShapePtr scalar_shape<bool>() {
  return shared<BooleanShape>();
}
template <>
ShapePtr scalar_shape<std::int8_t>() {
  return shared<IntegerShape<std::int8_t>>();
}
template <>
ShapePtr scalar_shape<std::int16_t>() {
  return shared<IntegerShape<std::int16_t>>();
}
template <>
ShapePtr scalar_shape<std::int32_t>() {
  return shared<IntegerShape<std::int32_t>>();
}
template <>
ShapePtr scalar_shape<std::int64_t>() {
  return shared<IntegerShape<std::int64_t>>();
}
template <>
ShapePtr scalar_shape<std::uint8_t>() {
  return shared<IntegerShape<std::uint8_t>>();
}
template <>
ShapePtr scalar_shape<std::uint16_t>() {
  return shared<IntegerShape<std::uint16_t>>();
}
template <>
ShapePtr scalar_shape<std::uint32_t>() {
  return shared<IntegerShape<std::uint32_t>>();
}
template <>
ShapePtr scalar_shape<std::uint64_t>() {
  return shared<IntegerShape<std::uint64_t>>();
}
template <>
ShapePtr scalar_shape<double>() {
  return shared<NumberShape>();
}
template <>
ShapePtr scalar_shape<std::string>() {
  return shared<TextShape>();
}
template <>
ShapePtr scalar_shape<Duration>() {
  return shared<DurationShape>();
}
template <>
ShapePtr scalar_shape<ByteSize>() {
  return shared<SizeShape>();
}
template <>
ShapePtr scalar_shape<Rate>() {
  return shared<RateShape>();
}
template <>
ShapePtr scalar_shape<Decimal>() {
  return shared<DecimalShape>();
}
template <>
ShapePtr scalar_shape<Secret>() {
  return shared<SecretShape>();
}
template <>
ShapePtr scalar_shape<std::filesystem::path>() {
  return shared<PathShape>();
}
template <>
ShapePtr scalar_shape<Node>() {
  return shared<NodeShape>();
}

ShapePtr choice_shape(std::vector<std::pair<std::string_view, std::int64_t>> choices, std::size_t bytes) {
  return std::make_shared<const ChoiceShape>(std::move(choices), bytes);
}

std::string bound_text(const Bound& bound) {
  const std::string& text = bound.text();
  if (text.ends_with(" ns") && text.size() > 6)
    return base::format_duration(base::parse_duration(text).value_or(Duration{}));
  if (text.ends_with(" B") && text.size() > 5) return base::format_size(base::parse_size(text).value_or(0));
  return text;
}

std::string bounds_text(const FieldDoc& doc) {
  const bool low = !doc.min.text().empty();
  const bool high = !doc.max.text().empty();
  if (low && high) return bound_text(doc.min) + " to " + bound_text(doc.max);
  if (low) return "at least " + bound_text(doc.min);
  if (high) return "at most " + bound_text(doc.max);
  return {};
}

}  // namespace railhead::config
