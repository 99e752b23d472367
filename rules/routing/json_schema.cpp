#include "rules/routing/json_schema.h"

#include <algorithm>
#include <cmath>

#include "gateway/base/text.h"
#include "gateway/message/json.h"

namespace railhead::routing {
namespace {

unsigned type_bits(const Value& value) {
  switch (value.kind()) {
    case Kind::null: return kJsonNull;
    case Kind::boolean: return kJsonBoolean;
    case Kind::integer:
    case Kind::uinteger: return kJsonInteger | kJsonNumber;
    case Kind::real:
      // 2020-12, 4.2.3: 1.0 is an integer.
      return std::isfinite(value.as_real()) && std::floor(value.as_real()) == value.as_real()
                 ? kJsonInteger | kJsonNumber
                 : kJsonNumber;
    case Kind::list: return kJsonArray;
    case Kind::map: return kJsonObject;
    default: return kJsonString;
  }
}

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string number_text(double number) { return base::shortest(number); }

// Where a value stands in the document; written only when there is something to say of it.
struct Path {
  const Path* parent = nullptr;
  std::string_view name;  // of a member; of the root what messages call it
  std::size_t index = 0;  // of an item
  bool is_index = false;

  [[nodiscard]] std::string text() const {
    return parent == nullptr ? std::string(name)
                             : parent->text() + "/" + (is_index ? std::to_string(index) : std::string(name));
  }
};

class Validation {
 public:
  explicit Validation(const JsonSchema& schema) : schema_(schema) {}

  bool fits(std::size_t number, const Value& value, const Path& path, std::size_t depth) {
    if (++steps_ > kSchemaStepsMax || depth > kSchemaDepthMax) {
      if (!gave_up_) say(path, "the schema takes too much work on this body");
      gave_up_ = true;
      return false;
    }
    const JsonSchema::Node& node = schema_.node(number);
    if (node.never) return say(path, "nothing may stand here");
    bool good = true;
    if (node.ref) good = fits(*node.ref, value, path, depth + 1) && good;
    if ((type_bits(value) & node.types) == 0) {
      return quiet_ > 0 ? false : say(path, "must be " + names_of_types(node.types) + ", is " + shown(value));
    }
    good = among_values(node, value, path) && good;
    if (value.is_number()) good = number_fits(node, value.to_real(), path) && good;
    if (value.is(Kind::string)) good = text_fits(node, value.as_text(), path) && good;
    if (value.is(Kind::list)) good = list_fits(node, value, path, depth) && good;
    if (value.is(Kind::map)) good = map_fits(node, value, path, depth) && good;
    return combined(node, value, path, depth) && good;
  }
  std::vector<std::string> take() { return std::move(faults_); }

