// docs/operations.md takes its table of events from the event table; this test compares, and writes it anew when the
// environment has RAILHEAD_UPDATE=1.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "gateway/status/events.h"
#include "gateway/status/log.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::status {
namespace {

constexpr std::string_view kBegin = "<!-- events";
constexpr std::string_view kEnd = "<!-- end of events -->";

std::string events_table() {
  std::string table = "| event | level | means | do |\n|---|---|---|---|\n";
  for (const EventRow& row : kEvents) {
    table += "| `" + std::string(row.name) + "` | " + std::string(name_of(row.level)) + " | " +
             std::string(row.sentence) + " | " + std::string(row.action.empty() ? "-" : row.action) + " |\n";
  }
  return table;
}

TEST_CASE("docs/operations.md says what the event table says") {
  const std::string path = test::source_directory() + "/docs/operations.md";
  const std::string page = test::read_file(path);
  const std::size_t marker = page.find(kBegin);
  REQUIRE(marker != std::string::npos);
  const std::size_t begin = page.find('\n', marker) + 1;
  const std::size_t end = page.find(kEnd);
  REQUIRE(end != std::string::npos);
  if (std::getenv("RAILHEAD_UPDATE") != nullptr) {
    std::ofstream(path) << page.substr(0, begin) << events_table() << page.substr(end);
    return;
  }
  CHECK_MESSAGE(page.substr(begin, end - begin) == events_table(),
                "run test_gateway_status with RAILHEAD_UPDATE=1 to write the table anew");
}

TEST_CASE("every event that is a trouble says what to do, and no name is used twice") {
  std::set<std::string_view> names;
  for (const EventRow& row : kEvents) {
    CAPTURE(row.name);
    CHECK(names.insert(row.name).second);
    CHECK_FALSE(row.sentence.empty());
    if (row.level != Level::info) CHECK_FALSE(row.action.empty());
  }
}

}  // namespace
}  // namespace railhead::status
