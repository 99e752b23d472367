#include "gateway/config/expression_text.h"

#include <doctest/doctest.h>

namespace railhead::config {
namespace {

// What stands at `x`, and what is said of it.
struct Read {
  explicit Read(std::string_view text) : document(Document::parse(text, "t.yaml", diagnostics)) {
    text_at_x = expression_text(document.root().find("x"), diagnostics);
    literal = literal_hint(document.root().find("x"));
  }
  Diagnostics diagnostics;
  Document document;
  std::optional<std::string> text_at_x;
  std::string literal;
};

TEST_CASE("scalars are expressions, however they are written") {
  CHECK(Read("x: value.a > 1").text_at_x == "value.a > 1");
  CHECK(Read("x: '!value.on'").text_at_x == "!value.on");
  CHECK(Read("x: \"'a' == b\"").text_at_x == "'a' == b");
  CHECK(Read("x: 5").text_at_x == "5");
  CHECK(Read("x: true").text_at_x == "true");
  CHECK(Read("x: null").text_at_x == "null");
  CHECK(Read("x: |\n  a +\n  b\n").text_at_x == "a +\nb\n");
  CHECK(Read("x: a > 1 # why\n").text_at_x == "a > 1");
  CHECK(Read("x: a#b").text_at_x == "a#b");
}

TEST_CASE("what is no expression is said with the quoted form") {
  struct Row {
    std::string_view text;
    std::string_view message;
    std::string_view hint;
  };
  constexpr Row kRows[] = {
      {"x:", "an expression is due here", ""},
      {"x: [1, 2]", "expected an expression, not a list", "if this is an expression, put it in quotes: '[1, 2]'"},
      {"x: { a: 1 }", "expected an expression, not a map", "if this is an expression, put it in quotes: '{ a: 1 }'"},
      {"x:\n  a: 1", "expected an expression, not a map", ""},
      {"x: f(a, #b)", "", ""},
      {"x: a.split(\" #\")", "' #' begins a comment: the expression is cut short here",
       "put the whole expression in quotes: 'a.split(\" #\")'"},
      {"x: a + #b", "' #' begins a comment: the expression is cut short here",
       "put the whole expression in quotes: 'a + #b'"},
      {"x: ''", "the expression is empty", "an empty text is '\"\"'"},
      {"x: !a", "'!' begins a YAML tag here: tags are not taken",
       "an expression that begins with '!' needs quotes: '!a'"},
      {"x: \"a\" == b", "text behind the closing quote", "put the whole value in quotes: '\"a\" == b'"},
      {"x: 'a' == b", "text behind the closing quote", "put the whole value in quotes: '''a'' == b'"},
      {"x: a ? b : c", "a ':' with a blank behind it inside a value", "put the whole value in quotes: 'a ? b : c'"},
      {"{ x: a ? b : c, y: 1 }", "inside { } and [ ] a value with '?' needs quotes",
       "put the whole value in quotes: 'a ? b : c'"},
      {"{ x: m[0], y: 1 }", "inside { } and [ ] a value with '[' needs quotes",
       "put the whole value in quotes: 'm[0]'"},
      {"{ x: f(a, b), y: 1 }", "a ',' inside { } and [ ] ends the value", "put the whole value in quotes: 'f(a, b)'"},
      {"{ x: f(g(a, b), c), y: 1 }", "a ',' inside { } and [ ] ends the value",
       "put the whole value in quotes: 'f(g(a, b), c)'"},
      {"x: [1].size()", "text behind the closing bracket", "put the whole value in quotes: '[1].size()'"},
  };
  for (const Row& row : kRows) {
    INFO(row.text);
    const Read read(row.text);
    const auto said = read.diagnostics.sorted();
    if (row.message.empty()) {
      // Inside brackets a comment needs a blank before it, and here there is one: cut short.
      REQUIRE(said.size() == 1);
      CHECK(said[0].message == "' #' begins a comment: the expression is cut short here");
      continue;
    }
    REQUIRE(said.size() == 1);
    CHECK(said[0].message == row.message);
    if (!row.hint.empty()) CHECK(said[0].hint == row.hint);
    CHECK_FALSE(read.text_at_x);
  }
}

TEST_CASE("the rest of braces with a cut call is read") {
  const Read read("{ x: f(a, b), y: 1, z: g(c, d) }");
  CHECK(read.diagnostics.error_count() == 2);
  CHECK(read.document.root().members().size() == 3);
  CHECK(read.document.root().find("y").text() == "1");
}

TEST_CASE("a quoted word is perhaps meant as a text") {
  CHECK(Read("x: \"alarm\"").literal == "YAML takes these quotes away: as a text write '\"alarm\"'");
  CHECK(Read("x: alarm").literal == "");
  CHECK(Read("x: 'a.b > 1'").literal == "");
}

}  // namespace
}  // namespace railhead::config
