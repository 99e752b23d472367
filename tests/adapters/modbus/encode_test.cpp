#include "adapters/modbus/encode.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "adapters/modbus/decode.h"
#include "gateway/message/json.h"

namespace railhead::modbus {
namespace {

Point point(Type type, std::string_view order = {}) {
  Point made;
  made.name = "p";
  made.type = type;
  if (!order.empty()) made.order = *ByteOrder::parse(order);
  return made;
}
Point scaled(Point made, std::string_view scale, std::string_view offset = {}) {
  if (!scale.empty()) made.scale = config::parse_decimal(scale);
  if (!offset.empty()) made.offset = config::parse_decimal(offset);
  return made;
}
Point bits(Point made, std::uint8_t lowest, std::uint8_t count) {
  made.bits = BitField{lowest, count};
  return made;
}

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    for (const unsigned nibble :
         {static_cast<unsigned>(static_cast<unsigned char>(c)) >> 4, static_cast<unsigned>(c) & 15}) {
      text.push_back("0123456789abcdef"[nibble]);
    }
  }
  return text;
}

std::string encoded(const Point& what, const Value& value) {
  const Result<Encoded> made = Encoder(what).encode(value);
  if (!made) return "! " + made.error().what;
  return hex(made->bytes) + (made->mask.empty() ? "" : " of " + hex(made->mask));
}

}  // namespace

TEST_CASE("values become the registers of their type, order, scale and offset") {
  const struct {
    Point point;
    Value value;
    const char* wire;
  } rows[] = {
      {point(Type::int16), Value::integer(-2), "fffe"},
      {point(Type::uint16), Value::integer(65535), "ffff"},
      {point(Type::uint16), Value::real(21.0), "0015"},
      {point(Type::uint16, "BA"), Value::integer(0x1234), "3412"},
      {point(Type::int32, "CDAB"), Value::integer(0x12345678), "56781234"},
      {point(Type::uint32, "BADC"), Value::integer(0x12345678), "34127856"},
      {point(Type::int64), Value::integer(std::numeric_limits<std::int64_t>::min()), "8000000000000000"},
      {point(Type::uint64), Value::uinteger(~std::uint64_t{0}), "ffffffffffffffff"},
      {point(Type::float32), Value::real(-0.5), "bf000000"},
      {point(Type::float32, "DCBA"), Value::integer(1), "0000803f"},
      {point(Type::float64), Value::real(7.3), "401d333333333333"},
      {point(Type::float16), Value::integer(0), "0000"},
      {point(Type::float16), Value::real(-0.0), "8000"},
      {point(Type::float16), Value::real(65504), "7bff"},
      {point(Type::float16), Value::real(0.000000059604644775390625), "0001"},
      {point(Type::bcd16), Value::integer(1234), "1234"},
      {point(Type::bcd32), Value::integer(99999999), "99999999"},
      {point(Type::boolean), Value::boolean(true), "0001"},
      {scaled(point(Type::int16), "0.1"), Value::real(7.3), "0049"},
      {scaled(point(Type::int16), "0.1"), Value::integer(7), "0046"},
      {scaled(point(Type::uint16), "0.1", "-40"), Value::real(21.5), "0267"},
      {scaled(point(Type::uint16), "10"), Value::integer(120), "000c"},
      {scaled(point(Type::uint64), "", "5"), Value::uinteger(~std::uint64_t{0}), "fffffffffffffffa"},
      {scaled(point(Type::uint16), "", "-40"), Value::integer(-40), "0000"},
      {scaled(point(Type::int16), "", "-40"), Value::integer(-32808), "8000"},
      {scaled(point(Type::float32), "0.5"), Value::real(3), "40c00000"},
      {point(Type::uint8), Value::integer(7), "0007 of 00ff"},
      {point(Type::int8, "A"), Value::integer(-1), "ff00 of ff00"},
      {bits(point(Type::uint16), 4, 4), Value::integer(9), "0090 of 00f0"},
      {bits(point(Type::uint16, "BA"), 4, 4), Value::integer(9), "9000 of f000"},
      {bits(point(Type::int16), 4, 4), Value::integer(-1), "00f0 of 00f0"},
      {bits(point(Type::boolean), 15, 1), Value::boolean(true), "8000 of 8000"},
      {bits(point(Type::uint32), 16, 1), Value::integer(1), "00010000 of 00010000"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.wire);
    CHECK(encoded(row.point, row.value) == row.wire);
  }
  Point text = point(Type::string);
  text.length = 5;
  CHECK(encoded(text, Value::text("abc")) == "616263000000");
  text.order = *ByteOrder::parse("BA");
  CHECK(encoded(text, Value::text("abcde")) == "626164630065");
  Point coil = point(Type::boolean);
  coil.table = Table::coil;
  CHECK(encoded(coil, Value::boolean(true)) == "01");
  CHECK(encoded(coil, Value::integer(0)) == "00");
}

