// tests/cases/modbus/decode.txt: points as the configuration writes them, the bytes of their registers, and the value
// that must come out. Nothing in this file knows a type or an order: rows are added there.
#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "adapters/modbus/config.h"
#include "adapters/modbus/decode.h"
#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/config/document.h"
#include "gateway/message/json.h"
#include "tests/support/places.h"

namespace railhead::modbus {
namespace {

// Of the one point in this table of fields.
Decoded decoded(const std::string& point, const std::string& wire) {
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(
      "modbus: { url: tcp://h, devices: { d: { points: { p: " + point + " } } } }\n", "row.yaml", diagnostics);
  const auto options = read_source(document.root().find("modbus"), {}, diagnostics);
  REQUIRE_MESSAGE(options, diagnostics.render());
  const Decoder decoder(options->links[0].devices[0].points[0]);
  Decoded decoded = decoder.decode(base::from_hex(wire).value(), 0);
  if (decoded.good()) CHECK(decoder.kind() == decoded.value.kind());
  return decoded;
}

TEST_CASE("every row of the decoding table comes out as it says") {
  std::ifstream file(test::source_directory() + "/tests/cases/modbus/decode.txt");
  REQUIRE(file);
  JsonParser parser;
  int rows = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    CAPTURE(line);
    const std::size_t first = line.find(" | ");
    REQUIRE(first != std::string::npos);
    const std::size_t second = line.find(" | ", first + 3);
    REQUIRE(second != std::string::npos);
    const std::string expected = line.substr(second + 3);
    const Decoded is = decoded(line.substr(0, first), line.substr(first + 3, second - first - 3));
    ++rows;
    if (expected == "absent" || expected.starts_with("bad: ")) {
      CHECK(is.absent == (expected == "absent"));
      CHECK(std::string(is.why) == (is.absent ? "" : expected.substr(5)));
      continue;
    }
    CHECK(is.why == "");
    REQUIRE(is.good());
    const auto value = parser.parse(to_json(is.value));
    const auto due = parser.parse(expected);
    REQUIRE(value);
    REQUIRE(due);
    CHECK_MESSAGE(*value == *due, to_json(is.value));
    // A number with a point is a double also where its fraction is 0.
    if (due->is_number()) CHECK(is.value.is(Kind::real) == due->is(Kind::real));
  }
  CHECK(rows > 400);
}

}  // namespace
}  // namespace railhead::modbus
