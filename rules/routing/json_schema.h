// JsonSchema: what a consumer demands of a body. Standard: JSON Schema draft 2020-12, of it: type, enum, const,
// properties, required, additionalProperties, patternProperties, min/maxProperties, items, prefixItems, min/maxItems,
// uniqueItems, min/maxLength, pattern, minimum, maximum, exclusiveMinimum/Maximum, multipleOf, allOf, anyOf, oneOf,
// not, local $ref (#, #/...), $defs, boolean schemas. Annotations (title, description, format, default, ...) are passed
// over. Any other keyword would change the meaning and is an error: nothing is silently not checked. Bounds:
// kSchemaNodesMax, kSchemaDepthMax, kSchemaStepsMax a validation, kSchemaFaultsMax faults. Threads: immutable once
// compiled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/message/value.h"
#include "rules/expression/functions/regex.h"

namespace railhead::routing {

inline constexpr std::size_t kSchemaNodesMax = 10'000;
inline constexpr std::size_t kSchemaDepthMax = 64;
inline constexpr std::size_t kSchemaStepsMax = 1'000'000;
inline constexpr std::size_t kSchemaFaultsMax = 10;

// The seven types of JSON Schema, a bit each.
inline constexpr unsigned kJsonNull = 1;
inline constexpr unsigned kJsonBoolean = 2;
inline constexpr unsigned kJsonInteger = 4;
inline constexpr unsigned kJsonNumber = 8;
inline constexpr unsigned kJsonString = 16;
inline constexpr unsigned kJsonArray = 32;
inline constexpr unsigned kJsonObject = 64;
inline constexpr unsigned kJsonAny = 127;
[[nodiscard]] std::string names_of_types(unsigned types);

class JsonSchema {
 public:
  struct Node {
    bool never = false;                               // the schema `false`
    unsigned types = kJsonAny;                        // bits of the above
    std::optional<std::vector<Value>> one_of_values;  // enum, const
    std::map<std::string, std::size_t, std::less<>> properties;
    std::vector<std::string> required;
    std::vector<std::pair<std::shared_ptr<const expression::Regex>, std::size_t>> pattern_properties;
    std::optional<std::size_t> additional;  // properties
    std::optional<std::size_t> items;
    std::vector<std::size_t> prefix_items;
    std::optional<double> minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of;
    std::optional<double> min_length, max_length, min_items, max_items, min_properties, max_properties;
    bool unique_items = false;
    std::string pattern_text;
    std::shared_ptr<const expression::Regex> pattern;
    std::vector<std::size_t> all_of, any_of, exactly_one_of;
    std::optional<std::size_t> none_of;
    std::optional<std::size_t> ref;
  };

  // The document as parsed JSON or YAML; `faults` gains sentences ("/properties/x: ..."), then the result is null.
  [[nodiscard]] static std::shared_ptr<const JsonSchema> compile(const Value& document,
                                                                 std::vector<std::string>& faults);

  // What does not fit, as sentences with the path; empty: it fits. `value` as JSON reads it. A part of a document is
  // held against the node of its `number` and goes by `name`.
  [[nodiscard]] std::vector<std::string> validate(const Value& value, std::size_t number = 0,
                                                  std::string_view name = {}) const;

  // Equal for equal documents.
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }

  // For static checks: the root's number is 0.
  [[nodiscard]] const Node& node(std::size_t number) const { return nodes_[number]; }

 private:
  friend class SchemaCompiler;
  std::vector<Node> nodes_;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace railhead::routing
