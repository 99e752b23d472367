// The table of the standards' statements (adapters/mqtt/conformance.md) names tests: each must exist.
#include <doctest/doctest.h>

#include <filesystem>
#include <set>
#include <string>

#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::mqtt {
namespace {

// What stands in quotation marks behind `before`, in the whole text.
std::set<std::string> quoted(const std::string& text, const std::string& before) {
  std::set<std::string> found;
  for (std::size_t at = text.find(before); at != std::string::npos; at = text.find(before, at)) {
    at += before.size();
    const std::size_t end = text.find('"', at);
    if (end == std::string::npos) break;
    found.insert(text.substr(at, end - at));
    at = end + 1;
  }
  return found;
}

TEST_CASE("every test that the table of the standards' statements names exists") {
  std::set<std::string> tests;
  for (const char* folder : {"/tests/adapters/mqtt", "/tests/brokers/mqtt"}) {
    for (const auto& entry : std::filesystem::directory_iterator(test::source_directory() + folder)) {
      tests.merge(quoted(test::read_file(entry.path().string()), "TEST_CASE(\""));
    }
  }
  REQUIRE(tests.size() > 80);
  const std::string table = test::read_file(test::source_directory() + "/adapters/mqtt/conformance.md");
  const std::set<std::string> named = quoted(table, "\"");
  CHECK(named.size() > 30);
  for (const std::string& name : named) {
    CAPTURE(name);
    CHECK(tests.count(name) == 1);
  }
}

}  // namespace
}  // namespace railhead::mqtt
