// A JSON document to be written, members in the order they were set: what the schema is made of.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace railhead::config {

class Json {
 public:
  Json() = default;  // an empty object
  Json(std::string_view text);
  Json(const char* text) : Json(std::string_view(text)) {}
  Json(const std::string& text) : Json(std::string_view(text)) {}
  Json(bool value) : kind_(Kind::word), text_(value ? "true" : "false") {}
  [[nodiscard]] static Json number(double value);
  [[nodiscard]] static Json list(std::vector<Json> items = {});

  // The member `name`, added if it is not there.
  Json& operator[](std::string_view name);
  // The members of `other` are added, in place of those of the same name.
  void merge(Json other);
  void append(Json item) { items_.push_back(std::move(item)); }
  [[nodiscard]] bool empty() const { return kind_ == Kind::object ? members_.empty() : items_.empty(); }
  [[nodiscard]] std::string text(int indent = 0) const;

 private:
  enum class Kind { object, list, word };
  Kind kind_ = Kind::object;
  std::string text_;  // of a word: ready to be written
  std::vector<std::pair<std::string, Json>> members_;
  std::vector<Json> items_;
};

}  // namespace railhead::config
