// Places where YAML takes an expression for something else (S29): each is said once, with the quoted form, and only the
// value it stands in is lost. What is YAML but no expression (a list, a map, nothing) is the rules' to say.
#include <doctest/doctest.h>

#include "gateway/config/document.h"

namespace railhead::config {
namespace {

struct Parsed {
  explicit Parsed(std::string_view text) : document(Document::parse(text, "t.yaml", diagnostics)) {}
  Diagnostics diagnostics;
  Document document;
};

TEST_CASE("each collision is said with the quoted form") {
  struct Row {
    std::string_view text;
    std::string_view message;
    std::string_view hint;
  };
  constexpr Row kRows[] = {
      {"x: !a", "'!' begins a YAML tag here: tags are not taken",
       "an expression that begins with '!' needs quotes: '!a'"},
      {"x: !(a == b)", "'!' begins a YAML tag here: tags are not taken",
       "an expression that begins with '!' needs quotes: '!(a == b)'"},
      {"x: \"a\" == b", "text behind the closing quote", "put the whole value in quotes: '\"a\" == b'"},
      {"x: 'a' == b", "text behind the closing quote", "put the whole value in quotes: '''a'' == b'"},
      {"x: [1].size()", "text behind the closing bracket", "put the whole value in quotes: '[1].size()'"},
      {"x: {a: 1}.a", "text behind the closing bracket", "put the whole value in quotes: '{a: 1}.a'"},
      {"x: a ? b : c", "a ':' with a blank behind it inside a value", "put the whole value in quotes: 'a ? b : c'"},
      {"{ x: a ? b : c, y: 1 }", "inside { } and [ ] a value with '?' needs quotes",
       "put the whole value in quotes: 'a ? b : c'"},
      {"{ x: m[0], y: 1 }", "inside { } and [ ] a value with '[' needs quotes",
       "put the whole value in quotes: 'm[0]'"},
      {"{ x: f(a, b), y: 1 }", "a ',' inside { } and [ ] ends the value", "put the whole value in quotes: 'f(a, b)'"},
      {"{ x: f(g(a, b), c), y: 1 }", "a ',' inside { } and [ ] ends the value",
       "put the whole value in quotes: 'f(g(a, b), c)'"},
      {"x: [f(a, b), c]", "a ',' inside { } and [ ] ends the value", "put the whole value in quotes: 'f(a, b)'"},
      {"x: *a", "'*' begins a YAML alias: aliases are not taken here",
       "a text or an expression that begins with '*' needs quotes: '*a'"},
      {"x: @a", "a value cannot begin with '@'", "put the whole value in quotes: '@a'"},
      {"x: %a", "a value cannot begin with '%'", "put the whole value in quotes: '%a'"},
  };
  for (const Row& row : kRows) {
    INFO(row.text);
    const Parsed yaml(row.text);
    const auto said = yaml.diagnostics.sorted();
    REQUIRE(said.size() == 1);
    CHECK(said[0].message == row.message);
    CHECK(said[0].hint == row.hint);
    CHECK_FALSE(yaml.document.root().find("x").is_scalar());
  }
}

TEST_CASE("what stands beside a collision is read") {
  const Parsed yaml("{ x: f(a, b), y: 1, z: g(c, d) }");
  CHECK(yaml.diagnostics.error_count() == 2);
  CHECK(yaml.document.root().members().size() == 3);
  CHECK(yaml.document.root().find("x").is_broken());
  CHECK(yaml.document.root().find("y").text() == "1");
}

TEST_CASE("what only looks like a collision is none") {
  for (const char* text :
       {"x: a.b != c", "x: 'a' ", "x: \"a\"   # why", "x: [a] # why", "x: a?b", "x: f(a, b)", "{ x: f(a), y: g(b) }",
        "{ x: '(', y: ')' }", "x: a#b", "{ x: \"(\", y: z) }", "[ (a), b ]"}) {
    INFO(text);
    CHECK(Parsed(text).diagnostics.render() == "");
  }
}

}  // namespace
}  // namespace railhead::config
