// Configurations damaged at random: diagnostics or a Router, never a crash, and what was built routes anything.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/rules/routing/case_support.h"
#include "tests/support/places.h"

using namespace railhead;

namespace {

constexpr int kRounds = 600;

std::vector<std::string> sound_configurations() {
  std::vector<std::string> texts;
  const std::filesystem::path cases = std::filesystem::path(test::source_directory()) / "tests/cases/rules";
  for (const auto& entry : std::filesystem::directory_iterator(cases)) {
    if (entry.is_directory()) texts.push_back(test::file_text(entry.path() / "config.yaml"));
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

constexpr std::string_view kInput =
    R"({"source":"sensors","device":"a","value":{"x":1,"n":2,"t":60,"name":"x"},"attributes":{"topic":"plant/a/x/telemetry"}}
{"source":"sensors","device":"d","value":null}
{"source":"boiler-house","device":"boiler-1","value":{"temperature":95.5,"pressure":2}}
{"source":"boiler-house","device":"boiler-1","quality":"bad","bad":{"temperature":"timeout"}}
{"source":"railhead","device":"","value":[1,[2],{"a":null}]}
)";

}  // namespace

TEST_CASE("a damaged configuration is refused or works, and never crashes") {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937 random(seed);
  const std::vector<std::string> texts = sound_configurations();
  REQUIRE(texts.size() > 10);
  constexpr std::string_view kPieces[] = {"${", "}", "{",     "[",    "]", ": ",       "'",  "\"", "null", "!",
                                          "\n", "-", "value", "1e9",  "~", "previous", " #", "\\", "${}",  "%",
                                          "?",  ",", "to:",   "send", "(", ")",        "  ", "\t", "\xff", "&a"};
  int built_count = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string text = texts[random() % texts.size()];
    for (auto changes = 1 + random() % 4; changes > 0; --changes) {
      const std::size_t at = random() % text.size();
      const std::string_view piece = kPieces[random() % std::size(kPieces)];
      switch (random() % 3) {
        case 0: text.insert(at, piece); break;
        case 1: text.erase(at, 1 + random() % 20); break;
        default: text.replace(at, std::min<std::size_t>(piece.size(), text.size() - at), piece);
      }
    }
    CAPTURE(text);
    const auto built = test::build_rules(text);
    (void)built->diagnostics.render();
    CHECK((built->router != nullptr) != built->diagnostics.has_errors());
    if (built->router == nullptr) continue;
    ++built_count;
    (void)test::try_text(*built->router, std::string(kInput));
  }
  CHECK(built_count > 0);
}