 private:
  static std::string shown(const Value& value) {
    std::string text = to_json(value);
    return text.size() > 60 ? text.substr(0, 57) + "..." : text;
  }
  bool say(const Path& path, const std::string& what) {
    if (quiet_ > 0 || faults_.size() >= kSchemaFaultsMax) return false;
    std::string place = path.text();
    faults_.push_back((place.empty() ? "body" : place) + " " + what);
    return false;
  }
  bool among_values(const JsonSchema::Node& node, const Value& value, const Path& path) {
    if (!node.one_of_values) return true;
    for (const Value& one : *node.one_of_values) {
      if (one == value) return true;
    }
    return say(path, "is " + shown(value) + ", not " +
                         (node.one_of_values->size() == 1 ? to_json(node.one_of_values->front())
                                                          : "one of " + to_json(Value::list(*node.one_of_values))));
  }
  bool number_fits(const JsonSchema::Node& node, double number, const Path& path) {
    const auto is = [&](const char* what, double bound) {
      return say(path, "is " + number_text(number) + ", " + what + number_text(bound));
    };
    if (node.minimum && number < *node.minimum) return is("less than ", *node.minimum);
    if (node.maximum && number > *node.maximum) return is("more than ", *node.maximum);
    if (node.exclusive_minimum && number <= *node.exclusive_minimum)
      return is("not more than ", *node.exclusive_minimum);
    if (node.exclusive_maximum && number >= *node.exclusive_maximum)
      return is("not less than ", *node.exclusive_maximum);
    if (node.multiple_of) {
      const double times = number / *node.multiple_of;
      if (std::fabs(times - std::round(times)) > 1e-9 * std::max(1.0, std::fabs(times)))
        return is("no multiple of ", *node.multiple_of);
    }
    return true;
  }
  bool size_fits(std::size_t size, const std::optional<double>& least, const std::optional<double>& most,
                 const char* what, const Path& path) {
    const auto count = static_cast<double>(size);
    if (least && count < *least) return say(path, "has fewer than " + number_text(*least) + what);
    if (most && count > *most) return say(path, "has more than " + number_text(*most) + what);
    return true;
  }
  bool text_fits(const JsonSchema::Node& node, std::string_view text, const Path& path) {
    bool good = size_fits(characters_of(text), node.min_length, node.max_length, " characters", path);
    if (node.pattern && !node.pattern->search(text)) good = say(path, "does not match " + node.pattern_text);
    return good;
  }
  bool list_fits(const JsonSchema::Node& node, const Value& value, const Path& path, std::size_t depth) {
    const auto items = value.as_list();
    bool good = size_fits(items.size(), node.min_items, node.max_items, " items", path);
    for (std::size_t i = 0; i < items.size() && !gave_up_; ++i) {
      const Path at{.parent = &path, .name = {}, .index = i, .is_index = true};
      if (i < node.prefix_items.size()) {
        good = fits(node.prefix_items[i], items[i], at, depth + 1) && good;
      } else if (node.items) {
        good = fits(*node.items, items[i], at, depth + 1) && good;
      }
    }
    if (node.unique_items) {
      for (std::size_t i = 0; i < items.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          if (++steps_ > kSchemaStepsMax) return say(path, "has too many items to compare");
          if (items[i] == items[j]) return say(path, "has an item twice");
        }
      }
    }
    return good;
  }
  bool map_fits(const JsonSchema::Node& node, const Value& value, const Path& path, std::size_t depth) {
    const auto entries = value.as_map();
    bool good = size_fits(entries.size(), node.min_properties, node.max_properties, " members", path);
    for (const std::string& name : node.required) {
      if (value.find(name) == nullptr) good = say(path, "lacks '" + name + "', which is required");
    }
    for (const auto& [key, member] : entries) {
      if (gave_up_) return false;
      const std::string_view name = key.is(Kind::string) ? key.as_text() : std::string_view();
      const Path at{.parent = &path, .name = name};
      bool known = false;
      if (const auto found = node.properties.find(name); found != node.properties.end()) {
        known = true;
        good = fits(found->second, member, at, depth + 1) && good;
      }
      for (const auto& [pattern, number] : node.pattern_properties) {
        if (!pattern->search(name)) continue;
        known = true;
        good = fits(number, member, at, depth + 1) && good;
      }
      if (known || !node.additional) continue;
      if (schema_.node(*node.additional).never) {
        good = say(path, "has '" + std::string(name) + "', which is not allowed");
      } else {
        good = fits(*node.additional, member, at, depth + 1) && good;
      }
    }
    return good;
  }
  std::size_t count_of(const std::vector<std::size_t>& schemas, const Value& value, const Path& path,
                       std::size_t depth) {
    ++quiet_;
    const auto count = std::count_if(schemas.begin(), schemas.end(),
                                     [&](std::size_t one) { return fits(one, value, path, depth + 1); });
    --quiet_;
    return static_cast<std::size_t>(count);
  }
  bool combined(const JsonSchema::Node& node, const Value& value, const Path& path, std::size_t depth) {
    bool good = true;
    for (const std::size_t one : node.all_of) good = fits(one, value, path, depth + 1) && good;
    if (!node.any_of.empty() && count_of(node.any_of, value, path, depth) == 0) good = say(path, "fits none of anyOf");
    if (!node.exactly_one_of.empty()) {
      const std::size_t count = count_of(node.exactly_one_of, value, path, depth);
      if (count != 1) good = say(path, "fits " + std::to_string(count) + " of oneOf, not one");
    }
    if (node.none_of && count_of({*node.none_of}, value, path, depth) != 0)
      good = say(path, "fits what `not` excludes");
    return good;
  }

  const JsonSchema& schema_;
  std::vector<std::string> faults_;
  std::size_t steps_ = 0;
  int quiet_ = 0;
  bool gave_up_ = false;
};

}  // namespace

std::vector<std::string> JsonSchema::validate(const Value& value, std::size_t number, std::string_view name) const {
  Validation validation(*this);
  (void)validation.fits(number, value, Path{.parent = nullptr, .name = name}, 0);
  return validation.take();
}

}  // namespace railhead::routing
