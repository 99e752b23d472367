// Mutated configurations through the whole reader: no crash, no hang, every mark inside its file. The seed is printed;
// RAILHEAD_SEED=n repeats it.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "gateway/config/gateway_options.h"
#include "tests/support/places.h"

namespace railhead::config {
namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 1500;

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<std::string> samples() {
  std::vector<std::string> texts;
  for (const auto& found : fs::directory_iterator(fs::path(test::source_directory()) / "tests/cases/config")) {
    if (fs::exists(found.path() / "config.yaml")) texts.push_back(text_of(found.path() / "config.yaml"));
  }
  return texts;
}

class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  void mutate(std::string& text) {
    static constexpr std::string_view kPieces[] = {
        "\n",  "  ",   "\t", ": ", "- ",  "{",       "}",       "[",        "]",    ",",
        "\"",  "'",    "#",  " #", "!",   "&a ",     "*a",      "|\n",      ">-\n", "? ",
        "---", "...",  "${", "\\", "\\x", "%YAML 9", "\r\n",    "\xc3\xa9", "\xff", "~",
        "<<",  "null", "{}", "[]", "@",   "`",       "\"\\u12", "key: ",    "$",    "\x01"};
    const std::size_t at = below(text.size() + 1);
    switch (below(5)) {
      case 0: text.insert(at, kPieces[below(std::size(kPieces))]); break;
      case 1: text.erase(at, 1 + below(8)); break;
      case 2: text.replace(at, std::min<std::size_t>(1, text.size() - at), kPieces[below(std::size(kPieces))]); break;
      case 3: text.insert(at, text.substr(below(text.size() + 1), below(40))); break;
      default: text.resize(std::max<std::size_t>(at, text.size() / 2)); break;
    }
  }

 private:
  std::mt19937 random_;
};

// Touches everything a reader could; counts nodes.
std::size_t walk(const Node& node, Diagnostics& diagnostics) {
  std::size_t count = 1;
  static_cast<void>(diagnostics.where(node.mark()));
  static_cast<void>(node.rest_of_line());
  for (std::size_t offset = 0; offset <= node.text().size(); offset += 3) {
    const Mark mark = node.mark_at(offset);
    const auto file = diagnostics.file(mark.file);
    REQUIRE(file != nullptr);
    CHECK(mark.column <= file->line(mark.line).size() + 2);
  }
  for (const Member& member : node.members()) count += walk(member.key, diagnostics) + walk(member.value, diagnostics);
  for (const Node& item : node.items()) count += walk(item, diagnostics);
  return count;
}

TEST_CASE("no mutation of a configuration breaks its reader") {
  const char* given = std::getenv("RAILHEAD_SEED");
  const std::uint32_t seed =
      given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  std::cout << "robustness seed " << seed << "\n";
  Mutator mutator(seed);
  const std::vector<std::string> texts = samples();
  REQUIRE_FALSE(texts.empty());
  std::size_t nodes = 0;
  std::size_t refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string text = texts[mutator.below(texts.size())];
    for (std::size_t i = 0, count = 1 + mutator.below(4); i < count; ++i) mutator.mutate(text);
    INFO("seed ", seed, " round ", round, "\n", text);
    Diagnostics diagnostics;
    const auto begin = std::chrono::steady_clock::now();
    const Document document = Document::parse(text, "t.yaml", diagnostics);
    static_cast<void>(read_gateway(document, diagnostics));
    if (document.root().present()) nodes += walk(document.root(), diagnostics);
    const std::string said = diagnostics.render();
    CHECK(diagnostics.has_errors() == (said.find("error: ") != std::string::npos));
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{5});
    refused += diagnostics.has_errors() ? 1 : 0;
  }
  // Both happen, or the mutations are no test.
  CHECK(nodes > kRounds);
  CHECK(refused > kRounds / 10);
}

}  // namespace
}  // namespace railhead::config
