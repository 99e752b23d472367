#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/bytes.h"
#include "rules/expression/eval_json.h"

namespace railhead::expression {
namespace {

std::string answer(const std::string& lines) {
  std::istringstream in(lines);
  std::ostringstream out;
  CHECK(eval_lines(in, out) == 0);
  return out.str();
}

TEST_CASE("a line in is a line out, with types in both directions") {
  const std::vector<std::pair<std::string, std::string>> rows{
      {R"({"expr":"v*2","vars":{"v":{"type":"int","value":"21"}}})", R"({"type":"int","value":"42"})"},
      {R"({"expr":"v","vars":{"v":{"type":"int","value":"-9223372036854775808"}}})",
       R"({"type":"int","value":"-9223372036854775808"})"},
      {R"({"expr":"v","vars":{"v":{"type":"uint","value":"18446744073709551615"}}})",
       R"({"type":"uint","value":"18446744073709551615"})"},
      {R"({"expr":"v","vars":{"v":{"type":"double","value":1.5}}})", R"({"type":"double","value":1.5})"},
      {R"({"expr":"v","vars":{"v":{"type":"double","value":2}}})", R"({"type":"double","value":2.0})"},
      {R"({"expr":"v","vars":{"v":{"type":"double","value":"NaN"}}})", R"({"type":"double","value":"NaN"})"},
      {R"({"expr":"-v","vars":{"v":{"type":"double","value":"Infinity"}}})",
       R"({"type":"double","value":"-Infinity"})"},
      {R"({"expr":"v","vars":{"v":{"type":"double","value":"-Infinity"}}})",
       R"({"type":"double","value":"-Infinity"})"},
      {R"({"expr":"-0.0"})", R"({"type":"double","value":-0.0})"},
      {R"({"expr":"!v","vars":{"v":{"type":"bool","value":true}}})", R"({"type":"bool","value":false})"},
      {R"({"expr":"v + '°'","vars":{"v":{"type":"string","value":"a\n"}}})", R"({"type":"string","value":"a\n°"})"},
      {R"({"expr":"v","vars":{"v":{"type":"bytes","value":"AP8="}}})", R"({"type":"bytes","value":"AP8="})"},
      {R"({"expr":"v","vars":{"v":{"type":"null","value":null}}})", R"({"type":"null","value":null})"},
      {R"({"expr":"v","vars":{"v":{"type":"null"}}})", R"({"type":"null","value":null})"},
      {R"({"expr":"v + [v]","vars":{"v":{"type":"list","value":[{"type":"int","value":"1"}]}}})",
       R"({"type":"list","value":[{"type":"int","value":"1"},{"type":"list","value":[{"type":"int","value":"1"}]}]})"},
      {R"({"expr":"v","vars":{"v":{"type":"map","value":[[{"type":"int","value":"1"},{"type":"string","value":"a"}],[{"type":"bool","value":true},{"type":"null"}]]}}})",
       R"({"type":"map","value":[[{"type":"int","value":"1"},{"type":"string","value":"a"}],[{"type":"bool","value":true},{"type":"null","value":null}]]})"},
      {R"({"expr":"v + duration('1.5s') ","vars":{"v":{"type":"timestamp","value":"2026-01-01T00:00:00Z"}}})",
       R"({"type":"timestamp","value":"2026-01-01T00:00:01.5Z"})"},
      {R"({"expr":"v + v","vars":{"v":{"type":"duration","value":"3.5s"}}})", R"({"type":"duration","value":"7s"})"},
      {R"({"expr":"[type(v), v]","vars":{"v":{"type":"type","value":"int"}}})",
       R"({"type":"list","value":[{"type":"type","value":"type"},{"type":"type","value":"int"}]})"},
      {R"({"expr":"type(timestamp(0)) "})", R"({"type":"type","value":"google.protobuf.Timestamp"})"},
      {R"({"expr":"[v, v.ip()]","vars":{"v":{"type":"net.CIDR","value":"2001:DB8::/32"}}})",
       R"({"type":"list","value":[{"type":"net.CIDR","value":"2001:db8::/32"},{"type":"net.IP","value":"2001:db8::"}]})"},
      {R"({"expr":"v.family() ","vars":{"v":{"type":"net.IP","value":"::1"}}})", R"({"type":"int","value":"6"})"},
      {R"({"expr":"type(null) "})", R"({"type":"type","value":"null_type"})"},
      {R"({"expr":"a.b.c","vars":{"a.b":{"type":"map","value":[[{"type":"string","value":"c"},{"type":"int","value":"7"}]]}}})",
       R"({"type":"int","value":"7"})"},
      {R"({"expr":"1 + 1","vars":{}})", R"({"type":"int","value":"2"})"},
      {R"({"expr":"1 + 1","vars":null})", R"({"type":"int","value":"2"})"},
      {R"({"expr":"x || true"})", R"({"type":"bool","value":true})"},
      {R"({"expr":"'a' == 1"})", R"({"type":"bool","value":false})"},
  };
  for (const auto& [in, out] : rows) CHECK_MESSAGE(answer(in + "\n") == out + "\n", in);
}

TEST_CASE("whatever is wrong with a line is the answer to that line") {
  const std::vector<std::string> wrong{
      "not json",
      "[]",
      "{}",
      R"({"expr":7})",
      R"({"expr":"1 +"})",
      R"({"expr":"1 / 0"})",
      R"({"expr":"x"})",
      R"({"expr":"v","vars":7})",
      R"({"expr":"v","vars":{"v":7}})",
      R"({"expr":"v","vars":{"v":{"type":"int","value":"1.5"}}})",
      R"({"expr":"v","vars":{"v":{"type":"int","value":"9223372036854775808"}}})",
      R"({"expr":"v","vars":{"v":{"type":"uint","value":"-1"}}})",
      R"({"expr":"v","vars":{"v":{"type":"double","value":"one"}}})",
      R"({"expr":"v","vars":{"v":{"type":"bool","value":"true"}}})",
      R"({"expr":"v","vars":{"v":{"type":"bytes","value":"!"}}})",
      R"({"expr":"v","vars":{"v":{"type":"timestamp","value":"today"}}})",
      R"({"expr":"v","vars":{"v":{"type":"duration","value":"5"}}})",
      R"({"expr":"v","vars":{"v":{"type":"net.IP","value":"10.0.0"}}})",
      R"({"expr":"v","vars":{"v":{"type":"net.CIDR","value":"10.0.0.0"}}})",
      R"({"expr":"v","vars":{"v":{"type":"list","value":[7]}}})",
      R"({"expr":"v","vars":{"v":{"type":"map","value":[[{"type":"null"},{"type":"null"}]]}}})",
      R"({"expr":"v","vars":{"v":{"type":"map","value":[[{"type":"int","value":"1"}]]}}})",
      R"({"expr":"v","vars":{"v":{"type":"message","value":{}}}})",
      R"({"expr":"v","vars":{"v":{"type":"int"}}})",
      R"({"expr":"1", "vars")",
      "\x01\xff",
      std::string(100'000, '['),
  };
  for (const std::string& line : wrong) {
    const std::string out = answer(line + "\n" + R"({"expr":"1"})" + "\n");
    CHECK_MESSAGE(out.starts_with(R"({"error":")"), line);
    CHECK_MESSAGE(out.ends_with("}\n{\"type\":\"int\",\"value\":\"1\"}\n"), line);
  }
}

TEST_CASE("whatever a sentence quotes, it is UTF-8") {
  std::string degrees;
  for (int i = 0; i < 300; ++i) degrees += "°";
  for (const std::string shift : {"", "x"}) {
    const std::string text = "'" + shift + degrees + "'";
    for (const std::string& expression : {"int(" + text + ")", "{}[" + text + "]", "1 " + text,
                                          "timestamp(0).getHours(" + text + ")", std::string("1 b'\\\\xff'")}) {
      const std::string out = answer(R"({"expr":")" + expression + "\"}\n");
      CHECK_MESSAGE(out.starts_with(R"({"error":")"), expression);
      CHECK_MESSAGE(base::is_utf8(out), expression);
    }
  }
}

TEST_CASE("the last line needs no line feed, and carriage returns do not matter") {
  CHECK(answer("{\"expr\":\"1\"}\r\n{\"expr\":\"2\"}") ==
        "{\"type\":\"int\",\"value\":\"1\"}\n{\"type\":\"int\",\"value\":\"2\"}\n");
}

TEST_CASE("one expression from the terminal") {
  std::ostringstream out;
  std::ostringstream problems;
  CHECK(eval_text("{'celsius': 2 * 40.5}", out, problems) == 0);
  CHECK(out.str() == "{\"celsius\":81.0}\n");
  CHECK(problems.str().empty());

  std::ostringstream nothing;
  CHECK(eval_text("1 +\n valu", nothing, problems) == 1);
  CHECK(nothing.str().empty());
  CHECK(problems.str() == "error: unknown name 'valu'\n   valu\n   ^^^^  a text is written in quotes: \"valu\"\n");

  std::ostringstream failing;
  CHECK(eval_text("[1][7]", nothing, failing) == 1);
  CHECK(failing.str().find("index out of range: 7") != std::string::npos);
}

}  // namespace
}  // namespace railhead::expression
