#include "rules/routing/expectation.h"

#include <doctest/doctest.h>

#include "gateway/message/json.h"

using namespace railhead;
using namespace railhead::routing;

namespace {

// Differences as "path: expected/got", joined by "; ".
std::string differences(std::string_view expected, std::string_view got) {
  JsonParser parser;
  const Value left = parser.parse(expected).value();
  const Value right = parser.parse(got).value();
  std::vector<Difference> found;
  compare(left, right, "", found);
  std::string out;
  for (const Difference& one : found) {
    out += (out.empty() ? "" : "; ") + one.path + ": " + one.expected + "/" + one.got;
  }
  return out;
}

}  // namespace

TEST_CASE("members that are not named are not compared") {
  CHECK(differences(R"({"a":1})", R"({"a":1,"b":2})") == "");
  CHECK(differences(R"({"a":{"x":1}})", R"({"a":{"x":1,"y":2}})") == "");
  CHECK(differences(R"({"a":1,"b":2})", R"({"a":2})") == "a: 1/2; b: 2/nothing");
  CHECK(differences(R"({"a":{"x":1}})", R"({"a":3})") == "a: {\"x\":1}/3");
}

TEST_CASE("numbers compare by value, doubles to one part in 10^9") {
  CHECK(differences("3", "3.0") == "");
  CHECK(differences("200.3", "200.30000000000001") == "");
  CHECK(differences("200.3", "200.3001") == ": 200.3/200.3001");
  CHECK(differences("9007199254740993", "9007199254740992") == ": 9007199254740993/9007199254740992");
  CHECK(differences("1", "true") == ": 1/true");
}

TEST_CASE("lists compare item by item") {
  CHECK(differences(R"([1,{"a":2}])", R"([1,{"a":2,"b":3}])") == "");
  CHECK(differences("[1,2]", "[1,3]") == "[1]: 2/3");
  CHECK(differences("[1,2]", "[1]") == ": [1,2]/[1]");
}
