// No name of the language is without rows in tests/cases/expression/by_name.txt, which cases_test.cpp runs.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "rules/expression/functions/function.h"
#include "rules/expression/macros.h"
#include "tests/support/places.h"

namespace railhead::expression {
namespace {

struct Rows {
  int values = 0;
  int errors = 0;
};

std::map<std::string, Rows> rows_by_name() {
  std::map<std::string, Rows> rows;
  std::ifstream in(railhead::test::source_directory() + "/tests/cases/expression/by_name.txt");
  std::string line;
  std::string name;
  while (std::getline(in, line)) {
    if (line.starts_with("## ")) {
      name = line.substr(3);
      CHECK_MESSAGE(rows.emplace(name, Rows{}).second, name);
    } else if (const std::size_t arrow = line.rfind(" => "); arrow != std::string::npos && !line.starts_with("#")) {
      const bool named = line.find(name.substr(name.find('.') == 0 ? 0 : name.rfind('.') + 1)) < arrow;
      CHECK_MESSAGE((named || name.find(' ') != std::string::npos || name.starts_with("[") || name.starts_with(".")),
                    line);
      ++(line.compare(arrow + 4, 5, "error") == 0 ? rows[name].errors : rows[name].values);
    }
  }
  return rows;
}

TEST_CASE("every name of the language has rows for something usual, an edge and an error") {
  std::vector<std::string> names{"+",  "-",  "*",   "/", "%",       "==", "!=", "<",  "<=",  ">",   ">=",      "in",
                                 "&&", "||", "? :", "!", "unary -", ".",  "[]", ".?", "[?]", "has", "cel.bind"};
  for (const FunctionEntry& function : functions()) {
    // Those are ways to write literals: names.txt.
    if (!function.name.starts_with("google.protobuf.")) names.emplace_back(function.name);
  }
  for (const char* const name : {"all", "exists", "exists_one", "existsOne", "map", "filter", "transformList",
                                 "transformMap", "optMap", "optFlatMap"}) {
    CHECK_MESSAGE((find_macro(name, 2) != nullptr || find_macro(name, 3) != nullptr), name);
    names.emplace_back(name);
  }
  const std::map<std::string, Rows> rows = rows_by_name();
  for (const std::string& name : names) {
    INFO(name);
    const auto found = rows.find(name);
    REQUIRE(found != rows.end());
    CHECK(found->second.values >= 2);
    CHECK(found->second.errors >= 1);
  }
  for (const auto& [name, counted] : rows) {
    CHECK_MESSAGE(std::find(names.begin(), names.end(), name) != names.end(), name);
  }
}

}  // namespace
}  // namespace railhead::expression
