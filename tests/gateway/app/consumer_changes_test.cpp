// What `railhead check --against` says. tests/cases/against/changes.txt: blocks "== what is changed", the text that
// goes from old.yaml ("- ", several lines are one text) and what comes in its place ("+ "), as often as needed; then
// the answer. RAILHEAD_UPDATE_CASES=1 writes the answers anew: read the difference before committing it.
#include "gateway/app/consumer_changes.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/places.h"
#include "tests/support/process.h"

using namespace railhead;

namespace {

namespace fs = std::filesystem;

struct Change {
  std::string head;  // the block but for the answer
  std::vector<std::pair<std::string, std::string>> edits;
  std::string answer;
};

std::vector<Change> read_changes(const std::string& text) {
  std::vector<Change> changes;
  std::istringstream in(text);
  char last = ' ';
  for (std::string line; std::getline(in, line);) {
    const char sign = line.size() >= 2 && line[1] == ' ' ? line[0] : line.starts_with("== ") ? '=' : ' ';
    if (sign == '=') {
      changes.emplace_back();
    } else if (sign == '-') {
      auto& edits = changes.back().edits;
      if (last != '-') edits.emplace_back();
      edits.back().first += (last == '-' ? "\n" : "") + line.substr(2);
    } else if (sign == '+') {
      auto& edit = changes.back().edits.back();
      edit.second += (last == '+' ? "\n" : "") + line.substr(2);
    } else if (!line.empty()) {
      changes.back().answer += line + "\n";
    }
    if (sign != ' ') changes.back().head += line + "\n";
    last = sign;
  }
  return changes;
}

}  // namespace

TEST_CASE("each change of a configuration is told to its consumers") {
  const fs::path folder = fs::path(test::source_directory()) / "tests/cases/against";
  const std::string old_text = test::read_file((folder / "old.yaml").string());
  const std::vector<Change> changes = read_changes(test::read_file((folder / "changes.txt").string()));
  CHECK(changes.size() >= 30);
  const test::TemporaryDirectory area;
  for (const auto& entry : fs::directory_iterator(folder)) {
    fs::copy(entry.path(), fs::path(area.path()) / entry.path().filename());
  }
  config::Diagnostics diagnostics;
  const app::Configuration before = app::load_configuration(area.path() + "/old.yaml", diagnostics);
  REQUIRE(diagnostics.error_count() == 0);
  std::string all;
  for (const Change& change : changes) {
    CAPTURE(change.head);
    std::string text = old_text;
    for (const auto& [from, to] : change.edits) {
      const std::size_t at = text.find(from);
      CHECK_MESSAGE(at != std::string::npos, from);
      if (at == std::string::npos) continue;
      text.replace(at, from.size(), to);
    }
    config::Diagnostics wrong;
    const app::Configuration now = app::load_configuration(area.write("new.yaml", text), wrong);
    CAPTURE(wrong.render());
    CHECK(wrong.error_count() == 0);
    if (wrong.has_errors()) continue;
    const std::string answer = app::consumer_changes(before, now).text();
    CHECK(answer.find("secret@") == std::string::npos);
    if (std::getenv("RAILHEAD_UPDATE_CASES") == nullptr) CHECK(answer == change.answer);
    all += (all.empty() ? "" : "\n") + change.head + answer;
  }
  if (std::getenv("RAILHEAD_UPDATE_CASES") != nullptr) std::ofstream(folder / "changes.txt", std::ios::binary) << all;
}
