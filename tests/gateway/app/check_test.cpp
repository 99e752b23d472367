// A whole configuration is read; every mistake is named at once. A case is a folder in tests/cases/check with a
// railhead.yaml and the expected diagnostics: a new one needs no C++.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "gateway/app/configuration.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

using namespace railhead;

namespace {

namespace fs = std::filesystem;

std::string diagnose(const fs::path& folder) {
  // Relative to the case, so that the expected text names no machine's path.
  const fs::path before = fs::current_path();
  fs::current_path(folder);
  config::Diagnostics diagnostics;
  {
    const app::Configuration configuration = app::load_configuration("railhead.yaml", diagnostics);
    CHECK((configuration.router != nullptr || diagnostics.has_errors()));
  }
  fs::current_path(before);
  return diagnostics.render();
}

}  // namespace

TEST_CASE("every case prints the diagnostics that stand beside it") {
  int cases = 0;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(fs::path(test::source_directory()) / "tests/cases/check")) {
    ++cases;
    CAPTURE(entry.path().filename().string());
    CHECK(diagnose(entry.path()) == test::read_file((entry.path() / "error.txt").string()));
  }
  CHECK(cases > 0);
}

TEST_CASE("every mistake of a configuration is one diagnostic") {
  const std::string text = diagnose(fs::path(test::source_directory()) / "tests/cases/check/ten-mistakes");
  std::size_t errors = 0;
  for (std::size_t at = text.find(": error: "); at != std::string::npos; at = text.find(": error: ", at + 1)) ++errors;
  CHECK(errors == 11);
}

TEST_CASE("the shipped configuration is without a mistake") {
  config::Diagnostics diagnostics;
  const app::Configuration configuration = app::load_configuration(
      fs::path(test::source_directory()) / "firmware-config/etc/railhead/railhead.yaml", diagnostics);
  CHECK(diagnostics.render() == "");
  CHECK(configuration.router != nullptr);
}

TEST_CASE("the configurations in the page on rules are without a mistake") {
  constexpr std::string_view kWorld =
      "version: 1\ngateway: plant-7\nspool: { path: spool }\n"
      "sources: { sensors: { mqtt: { url: \"mqtt://localhost\", subscribe: [ { topic: \"plant/{device}\" } ] } } }\n";
  constexpr std::string_view kBegin = "```yaml configuration\n";
  const test::TemporaryDirectory directory;
  fs::create_directory(fs::path(directory.path()) / "schemas");
  (void)directory.write("schemas/telemetry.json",
                        R"({"type":"object","required":["celsius"],"properties":{"celsius":{"type":"number"}}})");
  const std::string page = test::read_file(test::source_directory() + "/rules/routing/README.md");
  int blocks = 0;
  for (std::size_t at = page.find(kBegin); at != std::string::npos; at = page.find(kBegin, at)) {
    at += kBegin.size();
    const std::string block = page.substr(at, page.find("```", at) - at);
    (void)directory.write("railhead.yaml", std::string(kWorld) + block);
    CAPTURE(block);
    CHECK(diagnose(directory.path()) == "");
    ++blocks;
  }
  CHECK(blocks == 3);
}
