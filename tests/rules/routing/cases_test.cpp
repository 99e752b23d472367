// tests/cases/rules/<case>/: config.yaml with either
//   input.jsonl and expected.jsonl: what `railhead try` makes of the input (and warnings.txt, if there are warnings),
//   or error.txt: the diagnostics, to the letter, or tests.txt: what `railhead test` prints.
// A new case needs no C++. RAILHEAD_WRITE_CASES=1 writes what came instead of comparing: read it before you keep it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "rules/routing/rule_tests.h"
#include "tests/rules/routing/case_support.h"
#include "tests/support/places.h"

using namespace railhead;

namespace {

void check(const std::filesystem::path& path, const std::string& got) {
  if (std::getenv("RAILHEAD_WRITE_CASES") != nullptr) {
    if (!got.empty() || std::filesystem::exists(path)) std::ofstream(path, std::ios::binary) << got;
    return;
  }
  CAPTURE(path.string());
  CHECK(got == test::file_text(path));
}

void run_case(const std::filesystem::path& folder) {
  const std::string text = test::file_text(folder / "config.yaml");
  REQUIRE_FALSE(text.empty());
  // The name that diagnostics show is the bare one; tables are found in the case's folder.
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  const auto built = test::build_rules(text, "config.yaml");
  std::filesystem::current_path(before);
  const bool wrong_on_purpose = std::filesystem::exists(folder / "error.txt");
  if (wrong_on_purpose) {
    CHECK(built->router == nullptr);
    check(folder / "error.txt", built->diagnostics.render());
    return;
  }
  CAPTURE(built->diagnostics.render());
  CHECK(built->router != nullptr);
  if (built->router == nullptr) return;
  check(folder / "warnings.txt", built->diagnostics.render());
  if (std::filesystem::exists(folder / "input.jsonl")) {
    check(folder / "expected.jsonl",
          test::try_text(*built->router, test::file_text(folder / "input.jsonl"), {}, built->input.sources));
  }
  const config::Node tests = built->document.root().find("tests");
  if (tests.present()) {
    std::ostringstream out;
    config::Diagnostics& diagnostics = built->diagnostics;
    const std::size_t said_before = diagnostics.render().size();
    (void)routing::run_rule_tests(*built->router, tests, diagnostics, out, routing::ShowCoverage::no,
                                  built->input.sources);
    check(folder / "tests.txt", diagnostics.render().substr(said_before) + out.str());
  }
}

}  // namespace

TEST_CASE("every folder of tests/cases/rules does what its files say") {
  const std::filesystem::path cases = std::filesystem::path(test::source_directory()) / "tests/cases/rules";
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(cases)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  CHECK(folders.size() >= 10);
  for (const auto& folder : folders) {
    CAPTURE(folder.filename().string());
    run_case(folder);
  }
}
