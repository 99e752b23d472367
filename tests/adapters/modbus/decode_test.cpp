#include "adapters/modbus/decode.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "gateway/base/bytes.h"

namespace railhead::modbus {
namespace {

std::string hex(std::string_view text) { return base::from_hex(text).value(); }

Point point_of(Type type, std::string_view order = {}) {
  Point point;
  point.name = "p";
  point.type = type;
  if (!order.empty()) point.order = ByteOrder::parse(order).value();
  return point;
}

Value good(const Point& point, std::string_view wire) {
  REQUIRE_FALSE(point.problem());
  const Decoded decoded = Decoder(point).decode(hex(wire), 0);
  CHECK(Decoder(point).kind() == decoded.value.kind());
  CAPTURE(wire);
  CHECK(decoded.why == "");
  return decoded.value;
}

TEST_CASE("integers of every size and order") {
  struct Row {
    Type type;
    const char* order;
    const char* wire;
    std::int64_t value;
  };
  const Row rows[] = {
      {Type::int16, "", "0001", 1},
      {Type::int16, "AB", "ff9c", -100},
      {Type::int16, "BA", "9cff", -100},
      {Type::int16, "AB", "8000", -32768},
      {Type::int16, "AB", "7fff", 32767},
      {Type::uint16, "AB", "ffff", 65535},
      {Type::uint16, "BA", "3412", 0x1234},
      {Type::int8, "", "12ff", -1},
      {Type::int8, "B", "127f", 127},
      {Type::int8, "A", "80ff", -128},
      {Type::uint8, "", "12ff", 255},
      {Type::uint8, "A", "12ff", 0x12},
      {Type::int32, "ABCD", "fffffffe", -2},
      {Type::int32, "", "00010002", 0x10002},
      {Type::uint32, "ABCD", "12345678", 0x12345678},
      {Type::uint32, "CDAB", "56781234", 0x12345678},
      {Type::uint32, "BADC", "34127856", 0x12345678},
      {Type::uint32, "DCBA", "78563412", 0x12345678},
      {Type::uint32, "ABCD", "ffffffff", 4294967295},
      {Type::uint32, "ACBD", "12563478", 0x12345678},  // odd, but a permutation
      {Type::int32, "CDAB", "fffeffff", -2},
      {Type::int32, "DCBA", "feffffff", -2},
      {Type::int64, "", "8000000000000000", std::numeric_limits<std::int64_t>::min()},
      {Type::int64, "ABCDEFGH", "0102030405060708", 0x0102030405060708},
      {Type::int64, "GHEFCDAB", "0708050603040102", 0x0102030405060708},
      {Type::int64, "BADCFEHG", "0201040306050807", 0x0102030405060708},
      {Type::int64, "HGFEDCBA", "0807060504030201", 0x0102030405060708},
      {Type::int64, "EFGHABCD", "0506070801020304", 0x0102030405060708},
      {Type::int64, "CDABGHEF", "0304010207080506", 0x0102030405060708},
      {Type::int64, "ABCDEFGH", "0020000000000001", 9007199254740993},  // no double holds this
      {Type::bcd16, "", "1234", 1234},
      {Type::bcd16, "BA", "3412", 1234},
      {Type::bcd32, "ABCD", "00123456", 123456},
      {Type::bcd32, "CDAB", "34560012", 123456},
      {Type::bcd64, "", "9999999999999999", 9999999999999999},
  };
  for (const Row& row : rows) {
    CAPTURE(row.order);
    const Value value = good(point_of(row.type, row.order), row.wire);
    REQUIRE(value.is(Kind::integer));
    CHECK(value.as_integer() == row.value);
  }
  const Value top = good(point_of(Type::uint64), "ffffffffffffffff");
  REQUIRE(top.is(Kind::uinteger));
  CHECK(top.as_uinteger() == std::numeric_limits<std::uint64_t>::max());
  CHECK(good(point_of(Type::uint64, "GHEFCDAB"), "0001 0000 0000 8000").as_uinteger() == 0x8000000000000001u);
}

TEST_CASE("floats of every size and order") {
  struct Row {
    Type type;
    const char* order;
    const char* wire;
    double value;
  };
  const Row rows[] = {
      {Type::float32, "", "43664ccd", double{230.3f}},
      {Type::float32, "ABCD", "c2480000", -50},
      {Type::float32, "CDAB", "0000c248", -50},
      {Type::float32, "BADC", "48c20000", -50},
      {Type::float32, "DCBA", "000048c2", -50},
      {Type::float32, "ABCD", "00000001", 1.401298464324817e-45},
      {Type::float64, "", "400921fb54442d18", 3.141592653589793},
      {Type::float64, "GHEFCDAB", "2d18544421fb4009", 3.141592653589793},
      {Type::float64, "HGFEDCBA", "182d4454fb210940", 3.141592653589793},
      {Type::float64, "BADCFEHG", "0940fb214454182d", 3.141592653589793},
      {Type::float16, "", "3c00", 1},
      {Type::float16, "", "c000", -2},
      {Type::float16, "", "7bff", 65504},
      {Type::float16, "", "0001", 5.960464477539063e-08},
      {Type::float16, "", "0400", 6.103515625e-05},
      {Type::float16, "BA", "5535", 0.333251953125},
  };
  for (const Row& row : rows) {
    CAPTURE(row.wire);
    const Value value = good(point_of(row.type, row.order), row.wire);
    REQUIRE(value.is(Kind::real));
    CHECK(value.as_real() == row.value);
  }
  CHECK(std::signbit(good(point_of(Type::float16), "8000").as_real()));
}

TEST_CASE("truths, bits and bit fields") {
  Point point = point_of(Type::boolean);
  CHECK(good(point, "0000").as_boolean() == false);
  CHECK(good(point, "0100").as_boolean() == true);
  point.bits = BitField{.lowest = 3, .count = 1};
  CHECK(good(point, "0008").as_boolean() == true);
  CHECK(good(point, "fff7").as_boolean() == false);
  point.order = ByteOrder::parse("BA").value();
  CHECK(good(point, "0800").as_boolean() == true);

  Point field = point_of(Type::uint16);
  field.bits = BitField{.lowest = 4, .count = 4};
  CHECK(good(field, "00a0").as_integer() == 10);
  field.type = Type::int16;
  CHECK(good(field, "00f0").as_integer() == -1);
  field = point_of(Type::uint32, "CDAB");
  field.bits = BitField{.lowest = 16, .count = 8};
  CHECK(good(field, "00001234").as_integer() == 0x34);
  field = point_of(Type::uint8, "A");
  field.bits = BitField{.lowest = 4, .count = 4};
  CHECK(good(field, "a500").as_integer() == 10);

  Point coil = point_of(Type::boolean);
  coil.table = Table::coil;
  const Decoder decoder(coil);
  const std::string packed = hex("cd6b05");  // [MB 6.1]: the example of coils 20..38
  const std::string expected = "1011001111010110101";
  for (std::uint32_t i = 0; i < 19; ++i) {
    CHECK(decoder.decode(packed, i).value.as_boolean() == (expected[i] == '1'));
  }
}

TEST_CASE("text loses its padding, in both orders") {
  Point point = point_of(Type::string);
  point.length = 6;
  CHECK(good(point, "414243 000000").as_text() == "ABC");
  CHECK(good(point, "414243 202020").as_text() == "ABC");
  CHECK(good(point, "20 4142 0058 59").as_text() == " AB");  // what follows the end mark is rubbish
  CHECK(good(point, "000000000000").as_text() == "");
  CHECK(good(point, "c3a4c3b62020").as_text() == "\u00e4\u00f6");
  point.order = ByteOrder::parse("BA").value();
  CHECK(good(point, "4241 4443 2045").as_text() == "ABCDE");
  point.order = {};
  point.length = 3;  // the second register's low byte is none of it
  CHECK(good(point, "4142 4344").as_text() == "ABC");
}

TEST_CASE("a scale is exact, whatever the number") {
  struct Row {
    Type type;
    const char* wire;
    const char* scale;
    const char* offset;
    double value;
  };
  const Row rows[] = {
      {Type::int16, "0049", "0.1", "", 7.3},  // S24
      {Type::int16, "0003", "0.1", "", 0.3},
      {Type::int16, "ff9c", "0.01", "", -1.0},
      {Type::uint16, "0001", "1", "", 1.0},
      {Type::uint16, "0007", "10", "", 70.0},
      {Type::uint16, "0007", "100", "0.5", 700.5},
      {Type::int16, "0049", "0.1", "-40", -32.7},
      {Type::int16, "0049", "", "0.25", 73.25},
      {Type::uint16, "08fc", "0.1", "", 230.0},
      {Type::uint32, "075bcd15", "0.001", "", 123456.789},
      {Type::uint64, "ffffffffffffffff", "0.1", "", 1844674407370955161.5},
      {Type::int64, "8000000000000001", "0.000001", "", -9223372036854.775807},
      {Type::int64, "0020000000000001", "0.5", "", 4503599627370496.5},
      {Type::uint16, "0001", "0.000000000000000001", "", 1e-18},
      {Type::int32, "00000003", "123456789.123456789", "", 370370367.370370367},
      {Type::bcd16, "1234", "0.1", "", 123.4},
      {Type::float32, "42c80000", "0.1", "", 10.0},
      {Type::float32, "43664ccd", "1", "", double{230.3f}},
      {Type::float32, "3dcccccd", "3", "", 0.30000000447034836},
      {Type::float32, "3f800000", "", "-0.9", 0.1},
      {Type::float64, "3ff0000000000000", "0.001", "2", 2.001},
  };
  for (const Row& row : rows) {
    CAPTURE(row.wire);
    CAPTURE(row.scale);
    Point point = point_of(row.type);
    if (*row.scale != 0) point.scale = config::parse_decimal(row.scale).value();
    if (*row.offset != 0) point.offset = config::parse_decimal(row.offset).value();
    const Value value = good(point, row.wire);
    REQUIRE(value.is(Kind::real));
    CHECK(value.as_real() == row.value);
  }
}

TEST_CASE("factors beyond what a double divides exactly are rounded once all the same") {
  CHECK(Scaling(Decimal{1, -26}, Decimal{}).apply(std::int64_t{3}) == 3e-26);
  CHECK(Scaling(Decimal{7, 25}, Decimal{}).apply(std::int64_t{-3}) == -21e25);
  CHECK(Scaling(Decimal{1, -25}, Decimal{-1, -25}).apply(std::int64_t{4}) == 3e-25);
  CHECK(Scaling(Decimal{123456789012345678, -17}, Decimal{-1, 0}).apply(std::int64_t{-98765}) == -121933.0976680432);
  CHECK(Scaling(Decimal{1, -1}, Decimal{}).apply(1e-320) == 1e-321);
  CHECK(std::isnan(Scaling().apply(std::numeric_limits<double>::quiet_NaN())));
}

TEST_CASE("a whole offset keeps integers exact") {
  Point point = point_of(Type::uint16);
  point.offset = config::parse_decimal("-40").value();
  CHECK(good(point, "0000") == Value::integer(-40));
  CHECK(good(point, "0000").is(Kind::integer));
  point = point_of(Type::int64);
  point.offset = config::parse_decimal("1").value();
  CHECK(good(point, "0020000000000000").as_integer() == 9007199254740993);
  point = point_of(Type::uint64);
  point.offset = config::parse_decimal("-1").value();
  CHECK(good(point, "0000000000000000").as_integer() == -1);
  CHECK_FALSE(Decoder(point).decode(hex("ffffffffffffffff"), 0).good());
}

TEST_CASE("a point is found within a merged answer") {
  CHECK(Decoder(point_of(Type::uint16)).decode(hex("0001 0002 0003"), 2).value.as_integer() == 3);
  CHECK(Decoder(point_of(Type::uint32)).decode(hex("0001 0002 0003"), 1).value.as_integer() == 0x20003);
}

// Error paths

TEST_CASE("what is no value is bad, with its reason") {
  CHECK(Decoder(point_of(Type::bcd16)).decode(hex("12a4"), 0).why == "not BCD: a digit above 9");
  CHECK(Decoder(point_of(Type::float32)).decode(hex("7fc00000"), 0).why == "not a number");
  CHECK(Decoder(point_of(Type::float32)).decode(hex("ff800000"), 0).why == "not a number");
  CHECK(Decoder(point_of(Type::float64)).decode(hex("7ff8000000000000"), 0).why == "not a number");
  CHECK(Decoder(point_of(Type::float16)).decode(hex("7c00"), 0).why == "not a number");
  Point text = point_of(Type::string);
  text.length = 2;
  CHECK(Decoder(text).decode(hex("ff41"), 0).why == "not UTF-8 text");
}

TEST_CASE("orders are permutations and nothing else") {
  for (const char* order : {"A", "B", "AB", "BA", "DCBA", "EFGHABCD"}) CHECK(ByteOrder::parse(order));
  for (const char* order : {"", "C", "AA", "ABBA", "ABCE", "abcd", "AB CD", "ABCDEFGHI", "ABCDEFGG"}) {
    CHECK_FALSE(ByteOrder::parse(order));
  }
}

TEST_CASE("fields that do not fit together are named") {
  struct Row {
    Point point;
    const char* problem;
  };
  Point coil = point_of(Type::uint16);
  coil.table = Table::coil;
  Point order = point_of(Type::float32, "AB");
  Point text = point_of(Type::string);
  Point long_text = text;
  long_text.length = 251;
  Point bits = point_of(Type::uint16);
  bits.bits = BitField{.lowest = 12, .count = 5};
  Point scaled = point_of(Type::boolean);
  scaled.scale = Decimal{1, -1};
  Point beyond = point_of(Type::float64);
  beyond.address = 65533;
  const Row rows[] = {
      {coil, "a coil is one bit: only type bool fits, not uint16"},
      {order, "the order of float32 has 4 letters, not 2"},
      {text, "a string needs its length in bytes"},
      {long_text, "a string of at most 250 bytes can be read in one request"},
      {bits, "bits 12..16 do not lie within the 16 bits of uint16"},
      {scaled, "scale and offset are for numbers, not for bool"},
      {beyond, "the point reaches beyond address 65535"},
  };
  for (const Row& row : rows) CHECK(row.point.problem().value_or(Problem{}).why == row.problem);
}

}  // namespace
}  // namespace railhead::modbus
