#include "rules/routing/json_schema.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "gateway/base/text.h"
#include "gateway/message/json.h"

namespace railhead::routing {
namespace {

struct TypeName {
  std::string_view name;
  unsigned bit;
};
constexpr std::array kTypes{TypeName{"null", kJsonNull},       TypeName{"boolean", kJsonBoolean},
                            TypeName{"integer", kJsonInteger}, TypeName{"number", kJsonNumber},
                            TypeName{"string", kJsonString},   TypeName{"array", kJsonArray},
                            TypeName{"object", kJsonObject}};

constexpr std::array<std::string_view, 16> kAnnotations{
    "$schema",  "$id",        "$comment", "$defs",     "definitions",      "title",           "description", "default",
    "examples", "deprecated", "readOnly", "writeOnly", "contentMediaType", "contentEncoding", "format",      "unit"};

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

class Validation {
 public:
  explicit Validation(const JsonSchema& schema) : schema_(schema) {}

  bool fits(std::size_t number, const Value& value, const std::string& path, std::size_t depth) {
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
      return say(path, "must be " + names_of_types(node.types) + ", is " + shown(value));
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
  bool say(const std::string& path, const std::string& what) {
    if (quiet_ == 0 && faults_.size() < kSchemaFaultsMax)
      faults_.push_back((path.empty() ? "body" : path) + " " + what);
    return false;
  }
  bool among_values(const JsonSchema::Node& node, const Value& value, const std::string& path) {
    if (!node.one_of_values) return true;
    for (const Value& one : *node.one_of_values) {
      if (one == value) return true;
    }
    return say(path, "is " + shown(value) + ", not " +
                         (node.one_of_values->size() == 1 ? to_json(node.one_of_values->front())
                                                          : "one of " + to_json(Value::list(*node.one_of_values))));
  }
  bool number_fits(const JsonSchema::Node& node, double number, const std::string& path) {
    const std::string is = "is " + number_text(number) + ", ";
    if (node.minimum && number < *node.minimum) return say(path, is + "less than " + number_text(*node.minimum));
    if (node.maximum && number > *node.maximum) return say(path, is + "more than " + number_text(*node.maximum));
    if (node.exclusive_minimum && number <= *node.exclusive_minimum)
      return say(path, is + "not more than " + number_text(*node.exclusive_minimum));
    if (node.exclusive_maximum && number >= *node.exclusive_maximum)
      return say(path, is + "not less than " + number_text(*node.exclusive_maximum));
    if (node.multiple_of) {
      const double times = number / *node.multiple_of;
      if (std::fabs(times - std::round(times)) > 1e-9 * std::max(1.0, std::fabs(times)))
        return say(path, is + "no multiple of " + number_text(*node.multiple_of));
    }
    return true;
  }
  bool size_fits(std::size_t size, const std::optional<double>& least, const std::optional<double>& most,
                 const char* what, const std::string& path) {
    const auto count = static_cast<double>(size);
    if (least && count < *least) return say(path, "has fewer than " + number_text(*least) + what);
    if (most && count > *most) return say(path, "has more than " + number_text(*most) + what);
    return true;
  }
  bool text_fits(const JsonSchema::Node& node, std::string_view text, const std::string& path) {
    bool good = size_fits(characters_of(text), node.min_length, node.max_length, " characters", path);
    if (node.pattern && !node.pattern->search(text)) good = say(path, "does not match " + node.pattern_text);
    return good;
  }
  bool list_fits(const JsonSchema::Node& node, const Value& value, const std::string& path, std::size_t depth) {
    const auto items = value.as_list();
    bool good = size_fits(items.size(), node.min_items, node.max_items, " items", path);
    for (std::size_t i = 0; i < items.size() && !gave_up_; ++i) {
      const std::string at = path + "/" + std::to_string(i);
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
  bool map_fits(const JsonSchema::Node& node, const Value& value, const std::string& path, std::size_t depth) {
    const auto entries = value.as_map();
    bool good = size_fits(entries.size(), node.min_properties, node.max_properties, " members", path);
    for (const std::string& name : node.required) {
      if (value.find(name) == nullptr) good = say(path, "lacks '" + name + "', which is required");
    }
    for (const auto& [key, member] : entries) {
      if (gave_up_) return false;
      const std::string_view name = key.is(Kind::string) ? key.as_text() : std::string_view();
      const std::string at = path + "/" + std::string(name);
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
  std::size_t count_of(const std::vector<std::size_t>& schemas, const Value& value, const std::string& path,
                       std::size_t depth) {
    ++quiet_;
    const auto count = std::count_if(schemas.begin(), schemas.end(),
                                     [&](std::size_t one) { return fits(one, value, path, depth + 1); });
    --quiet_;
    return static_cast<std::size_t>(count);
  }
  bool combined(const JsonSchema::Node& node, const Value& value, const std::string& path, std::size_t depth) {
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

std::string names_of_types(unsigned types) {
  std::string names;
  for (const TypeName& type : kTypes) {
    if ((types & type.bit) == 0 || (type.bit == kJsonInteger && (types & kJsonNumber) != 0)) continue;
    names += (names.empty() ? "" : " or ") + std::string(type.name);
  }
  return names;
}

class SchemaCompiler {
 public:
  SchemaCompiler(const Value& document, std::vector<std::string>& faults) : document_(document), faults_(faults) {}

  std::shared_ptr<const JsonSchema> run() {
    (void)node_of("");
    // A $ref may name what was not compiled on the way there.
    while (!references_.empty() && faults_.empty()) {
      const auto [from, pointer] = references_.back();
      references_.pop_back();
      schema_->nodes_[from].ref = node_of(pointer);
    }
    return faults_.empty() ? schema_ : nullptr;
  }

 private:
  // The schema at a JSON pointer, compiled once.
  std::size_t node_of(const std::string& pointer) {
    if (const auto known = numbers_.find(pointer); known != numbers_.end()) return known->second;
    const Value* at = find(pointer);
    const std::size_t number = schema_->nodes_.size();
    numbers_.emplace(pointer, number);
    schema_->nodes_.emplace_back();
    if (at == nullptr) {
      faults_.push_back("$ref: there is no '#" + pointer + "'");
    } else if (number >= kSchemaNodesMax ||
               std::count(pointer.begin(), pointer.end(), '/') > 2 * int{kSchemaDepthMax}) {
      if (faults_.empty()) faults_.push_back("the schema is too large or too deep");
    } else {
      JsonSchema::Node node;
      read(*at, pointer, number, node);
      schema_->nodes_[number] = std::move(node);
    }
    return number;
  }

  const Value* find(std::string_view pointer) const {
    const Value* at = &document_;
    while (!pointer.empty() && at != nullptr) {
      pointer.remove_prefix(1);
      const std::size_t end = std::min(pointer.find('/'), pointer.size());
      std::string step(pointer.substr(0, end));
      pointer.remove_prefix(end);
      for (std::size_t i = 0; (i = step.find('~', i)) != std::string::npos; ++i) {
        if (i + 1 < step.size()) step.replace(i, 2, step[i + 1] == '1' ? "/" : "~");
      }
      if (at->is(Kind::list)) {
        const auto index = base::parse_uint(step);
        at = index && *index < at->as_list().size() ? &at->as_list()[static_cast<std::size_t>(*index)] : nullptr;
      } else {
        at = at->find(step);
      }
    }
    return at;
  }

  static std::string escaped(std::string_view name) {
    std::string out;
    for (const char c : name) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return out;
  }

  void fault(const std::string& pointer, const std::string& what) {
    if (faults_.size() < kSchemaFaultsMax) faults_.push_back((pointer.empty() ? "/" : pointer) + ": " + what);
  }

  std::vector<std::size_t> several(const Value& value, const std::string& pointer) {
    std::vector<std::size_t> numbers;
    if (!value.is(Kind::list) || value.as_list().empty()) {
      fault(pointer, "must be a list of schemas");
      return numbers;
    }
    for (std::size_t i = 0; i < value.as_list().size(); ++i)
      numbers.push_back(node_of(pointer + "/" + std::to_string(i)));
    return numbers;
  }

  std::shared_ptr<const expression::Regex> regex(std::string_view text, const std::string& pointer) {
    std::string why;
    auto compiled = expression::Regex::compile(text, why);
    if (!compiled) fault(pointer, "the pattern '" + std::string(text) + "': " + why);
    return compiled;
  }

  void read(const Value& value, const std::string& pointer, std::size_t number, JsonSchema::Node& node) {
    if (value.is(Kind::boolean)) {
      node.never = !value.as_boolean();
      return;
    }
    if (!value.is(Kind::map)) return fault(pointer, "a schema is a map, true or false");
    for (const auto& [key, member] : value.as_map()) {
      if (key.is(Kind::string)) keyword(key.as_text(), member, pointer + "/" + escaped(key.as_text()), number, node);
    }
  }

  void keyword(std::string_view name, const Value& value, const std::string& at, std::size_t number,
               JsonSchema::Node& node) {
    static const std::map<std::string_view, std::optional<double> JsonSchema::Node::*> kNumbers{
        {"minimum", &JsonSchema::Node::minimum},
        {"maximum", &JsonSchema::Node::maximum},
        {"exclusiveMinimum", &JsonSchema::Node::exclusive_minimum},
        {"exclusiveMaximum", &JsonSchema::Node::exclusive_maximum},
        {"multipleOf", &JsonSchema::Node::multiple_of},
        {"minLength", &JsonSchema::Node::min_length},
        {"maxLength", &JsonSchema::Node::max_length},
        {"minItems", &JsonSchema::Node::min_items},
        {"maxItems", &JsonSchema::Node::max_items},
        {"minProperties", &JsonSchema::Node::min_properties},
        {"maxProperties", &JsonSchema::Node::max_properties},
    };
    if (std::find(kAnnotations.begin(), kAnnotations.end(), name) != kAnnotations.end()) return;
    if (const auto number_of = kNumbers.find(name); number_of != kNumbers.end()) {
      if (!value.is_number() || (name == "multipleOf" && !(value.to_real() > 0))) return fault(at, "must be a number");
      node.*(number_of->second) = value.to_real();
    } else if (name == "type") {
      read_type(value, at, node);
    } else if (name == "enum") {
      if (!value.is(Kind::list)) return fault(at, "must be a list");
      node.one_of_values.emplace(value.as_list().begin(), value.as_list().end());
    } else if (name == "const") {
      node.one_of_values = {value};
    } else if (name == "properties") {
      if (!value.is(Kind::map)) return fault(at, "must be a map");
      for (const auto& [key, schema] : value.as_map()) {
        if (key.is(Kind::string)) node.properties.emplace(key.as_text(), node_of(at + "/" + escaped(key.as_text())));
      }
    } else if (name == "patternProperties") {
      if (!value.is(Kind::map)) return fault(at, "must be a map");
      for (const auto& [key, schema] : value.as_map()) {
        if (!key.is(Kind::string)) continue;
        if (auto pattern = regex(key.as_text(), at))
          node.pattern_properties.emplace_back(std::move(pattern), node_of(at + "/" + escaped(key.as_text())));
      }
    } else if (name == "required") {
      if (!value.is(Kind::list)) return fault(at, "must be a list of names");
      for (const Value& one : value.as_list()) {
        if (one.is(Kind::string)) node.required.emplace_back(one.as_text());
      }
    } else if (name == "additionalProperties") {
      node.additional = node_of(at);
    } else if (name == "items") {
      node.items = node_of(at);
    } else if (name == "prefixItems") {
      node.prefix_items = several(value, at);
    } else if (name == "uniqueItems") {
      node.unique_items = value.is(Kind::boolean) && value.as_boolean();
    } else if (name == "pattern") {
      if (!value.is(Kind::string)) return fault(at, "must be a text");
      node.pattern_text = value.as_text();
      node.pattern = regex(value.as_text(), at);
    } else if (name == "allOf") {
      node.all_of = several(value, at);
    } else if (name == "anyOf") {
      node.any_of = several(value, at);
    } else if (name == "oneOf") {
      node.exactly_one_of = several(value, at);
    } else if (name == "not") {
      node.none_of = node_of(at);
    } else if (name == "$ref") {
      const std::string target(value.is(Kind::string) ? value.as_text() : "");
      if (target != "#" && !target.starts_with("#/")) return fault(at, "only references within the file: #/$defs/name");
      references_.emplace_back(number, target.substr(1));
    } else {
      fault(at, "the keyword '" + std::string(name) + "' is not known here, and would not be checked");
    }
  }

  void read_type(const Value& value, const std::string& at, JsonSchema::Node& node) {
    node.types = 0;
    for (const Value& one : value.is(Kind::list) ? value.as_list() : std::span(&value, 1)) {
      const auto type = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeName& known) {
        return one.is(Kind::string) && known.name == one.as_text();
      });
      if (type == kTypes.end()) return fault(at, "there is no type " + to_json(one));
      node.types |= type->bit;
    }
  }

  const Value& document_;
  std::vector<std::string>& faults_;
  std::shared_ptr<JsonSchema> schema_ = std::make_shared<JsonSchema>();
  std::map<std::string, std::size_t> numbers_;
  std::vector<std::pair<std::size_t, std::string>> references_;
};

std::shared_ptr<const JsonSchema> JsonSchema::compile(const Value& document, std::vector<std::string>& faults) {
  return SchemaCompiler(document, faults).run();
}

std::vector<std::string> JsonSchema::validate(const Value& value) const {
  Validation validation(*this);
  (void)validation.fits(0, value, {}, 0);
  return validation.take();
}

}  // namespace railhead::routing
