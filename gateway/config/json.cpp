#include "gateway/config/json.h"

#include "gateway/base/json_text.h"
#include "gateway/base/text.h"

namespace railhead::config {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  base::write_json_text(text, out);
  return out;
}

}  // namespace

Json::Json(std::string_view text) : kind_(Kind::word), text_(quoted(text)) {}

Json Json::number(double value) {
  Json json;
  json.kind_ = Kind::word;
  json.text_ = base::shortest(value);
  return json;
}

Json Json::list(std::vector<Json> items) {
  Json json;
  json.kind_ = Kind::list;
  json.items_ = std::move(items);
  return json;
}

Json& Json::operator[](std::string_view name) {
  for (auto& [known, value] : members_) {
    if (known == name) return value;
  }
  return members_.emplace_back(std::string(name), Json()).second;
}

void Json::merge(Json other) {
  for (auto& [name, value] : other.members_) (*this)[name] = std::move(value);
}

std::string Json::text(int indent) const {
  if (kind_ == Kind::word) return text_;
  const bool is_object = kind_ == Kind::object;
  if (empty()) return is_object ? "{}" : "[]";
  const std::string margin(static_cast<std::size_t>(indent) + 2, ' ');
  std::string out = is_object ? "{\n" : "[\n";
  bool first = true;
  const auto begin = [&] {
    if (!first) out += ",\n";
    first = false;
    out += margin;
  };
  for (const auto& [name, value] : members_) {
    begin();
    out += config::quoted(name) + ": " + value.text(indent + 2);
  }
  for (const Json& item : items_) {
    begin();
    out += item.text(indent + 2);
  }
  return out + "\n" + std::string(static_cast<std::size_t>(indent), ' ') + (is_object ? "}" : "]");
}

}  // namespace railhead::config
