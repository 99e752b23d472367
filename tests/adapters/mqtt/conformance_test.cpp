// The table of the standards' statements (adapters/mqtt/conformance.md) names tests: each must exist, and no
// statement may be missing.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "gateway/base/text.h"
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

struct Section {
  const char* number;
  int first;
  int last;
};
// The numbers of the standards' appendices B. 5.0 has no [MQTT-2.2.1-1]; 3.1.1 prints 3.8.3-4 as 3-8.3-4.
const Section kFive[] = {
    {"1.5.4", 1, 3},  {"1.5.5", 1, 1},  {"1.5.7", 1, 1},  {"2.1.3", 1, 1},  {"2.2.1", 2, 6},  {"2.2.2", 1, 1},
    {"3.1.0", 1, 2},  {"3.1.2", 1, 30}, {"3.1.3", 1, 12}, {"3.1.4", 1, 6},  {"3.2.0", 1, 2},  {"3.2.2", 1, 22},
    {"3.3.1", 1, 13}, {"3.3.2", 1, 20}, {"3.3.4", 1, 10}, {"3.4.2", 1, 3},  {"3.5.2", 1, 3},  {"3.6.1", 1, 1},
    {"3.6.2", 1, 3},  {"3.7.2", 1, 3},  {"3.8.1", 1, 1},  {"3.8.3", 1, 5},  {"3.8.4", 1, 8},  {"3.9.2", 1, 2},
    {"3.9.3", 1, 2},  {"3.10.1", 1, 1}, {"3.10.3", 1, 2}, {"3.10.4", 1, 6}, {"3.11.2", 1, 2}, {"3.11.3", 1, 2},
    {"3.12.4", 1, 1}, {"3.14.0", 1, 1}, {"3.14.1", 1, 1}, {"3.14.2", 1, 4}, {"3.14.4", 1, 3}, {"3.15.1", 1, 1},
    {"3.15.2", 1, 3}, {"4.1.0", 1, 2},  {"4.2.0", 1, 1},  {"4.3.1", 1, 1},  {"4.3.2", 1, 5},  {"4.3.3", 1, 13},
    {"4.4.0", 1, 2},  {"4.5.0", 1, 2},  {"4.6.0", 1, 6},  {"4.7.0", 1, 1},  {"4.7.1", 1, 2},  {"4.7.2", 1, 1},
    {"4.7.3", 1, 4},  {"4.8.2", 1, 6},  {"4.9.0", 1, 3},  {"4.12.0", 1, 7}, {"4.12.1", 1, 2}, {"4.13.1", 1, 1},
    {"4.13.2", 1, 1}, {"6.0.0", 1, 4}};
const Section kThree[] = {{"1.5.3", 1, 3},  {"2.2.2", 1, 2},  {"2.3.1", 1, 7},  {"3.1.0", 1, 2},  {"3.1.2", 1, 24},
                          {"3.1.3", 1, 11}, {"3.1.4", 1, 5},  {"3.2.0", 1, 1},  {"3.2.2", 1, 6},  {"3.3.1", 1, 12},
                          {"3.3.2", 1, 3},  {"3.3.4", 1, 1},  {"3.3.5", 1, 2},  {"3.6.1", 1, 1},  {"3.8.1", 1, 1},
                          {"3.8.3", 1, 4},  {"3.8.4", 1, 6},  {"3.9.3", 1, 2},  {"3.10.1", 1, 1}, {"3.10.3", 1, 2},
                          {"3.10.4", 1, 6}, {"3.12.4", 1, 1}, {"3.14.1", 1, 1}, {"3.14.4", 1, 3}, {"4.1.0", 1, 2},
                          {"4.3.1", 1, 1},  {"4.3.2", 1, 2},  {"4.3.3", 1, 2},  {"4.4.0", 1, 1},  {"4.5.0", 1, 2},
                          {"4.6.0", 1, 6},  {"4.7.1", 1, 3},  {"4.7.2", 1, 1},  {"4.7.3", 1, 4},  {"4.8.0", 1, 2},
                          {"6.0.0", 1, 4},  {"7.0.0", 1, 2},  {"7.1.1", 1, 1},  {"7.1.2", 1, 1}};

// How often each statement stands in the first column of the tables in `text`.
std::map<std::string, int> statements_of(std::string_view text) {
  std::map<std::string, int> found;
  for (const std::string_view line : base::split(text, '\n')) {
    if (!line.starts_with("| [")) continue;
    std::string_view cell = line.substr(2, line.find('|', 2) - 2);
    for (std::size_t at = cell.find('['); at != std::string_view::npos; at = cell.find('[')) {
      const std::size_t end = cell.find(']', at);
      REQUIRE(end != std::string_view::npos);
      ++found[std::string(cell.substr(at, end + 1 - at))];
      cell.remove_prefix(end + 1);
    }
  }
  return found;
}

TEST_CASE("the tables have every statement of both standards once, and no other") {
  const std::string table = test::read_file(test::source_directory() + "/adapters/mqtt/conformance.md");
  const std::size_t five = table.find("\n## MQTT 5.0\n");
  const std::size_t three = table.find("\n## MQTT 3.1.1\n");
  const std::size_t end = table.find("\n## Reason codes\n");
  REQUIRE(five < three);
  REQUIRE(three < end);
  REQUIRE(end != std::string::npos);
  const auto check = [](std::span<const Section> sections, std::string_view text, std::size_t count) {
    std::map<std::string, int> expected;
    for (const Section& section : sections) {
      for (int n = section.first; n <= section.last; ++n) {
        expected["[MQTT-" + std::string(section.number) + "-" + std::to_string(n) + "]"] = 1;
      }
    }
    CHECK(expected.size() == count);
    const std::map<std::string, int> found = statements_of(text);
    for (const auto& [statement, times] : expected) {
      CAPTURE(statement);
      CHECK(found.contains(statement));
    }
    for (const auto& [statement, times] : found) {
      CAPTURE(statement);
      CHECK(expected.contains(statement));
      CHECK(times == 1);
    }
  };
  check(kFive, std::string_view(table).substr(five, three - five), 251);
  check(kThree, std::string_view(table).substr(three, end - three), 141);
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
