#include "gateway/message/value.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "gateway/message/json.h"

using namespace railhead;

TEST_CASE("numbers equal by value across kinds, other kinds never") {
  CHECK(Value::integer(1) == Value::uinteger(1));
  CHECK(Value::integer(1) == Value::real(1.0));
  CHECK_FALSE(Value::integer(-1) == Value::uinteger(~0ull));
  CHECK_FALSE(Value::integer(9007199254740993) == Value::real(9007199254740992.0));
  CHECK_FALSE(Value::uinteger(~0ull) == Value::real(18446744073709551616.0));
  CHECK_FALSE(Value::integer(std::numeric_limits<std::int64_t>::max()) == Value::real(9223372036854775808.0));
  CHECK_FALSE(Value::real(std::nan("")) == Value::real(std::nan("")));
  CHECK_FALSE(Value::text("1") == Value::integer(1));
  CHECK_FALSE(Value::text("a") == Value::bytes("a"));
  CHECK(Value() == Value());
}

TEST_CASE("texts live inside up to 14 bytes and are shared beyond") {
  for (std::size_t size = 0; size < 40; ++size) {
    const std::string text(size, 'x');
    Value value = Value::text(text);
    Value copy = value;
    value = Value::integer(1);
    CHECK(copy.as_text() == text);
    copy = std::move(copy);
    CHECK(copy.as_text() == text);
  }
}

TEST_CASE("maps keep their order, find by any key, and keep the first of two equal keys") {
  for (const std::size_t size : {3u, 40u}) {
    Value::Entries entries;
    for (std::size_t i = 0; i < size; ++i) {
      entries.emplace_back(Value::text("key-" + std::to_string(i)), Value::integer(static_cast<std::int64_t>(i)));
    }
    entries.emplace_back(Value::integer(7), Value::text("seven"));
    entries.emplace_back(Value::text("key-1"), Value::text("again"));
    const Value map = Value::map(entries);
    CHECK(map.as_map().size() == size + 1);
    CHECK(*map.find("key-1") == Value::integer(1));
    CHECK(*map.find(Value::real(7.0)) == Value::text("seven"));
    CHECK(map.find("nowhere") == nullptr);
    CHECK(map == Value::map({map.as_map().rbegin(), map.as_map().rend()}));
  }
}

TEST_CASE("JSON there and back: 64-bit integers stay whole, doubles stay doubles") {
  JsonParser parser;
  for (const char* text : {"9223372036854775807", "-9223372036854775808", "18446744073709551615", "3.0", "0.1", "1e+22",
                           "true", "null", R"({"a":[1,2.5,"x\"\\\n\u0001",{}],"b":""})", R"("°C")"}) {
    const Result<Value> value = parser.parse(text);
    REQUIRE(value);
    CHECK(to_json(*value) == text);
  }
  CHECK(parser.parse("3.0")->is(Kind::real));
  CHECK(parser.parse("3")->is(Kind::integer));
}

TEST_CASE("JSON: what is not JSON is refused") {
  JsonParser parser;
  for (const char* text : {"", "{", "{\"a\":1}x", "01", "nul", "\"\xff\"", "[1,]", "18446744073709551616", "1e999"}) {
    CHECK_FALSE(parser.parse(text));
  }
  CHECK_FALSE(parser.parse(std::string(2000, '[') + std::string(2000, ']')));
  CHECK(parser.parse("[]"));
}

TEST_CASE("JSON: kinds that JSON has not are written as what a reader can use") {
  CHECK(to_json(Value::bytes("foo")) == "\"Zm9v\"");
  CHECK(to_json(Value::duration(std::chrono::milliseconds{-1500})) == "\"-1.5s\"");
  CHECK(to_json(Value::timestamp(Time{})) == "\"1970-01-01T00:00:00Z\"");
  CHECK(to_json(Value::real(std::nan(""))) == "null");
  CHECK(to_json(Value::map({{Value::integer(1), Value::boolean(true)}})) == R"({"1":true})");
}