TEST_CASE("what the registers cannot hold is refused, never bent") {
  const struct {
    Point point;
    Value value;
    const char* why;
  } rows[] = {
      {scaled(point(Type::int16), "0.1"), Value::real(21.37),
       "21.37 lies between two values that the register can hold: 21.3 and 21.4"},
      {point(Type::uint16), Value::real(0.5), "lies between"},
      {point(Type::uint16), Value::integer(65536), "out of range"},
      {point(Type::uint16), Value::integer(-1), "out of range"},
      {point(Type::int16), Value::integer(32768), "out of range"},
      {point(Type::int16), Value::integer(-32769), "out of range"},
      {point(Type::int64), Value::uinteger(std::uint64_t{1} << 63), "out of range"},
      {scaled(point(Type::uint64), "", "-5"), Value::uinteger(~std::uint64_t{0}), "out of range"},
      {point(Type::uint16), Value::real(1e30), "out of range"},
      {point(Type::uint16), Value::real(std::nan("")), "out of range"},
      {point(Type::float32), Value::real(1e300), "out of range"},
      {point(Type::float16), Value::real(65520), "out of range"},
      {point(Type::bcd16), Value::integer(10000), "out of range"},
      {point(Type::bcd16), Value::integer(-1), "out of range"},
      {bits(point(Type::uint16), 4, 2), Value::integer(4), "out of range"},
      {point(Type::boolean), Value::integer(2), "expected true or false"},
      {point(Type::uint16), Value::text("5"), "expected a number"},
      {point(Type::uint16), Value::boolean(true), "expected a number"},
      {point(Type::float32), Value(), "expected a number"},
  };
  for (const auto& row : rows) {
    const std::string answer = encoded(row.point, row.value);
    CAPTURE(answer);
    CHECK(answer.starts_with("! "));
    CHECK(answer.find(row.why) != std::string::npos);
  }
  Point text = point(Type::string);
  text.length = 2;
  CHECK(encoded(text, Value::text("abc")).find("does not fit") != std::string::npos);
}

TEST_CASE("whatever decodes encodes back to the same registers") {
  const std::uint64_t seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937_64 random(seed);
  const Type types[] = {Type::int8,    Type::uint8, Type::int16,  Type::uint16,  Type::int32,
                        Type::uint32,  Type::int64, Type::uint64, Type::float16, Type::float32,
                        Type::float64, Type::bcd16, Type::bcd32,  Type::bcd64};
  const char* scales[] = {"", "0.1", "0.001", "5", "-0.25"};
  const char* offsets[] = {"", "-40", "0.5", "1000"};
  std::size_t tried = 0;
  for (int round = 0; round < 20'000; ++round) {
    Point what = point(types[random() % std::size(types)]);
    const bool fraction = what.type == Type::float16 || what.type == Type::float32 || what.type == Type::float64;
    if (!fraction) what = scaled(what, scales[random() % std::size(scales)], offsets[random() % std::size(offsets)]);
    const bool bcd = what.type == Type::bcd16 || what.type == Type::bcd32 || what.type == Type::bcd64;
    if (!fraction && !bcd && random() % 4 == 0) {
      const auto width = static_cast<unsigned>(size_of(what.type) * 8);
      const auto lowest = static_cast<std::uint8_t>(random() % width);
      what.bits = BitField{lowest, static_cast<std::uint8_t>(1 + random() % (width - lowest))};
    }
    std::string wire;
    for (std::size_t i = 0; i < std::max<std::size_t>(2, size_of(what.type)); ++i) {
      wire.push_back(static_cast<char>(bcd ? (random() % 10) << 4 | random() % 10 : random() % 256));
    }
    const Decoded decoded = Decoder(what).decode(wire, 0);
    if (!decoded.good()) continue;
    // Beyond 2^53 neighbours share a double.
    if (decoded.value.is(Kind::real) && !fraction && std::fabs(decoded.value.as_real()) > 1e12) continue;
    ++tried;
    const Result<Encoded> back = Encoder(what).encode(decoded.value);
    CAPTURE(name_of(what.type));
    CAPTURE(to_json(decoded.value));
    REQUIRE(back);
    for (std::size_t i = 0; i < wire.size(); ++i) {
      const unsigned mask = back->mask.empty() ? 0xff : static_cast<unsigned char>(back->mask[i]);
      CHECK((static_cast<unsigned char>(wire[i]) & mask) == static_cast<unsigned char>(back->bytes[i]));
    }
  }
  CHECK(tried > 10'000);
}

}  // namespace railhead::modbus
