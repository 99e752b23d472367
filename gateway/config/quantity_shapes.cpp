// Durations, sizes, rates: a number and its unit.
#include <algorithm>
#include <array>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/config/scalar_shape.h"

namespace railhead::config {
namespace {

// How people write units that YAML's reader does not know by these names.
constexpr std::array<std::pair<std::string_view, std::string_view>, 26> kUsualUnits{
    {{"sec", "s"},    {"secs", "s"},     {"second", "s"},    {"seconds", "s"}, {"S", "s"},    {"m", "min"},
     {"mins", "min"}, {"minute", "min"}, {"minutes", "min"}, {"hr", "h"},      {"hour", "h"}, {"hours", "h"},
     {"day", "d"},    {"days", "d"},     {"msec", "ms"},     {"usec", "us"},   {"kb", "kB"},  {"KB", "kB"},
     {"K", "KiB"},    {"k", "KiB"},      {"mb", "MB"},       {"M", "MiB"},     {"gb", "GB"},  {"G", "GiB"},
     {"tb", "TB"},    {"T", "TiB"}}};

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
}  // namespace

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

}  // namespace railhead::config
