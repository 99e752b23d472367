// true and false, whole numbers, numbers, decimals.
#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/config/scalar_shape.h"

namespace railhead::config {
namespace {

// The decimal digits of "0x1F"; empty for anything else.
std::string from_hexadecimal(std::string_view text) {
  if (!text.starts_with("0x") && !text.starts_with("0X")) return {};
  text.remove_prefix(2);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return std::to_string(number);
}

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
    // Register maps and datasheets count in hexadecimal.
    const std::string decimal = from_hexadecimal(written.text);
    const std::string_view text = decimal.empty() ? written.text : decimal;
    const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
      std::string hint;
      if (digits.find('_') != std::string_view::npos) {
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
    add_bounds(json, *this, doc);
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
    add_bounds(json, *this, doc);
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
      context.error(written.node, "expected a decimal number like 0.1, of at most 18 digits, not '" +
                                      std::string(written.text) + "'");
      return;
    }
    if (within_bounds(base::parse_double(written.text).value_or(0), written, context))
      *static_cast<Decimal*>(target) = *decimal;
  }
  [[nodiscard]] Json scalar_schema(const FieldDoc& doc) const override {
    Json json;
    json["type"] = "number";
    add_bounds(json, *this, doc);
    return json;
  }
};
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
ShapePtr scalar_shape<Decimal>() {
  return shared<DecimalShape>();
}

}  // namespace railhead::config
