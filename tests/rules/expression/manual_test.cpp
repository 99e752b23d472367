// Every example of rules/README.md gives what the manual says.
#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "tests/rules/expression/harness.h"
#include "tests/support/places.h"

namespace railhead::expression {
namespace {

using test::Expression;

TEST_CASE("the examples of the manual are true") {
  std::ifstream in(railhead::test::source_directory() + "/rules/README.md");
  std::string line;
  std::string block;
  std::string reading;
  int examples = 0;
  const auto example = [&] {
    const std::size_t comment = line.rfind(" // ");
    REQUIRE_MESSAGE(comment != std::string::npos, line);
    const std::string expected(base::trim(line.substr(comment + 4)));
    Expression expression(line.substr(0, comment));
    JsonParser parser;
    const auto document = parser.parse(reading);
    REQUIRE(document.has_value());
    for (const auto& [name, value] : document->as_map()) {
      const bool is_time = name.as_text() == "time";
      expression.with(std::string(name.as_text()), is_time ? Value::timestamp(*parse_rfc3339(value.as_text())) : value);
    }
    const Value result = expression.result();
    const bool failed = result.is(Kind::error);
    if (!failed) {
      for (const Problem& problem : expression.problems) CHECK_MESSAGE(problem.warning, line);
    }
    const std::string got = failed ? "error: " + std::string(result.as_text()) : to_json(result);
    INFO(line);
    if (expected.starts_with("error: ")) {
      CHECK(got.starts_with(expected));
    } else {
      CHECK(got == expected);
    }
    ++examples;
  };
  while (std::getline(in, line)) {
    if (line.starts_with("```")) {
      block = line.substr(3);
    } else if (block == "json reading") {
      reading += line;
    } else if (block == "cel") {
      example();
    }
  }
  CHECK(examples >= 50);
}

}  // namespace
}  // namespace railhead::expression
