#include "rules/routing/csv.h"

#include <doctest/doctest.h>

using namespace railhead;
using namespace railhead::routing;

namespace {

// Cells joined by '|', rows by '/': what a person would write down.
std::string shape(std::string_view text) {
  const Result<std::vector<CsvRow>> rows = parse_csv(text);
  if (!rows) return "error: " + rows.error().what;
  std::string out;
  for (const CsvRow& row : *rows) {
    if (!out.empty()) out += "/";
    for (std::size_t i = 0; i < row.cells.size(); ++i) out += (i == 0 ? "" : "|") + row.cells[i].text;
  }
  return out;
}

}  // namespace

TEST_CASE("RFC 4180 cells, quotes and line ends") {
  CHECK(shape("a,b\r\n1,2\r\n") == "a|b/1|2");
  CHECK(shape("a,b\n1,2") == "a|b/1|2");
  CHECK(shape("a,b\n\"1,5\",\"say \"\"hi\"\"\"\n") == "a|b/1,5|say \"hi\"");
  CHECK(shape("a,b\n\"two\nlines\",2\n") == "a|b/two\nlines|2");
  CHECK(shape("a,b\n,\n") == "a|b/|");
  CHECK(shape("a,b\n1,\n") == "a|b/1|");
  CHECK(shape("a,b\n1,\"\"") == "a|b/1|");
}

TEST_CASE("what spreadsheets write is read") {
  CHECK(shape("\xef\xbb\xbf"
              "a;b\r\n1;2,5\r\n\r\n") == "a|b/1|2,5");
  CHECK(shape("a\tb\n1\t2\n") == "a|b/1|2");
}

TEST_CASE("a row knows its line") {
  const auto rows = parse_csv("a,b\n\"x\ny\",1\n\n2,3\n");
  REQUIRE(rows);
  REQUIRE(rows->size() == 3);
  CHECK((*rows)[1].line == 2);
  CHECK((*rows)[2].line == 5);
  CHECK((*rows)[1].cells[0].quoted);
  CHECK_FALSE((*rows)[1].cells[1].quoted);
}

// Error paths

TEST_CASE("a damaged file is refused with its line") {
  CHECK(shape("") == "error: the file has no header line");
  CHECK(shape("a,b\n1\n") == "error: line 2: has 1 cells, the header has 2");
  CHECK(shape("a,b\n1,\"x\n2,3\n") == "error: line 2: a quote that nothing closes");
  CHECK(shape("a,b\n\"1\"x,2\n") == "error: line 2: text after a closing quote");
  CHECK(shape("a,b\n1x\"y\",2\n") == "error: line 2: a quote inside a cell that does not begin with one");
  CHECK(shape("a,b\n\xff,2\n") == "error: the file is not UTF-8");
}
