// A JSON Schema document -> JsonSchema's nodes.
#include <algorithm>
#include <array>

#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "rules/routing/json_schema.h"
#include "rules/routing/state_bytes.h"

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
    schema_->fingerprint_ = stable_hash(to_json(document_));
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

}  // namespace railhead::routing
