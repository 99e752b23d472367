#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/config/scalar_shape.h"

namespace railhead::config {

bool begins_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

std::string_view unit_of(std::string_view text) {
  const std::size_t begin = text.find_first_not_of("0123456789.+-eE ");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

void add_bounds(Json& json, const Shape& shape, const FieldDoc& doc) {
  if (!doc.min.text().empty()) json["minimum"] = Json::number(*shape.measure(doc.min.text()));
  if (!doc.max.text().empty()) json["maximum"] = Json::number(*shape.measure(doc.max.text()));
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
