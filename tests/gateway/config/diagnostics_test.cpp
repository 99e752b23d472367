#include "gateway/config/diagnostics.h"

#include <doctest/doctest.h>

#include "gateway/config/document.h"

namespace railhead::config {
namespace {

class Page {
 public:
  explicit Page(std::string text) {
    file_ = diagnostics.add_file(std::make_shared<const SourceText>("rules.d/boiler.yaml", std::move(text)));
  }
  [[nodiscard]] Mark at(std::uint32_t line, std::uint32_t column) const { return {file_, line, column}; }
  Diagnostics diagnostics;

 private:
  std::uint32_t file_ = 0;
};

TEST_CASE("a diagnostic is the place, the line, a caret run and a hint") {
  Page page(std::string(13, '\n') + "    when: value.tempertaure > 80\n");
  page.diagnostics.error(page.at(14, 17), 11, "no point 'tempertaure' on device 'boiler-1'",
                         "did you mean 'temperature'?");
  CHECK(page.diagnostics.render() ==
        "rules.d/boiler.yaml:14:17: error: no point 'tempertaure' on device 'boiler-1'\n"
        "   14 |     when: value.tempertaure > 80\n"
        "      |                 ^^^^^^^^^^^  did you mean 'temperature'?\n");
}

TEST_CASE("columns count code points") {
  Page page("größe: ä€x\n");
  page.diagnostics.error(page.at(1, 15), 1, "here");
  CHECK(page.diagnostics.render() ==
        "rules.d/boiler.yaml:1:10: error: here\n"
        "    1 | größe: ä€x\n"
        "      |          ^\n");
}

TEST_CASE("they come in the order of the file, each once, warnings among them") {
  Page page("a\nb\nc\n");
  page.diagnostics.error(page.at(3, 1), 1, "third");
  page.diagnostics.warning(page.at(2, 1), 1, "second");
  page.diagnostics.error(page.at(1, 1), 1, "first");
  page.diagnostics.error(page.at(1, 1), 1, "first");
  page.diagnostics.error(Mark{}, 1, "of no file");
  const auto sorted = page.diagnostics.sorted();
  REQUIRE(sorted.size() == 4);
  CHECK(sorted[0].message == "of no file");
  CHECK(sorted[1].message == "first");
  CHECK(sorted[2].severity == Severity::warning);
  CHECK(page.diagnostics.error_count() == 3);
  CHECK(page.diagnostics.summary() == "3 errors, 1 warning");
}

TEST_CASE("a long line is cut around the caret") {
  Page page(std::string(500, 'a') + "X" + std::string(500, 'b') + "\n");
  page.diagnostics.error(page.at(1, 501), 1, "here");
  const std::string text = page.diagnostics.render();
  CHECK(text.find("rules.d/boiler.yaml:1:501: error: here\n    1 | ...aaa") == 0);
  CHECK(text.size() < 400);
  const std::size_t second = text.find('\n') + 1;
  const std::size_t third = text.find('\n', second) + 1;
  CHECK(text.find('X') - second == text.find('^') - third);
}

TEST_CASE("there is an end to it") {
  Page page(std::string(500, '\n'));
  for (std::uint32_t line = 1; line <= 300; ++line) page.diagnostics.error(page.at(line, 1), 1, "wrong");
  CHECK(page.diagnostics.error_count() == 300);
  CHECK(page.diagnostics.sorted().size() == Diagnostics::kKept);
  CHECK(page.diagnostics.render().find("... and 100 more\n") != std::string::npos);
}

TEST_CASE("marks beyond the text, tabs and control characters do no harm") {
  Page page("a\tb\n");
  page.diagnostics.error(page.at(9, 9), 99, "beyond");
  page.diagnostics.error(page.at(1, 3), 99, "two\nlines");
  CHECK(page.diagnostics.render() ==
        "rules.d/boiler.yaml:1:3: error: two lines\n"
        "    1 | a b\n"
        "      |   ^\n"
        "rules.d/boiler.yaml:9:1: error: beyond\n"
        "    9 | \n"
        "      | ^\n");
}

TEST_CASE("colour only when asked for") {
  Page page("a\n");
  page.diagnostics.error(page.at(1, 1), 1, "wrong");
  CHECK(page.diagnostics.render().find('\033') == std::string::npos);
  CHECK(page.diagnostics.render({.colour = true}).find("\033[1;31merror: \033[0m") != std::string::npos);
}

}  // namespace
}  // namespace railhead::config
