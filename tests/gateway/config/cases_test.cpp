// Every folder of tests/cases/config is a case: config.yaml (or a folder config/), and what the reader says of it in
// error.txt. RAILHEAD_UPDATE_CASES=1 writes error.txt anew: read the difference before committing it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "gateway/config/gateway_options.h"
#include "tests/support/places.h"

namespace railhead::config {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string without(std::string text, const std::string& prefix) {
  for (std::size_t at = 0; (at = text.find(prefix, at)) != std::string::npos;) text.erase(at, prefix.size());
  return text;
}

std::string diagnostics_of(const fs::path& folder) {
  Diagnostics diagnostics;
  const fs::path file = folder / "config.yaml";
  const Document document = Document::load(fs::exists(file) ? file : folder / "config", diagnostics);
  static_cast<void>(read_gateway(document, diagnostics));
  return without(diagnostics.render(), folder.string() + "/");
}

TEST_CASE("each case folder says what its error.txt says") {
  std::vector<fs::path> folders;
  for (const auto& found : fs::directory_iterator(fs::path(test::source_directory()) / "tests/cases/config")) {
    if (found.is_directory()) folders.push_back(found.path());
  }
  std::sort(folders.begin(), folders.end());
  CHECK(folders.size() >= 6);
  for (const fs::path& folder : folders) {
    INFO("case ", folder.filename().string());
    const std::string said = diagnostics_of(folder);
    if (std::getenv("RAILHEAD_UPDATE_CASES") != nullptr) std::ofstream(folder / "error.txt", std::ios::binary) << said;
    REQUIRE(fs::exists(folder / "error.txt"));
    CHECK(said == text_of(folder / "error.txt"));
  }
}

}  // namespace
}  // namespace railhead::config
