#include "rules/routing/table.h"

#include <doctest/doctest.h>

#include "gateway/message/json.h"

using namespace railhead;
using namespace railhead::routing;

namespace {

std::string csv(std::string_view text, const TableOptions& options) {
  std::vector<std::string> faults;
  const Table table = table_from_csv(text, options, faults);
  if (faults.empty()) return to_json(table.rows);
  std::string out;
  for (const std::string& fault : faults) out += (out.empty() ? "" : " | ") + fault;
  return out;
}

std::string document(std::string_view json, const TableOptions& options) {
  JsonParser parser;
  const Result<Value> value = parser.parse(json);
  REQUIRE(value);
  std::vector<std::string> faults;
  const Table table = table_from_document(*value, options, faults);
  return faults.empty() ? to_json(table.rows) : faults.front();
}

}  // namespace

TEST_CASE("columns are typed as a whole") {
  CHECK(csv("device,owner,limit,factor,on,zip\nb1,Ann,90,1,true,01\nb2,Bo,-7,2.5,false,22\n", {.key = "device"}) ==
        R"({"b1":{"device":"b1","owner":"Ann","limit":90,"factor":1.0,"on":true,"zip":"01"},)"
        R"("b2":{"device":"b2","owner":"Bo","limit":-7,"factor":2.5,"on":false,"zip":"22"}})");
}

TEST_CASE("an empty cell is null, in a text column an empty text") {
  CHECK(csv("k,n,t\na,,\nb,1,x\n", {.key = "k"}) == R"({"a":{"k":"a","n":null,"t":""},"b":{"k":"b","n":1,"t":"x"}})");
}

TEST_CASE("keys are texts, quoted cells are texts, and types may be said") {
  CHECK(csv("k,n\n7,\"1\"\n", {.key = "k"}) == R"({"7":{"k":"7","n":"1"}})");
  CHECK(csv("k,n\n7,\"1\"\n", {.key = "k", .types = {{"n", CellType::real}}}) == R"({"7":{"k":"7","n":1.0}})");
  std::vector<std::string> faults;
  const Table table = table_from_csv("k,n\n7,1\n", {.key = "k", .types = {{"k", CellType::integer}}}, faults);
  CHECK(faults.empty());
  CHECK(table.rows.find(Value::integer(7)) != nullptr);
}

TEST_CASE("blanks around a cell without quotes do not count; a decimal comma is told") {
  CHECK(csv("k, n,t\n a , 1,x y \nb,2,\" z\"\n", {.key = "k"}) ==
        R"({"a":{"k":"a","n":1,"t":"x y"},"b":{"k":"b","n":2,"t":" z"}})");
  std::vector<std::string> faults;
  const Table table =
      table_from_csv("k;v;w;x\na;1;1,5;1,5\nb;0,5;2,5;x\n", {.key = "k", .types = {{"w", CellType::text}}}, faults);
  CHECK(faults.empty());
  CHECK(table.doubts ==
        std::vector<std::string>{"line 3: '0,5' in column 'v' is a text: a number has a decimal point"});
}

TEST_CASE("documents: a map of rows, or a list with a key column") {
  CHECK(document(R"({"a":{"x":1},"b":{"x":2}})", {}) == R"({"a":{"x":1},"b":{"x":2}})");
  CHECK(document(R"([{"id":"a","x":1},{"id":"b","x":2}])", {.key = "id"}) ==
        R"({"a":{"id":"a","x":1},"b":{"id":"b","x":2}})");
}

// Error paths

TEST_CASE("faults name the line and what is wrong") {
  CHECK(csv("device,owner\na,1\nb,2\na,3\n", {.key = "device"}) ==
        "line 4: key 'a' again, it stands already in line 2");
  CHECK(csv("device,owner\na,1\n", {.key = "devise"}) == "no column 'devise', did you mean 'device'?");
  CHECK(csv("device,owner\na,1\n", {.key = "zzz"}) == "no column 'zzz'; the columns are device, owner");
  CHECK(csv("device,owner\n,1\n", {.key = "device"}) == "line 2: the key column 'device' is empty");
  CHECK(csv("k,k\na,1\n", {.key = "k"}) == "line 1: column 'k' again");
  CHECK(csv("k,n\na,x\nb,y\n", {.key = "k", .types = {{"n", CellType::integer}}}) ==
        "line 2: 'x' in column 'n' is not an int | line 3: 'y' in column 'n' is not an int");
  CHECK(document("[1]", {.key = "id"}) == "row 1: no key in 'id'");
  CHECK(document("[]", {}) == "a list of rows needs `key:`, the column that holds the keys");
  CHECK(document("3", {.key = "id"}) == "a table is a map of rows or a list of rows");
}

TEST_CASE("the number of faults is bounded") {
  std::string text = "k,n\n";
  for (int i = 0; i < 100; ++i) text += std::to_string(i) + ",x\n";
  std::vector<std::string> faults;
  (void)table_from_csv(text, {.key = "k", .types = {{"n", CellType::integer}}}, faults);
  CHECK(faults.size() == kTableFaultsMax);
}
