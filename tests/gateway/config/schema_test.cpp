// The schema must agree with the reader: what the reader takes is valid, and what it refuses for its kind is not. A
// small validator of the keywords that the schema uses.
#include <doctest/doctest.h>
#include <regex.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gateway/base/text.h"
#include "gateway/config/gateway_options.h"
#include "gateway/config/reference.h"
#include "tests/support/places.h"

namespace railhead::config {
namespace {

// The type JSON Schema would see after a YAML 1.2 reader.
std::string type_of(const Node& node) {
  if (node.is_map()) return "object";
  if (node.is_list()) return "array";
  if (node.is_null()) return "null";
  if (node.quoted()) return "string";
  if (node.text() == "true" || node.text() == "false") return "boolean";
  if (base::parse_int(node.text())) return "integer";
  return base::parse_double(node.text()) ? "number" : "string";
}

// POSIX extended: enough for the schema's patterns.
bool matches_pattern(const std::string& pattern, const std::string& text) {
  regex_t compiled;
  REQUIRE(regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) == 0);
  const bool found = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return found;
}

class Validator {
 public:
  explicit Validator(const Node& schema) : root_(schema) {}

  [[nodiscard]] bool valid(const Node& schema, const Node& value) const {
    if (schema.is_scalar()) return schema.text() == "true";
    if (const Node reference = schema.find("$ref"); reference.present()) {
      Node at = root_;
      for (const std::string_view step : base::split(reference.text().substr(2), '/')) at = at.find(step);
      REQUIRE(at.present());
      if (!valid(at, value)) return false;
    }
    if (const Node any = schema.find("anyOf"); any.present() && matches(any, value) == 0) return false;
    if (const Node one = schema.find("oneOf"); one.present() && matches(one, value) != 1) return false;
    if (const Node choices = schema.find("enum"); choices.present()) {
      bool found = false;
      for (const Node& choice : choices.items()) found |= choice.text() == value.text();
      if (!found) return false;
    }
    return has_type(schema.find("type"), value) && valid_scalar(schema, value) && valid_object(schema, value);
  }

 private:
  [[nodiscard]] int matches(const Node& schemas, const Node& value) const {
    int count = 0;
    for (const Node& schema : schemas.items()) count += valid(schema, value) ? 1 : 0;
    return count;
  }
  [[nodiscard]] static bool has_type(const Node& types, const Node& value) {
    const auto is = [&](std::string_view type) {
      return type == type_of(value) || (type == "number" && type_of(value) == "integer");
    };
    if (types.is_scalar()) return is(types.text());
    bool found = !types.present();
    for (const Node& type : types.items()) found |= is(type.text());
    return found;
  }
  [[nodiscard]] static bool valid_scalar(const Node& schema, const Node& value) {
    if (type_of(value) == "string") {
      const Node pattern = schema.find("pattern");
      return !pattern.present() || matches_pattern(std::string(pattern.text()), std::string(value.text()));
    }
    const auto number = value.is_scalar() ? base::parse_double(value.text()) : std::nullopt;
    if (!number) return true;
    const Node low = schema.find("minimum");
    const Node high = schema.find("maximum");
    return (!low.present() || *number >= base::parse_double(low.text())) &&
           (!high.present() || *number <= base::parse_double(high.text()));
  }
  [[nodiscard]] bool valid_object(const Node& schema, const Node& value) const {
    for (const Node& item : value.items()) {
      if (const Node items = schema.find("items"); items.present() && !valid(items, item)) return false;
    }
    if (!value.is_map()) return true;
    for (const Node& name : schema.find("required").items()) {
      if (!value.find(name.text()).present()) return false;
    }
    for (const Member& member : value.members()) {
      const Node known = schema.find("properties").find(member.name());
      const Node other = schema.find("additionalProperties");
      if (known.present() ? !valid(known, member.value) : other.present() && !valid(other, member.value)) return false;
    }
    return true;
  }

  Node root_;
};

class Schema {
 public:
  Schema() {
    Reference reference;
    describe_gateway(reference);
    document_ = Document::parse(reference.schema(), "schema.json", diagnostics_);
    REQUIRE(diagnostics_.render() == "");
  }
  [[nodiscard]] bool takes(std::string_view text) const {
    Diagnostics diagnostics;
    const Document document = Document::parse(text, "t.yaml", diagnostics);
    return Validator(document_.root()).valid(document_.root(), document.root());
  }

 private:
  Diagnostics diagnostics_;
  Document document_;
};

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST_CASE("what the reader takes is valid by the schema") {
  const Schema schema;
  const std::filesystem::path root(test::source_directory());
  CHECK(schema.takes(text_of(root / "tests/cases/config/whole/config.yaml")));
  CHECK(schema.takes("version: 1\ngateway: { env: NAME }\nspool: { age: 0, commit: 0.5 s, path: { file: p } }"));
}

TEST_CASE("what the reader refuses is not valid by the schema") {
  const Schema schema;
  REQUIRE(schema.takes("version: 1\ngateway: g"));
  for (const char* wrong :
       {"gateway: g", "version: 1", "version: one\ngateway: g", "version: 1\ngateway: [g]",
        "version: 1\ngateway: g\nspol: {}", "version: 1\ngateway: g\nspool: { limit: 5 }",
        "version: 1\ngateway: g\nspool: { age: 5 days }", "version: 1\ngateway: g\nspool: { when_full: stop }",
        "version: 1\ngateway: g\nlabels: [a]", "version: 1\ngateway: { env: A, file: b }",
        "version: 1\ngateway: g\npanel: { led: { kind: gpio } }"}) {
    INFO(wrong);
    CHECK_FALSE(schema.takes(wrong));
  }
}

}  // namespace
}  // namespace railhead::config
