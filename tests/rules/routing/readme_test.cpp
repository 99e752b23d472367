// Every example of rules/routing/README.md does what the page says.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "rules/routing/rule_tests.h"
#include "tests/rules/routing/case_support.h"
#include "tests/support/places.h"

using namespace railhead;

namespace {

struct Block {
  std::string kind;  // "yaml rule"
  std::string text;
  int line = 0;
};

std::vector<Block> blocks_of(const std::string& page) {
  std::vector<Block> blocks;
  std::istringstream in(page);
  std::string line;
  bool inside = false;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) blocks.push_back({line.substr(3), {}, number});
    } else if (inside) {
      blocks.back().text += line + "\n";
    }
  }
  return blocks;
}

}  // namespace

TEST_CASE("the examples of the page on rules are true") {
  const std::filesystem::path folder = std::filesystem::path(test::source_directory()) / "rules/routing";
  const std::vector<Block> blocks = blocks_of(test::file_text(folder / "README.md"));
  std::string world;
  std::unique_ptr<test::Built> built;
  std::string input;
  int examples = 0;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  for (const Block& block : blocks) {
    CAPTURE(block.line);
    // `yaml configuration` is checked in tests/gateway/app/check_test.cpp.
    constexpr std::array<std::string_view, 5> kKinds{"yaml world", "yaml rule", "json in", "json out",
                                                     "yaml configuration"};
    CHECK(std::find(kKinds.begin(), kKinds.end(), block.kind) != kKinds.end());
    if (block.kind == "yaml world") world = block.text;
    if (block.kind == "yaml rule") {
      built = test::build_rules(world + block.text, "README.yaml");
      CAPTURE(built->diagnostics.render());
      CHECK(built->router != nullptr);
      const config::Node tests = built->document.root().find("tests");
      if (tests.present() && built->router != nullptr) {
        std::ostringstream out;
        const auto count = routing::run_rule_tests(*built->router, tests, built->diagnostics, out);
        CAPTURE(out.str());
        CHECK(count.failed == 0);
        CHECK(count.passed > 0);
        ++examples;
      }
    }
    if (block.kind == "json in") input = block.text;
    if (block.kind == "json out" && built != nullptr && built->router != nullptr) {
      CHECK(test::try_text(*built->router, input) == block.text);
      ++examples;
    }
  }
  std::filesystem::current_path(before);
  CHECK(examples >= 8);
}
