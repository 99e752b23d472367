#include "rules/routing/template.h"

#include <doctest/doctest.h>

using namespace railhead::routing;

namespace {

// Texts as they are, expressions in <>, a fault as !offset+length: sentence.
std::string shape(std::string_view text) {
  TemplateFault fault;
  std::string out;
  for (const TemplatePart& part : split_template(text, fault)) {
    out += part.kind == TemplatePart::Kind::expression ? "<" + part.text + ">" : part.text;
    if (part.kind == TemplatePart::Kind::expression) CHECK(text.substr(part.offset).starts_with(part.text));
  }
  if (!fault.sentence.empty()) {
    out += "!" + std::to_string(fault.offset) + "+" + std::to_string(fault.length) + ": " + std::string(fault.sentence);
  }
  return out;
}

}  // namespace

TEST_CASE("a template is text and expressions") {
  CHECK(shape("") == "");
  CHECK(shape("plain") == "plain");
  CHECK(shape("${device}") == "<device>");
  CHECK(shape("a.${x}.${ y + 1 }") == "a.<x>.< y + 1 >");
  CHECK(shape("$5 and $$ and $") == "$5 and $$ and $");
  CHECK(shape("$${x} ${y}") == "${x} <y>");
}

TEST_CASE("braces and strings inside an expression do not end it") {
  CHECK(shape("${ {'a': 1}['a'] }!") == "< {'a': 1}['a'] >!");
  CHECK(shape("${'}'}x") == "<'}'>x");
  CHECK(shape(R"(${"\"}"}x)") == R"(<"\"}">x)");
  CHECK(shape(R"(${r"\"}x)") == R"(<r"\">x)");
  CHECK(shape(R"(${xr("\\")}x)") == R"(<xr("\\")>x)");
  CHECK(shape(R"(${"""a"}b"""}x)") == R"(<"""a"}b""">x)");
}

// Error paths

TEST_CASE("a broken template says where") {
  CHECK(shape("a${x") == "a!1+3: nothing closes this ${");
  CHECK(shape("a${'x}") == "a!1+5: nothing closes this ${");
  CHECK(shape("a${ }b") == "a!1+4: there is no expression in this ${}");
}
