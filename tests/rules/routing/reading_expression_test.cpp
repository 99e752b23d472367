#include "rules/routing/reading_expression.h"

#include <doctest/doctest.h>

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"

namespace railhead::routing {
namespace {

TEST_CASE("an expression of a source's configuration sees the reading") {
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(
      "time: timestamp(value.ts)\nsplit: value.all + [device, source]\nbad: timestmp(value.ts)\n", "x.yaml",
      diagnostics);
  Reading reading;
  reading.source = "sensors";
  reading.device = "pump";
  reading.value = Value::map({{Value::text("ts"), Value::text("1970-01-01T00:00:05Z")},
                              {Value::text("all"), Value::list({Value::integer(1)})}});
  const auto time = reading_expressions().compile(document.root().find("time"), "time", diagnostics);
  const auto split = reading_expressions().compile(document.root().find("split"), "split", diagnostics);
  REQUIRE(time);
  REQUIRE(split);
  CHECK(time->open()->evaluate(reading).as_timestamp() == Time{std::chrono::seconds{5}});
  const auto open = split->open();
  CHECK(open->evaluate(reading) == Value::list({Value::integer(1), Value::text("pump"), Value::text("sensors")}));
  reading.value = Value::integer(7);
  CHECK(open->evaluate(reading).is(Kind::error));
  CHECK(diagnostics.error_count() == 0);

  CHECK_FALSE(reading_expressions().compile(document.root().find("bad"), "time", diagnostics));
  REQUIRE(diagnostics.error_count() == 1);
  CHECK(diagnostics.sorted()[0].mark.line == 3);
}

}  // namespace
}  // namespace railhead::routing
