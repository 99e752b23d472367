#include "gateway/message/value.h"

#include <doctest/doctest.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>

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
  CHECK(Value::address("2001:db8::1234:5678") == Value::address("2001:db8::1234:5678"));
  CHECK_FALSE(Value::address("10.0.0.1") == Value::address("10.0.0.2"));
  CHECK_FALSE(Value::address("10.0.0.1") == Value::text("10.0.0.1"));
  CHECK_FALSE(Value::address("10.0.0.1") == Value::network("10.0.0.1"));
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
  CHECK(Value::map({}).find("a") == nullptr);
  CHECK(Value::map({}) == Value::map({}));
  for (const std::size_t size : {3u, 12u, 40u, 5000u}) {
    Value::Entries entries;
    for (std::size_t i = 0; i < size; ++i) {
      entries.emplace_back(Value::text("key-" + std::to_string(i)), Value::integer(static_cast<std::int64_t>(i)));
    }
    entries.emplace_back(Value::integer(7), Value::text("seven"));
    entries.emplace_back(Value::text("a key that no Value holds within"), Value::integer(-1));
    entries.emplace_back(Value::uinteger(7), Value::text("seven again"));
    entries.emplace_back(Value::text("a key that no Value holds within"), Value::integer(-2));
    entries.emplace_back(Value::text("key-1"), Value::text("again"));
    const Value map = Value::map(entries);
    CHECK(map.as_map().size() == size + 2);
    CHECK(*map.find("key-1") == Value::integer(1));
    for (const Value& seven : {Value::real(7.0), Value::uinteger(7)}) CHECK(*map.find(seven) == Value::text("seven"));
    for (const Value& other : {Value::real(7.5), Value::real(std::nan("")), Value::integer(-7), Value::boolean(true)}) {
      CHECK(map.find(other) == nullptr);
    }
    CHECK(*map.find("a key that no Value holds within") == Value::integer(-1));
    CHECK(*map.find(Value::text("a key that no Value holds within")) == Value::integer(-1));
    CHECK(map.find("nowhere") == nullptr);
    CHECK(map == Value::map(Value::Entries(map.as_map().rbegin(), map.as_map().rend())));
  }
}

TEST_CASE("a key is found where it stood the last time, and where it stands now") {
  const Value name = Value::text("b");
  std::uint32_t place = 0;
  const Value first = Value::map({{Value::text("a"), Value::integer(1)}, {name, Value::integer(2)}});
  const Value other = Value::map({{name, Value::integer(3)}});
  for (int i = 0; i < 2; ++i) {
    CHECK(*first.find_again(name, place) == Value::integer(2));
    CHECK(place == 1);
    CHECK(*other.find_again(name, place) == Value::integer(3));
    CHECK(place == 0);
  }
  CHECK(other.find_again(Value::text("a"), place) == nullptr);
  CHECK(Value::map({}).find_again(name, place) == nullptr);
  CHECK(Value::integer(1).find_again(name, place) == nullptr);
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

TEST_CASE("JSON: doubles are written with the fewest digits that read back the same, in the shorter form") {
  const auto check = [](double number) {
    std::array<char, 40> text{};
    std::string expected(text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr);
    if (expected.find_first_of(".e") == std::string::npos) expected += ".0";
    CHECK(to_json(Value::real(number)) == expected);
    CHECK(to_json(Value::real(-number)) == "-" + expected);
  };
  for (const double edge :
       {0.001, 0.0009999, 0.00123, 0.1, 0.3, 1.0, 9.999999, 10.0, 99999.0, 99999.9999, 1e5, 100000.5, 123456.0,
        0.1 + 0.2, 999999999999999.0, 0.999999999999999, 0.9999999999999999, 5e-324}) {
    check(edge);
    check(std::nextafter(edge, 0.0));
    check(std::nextafter(edge, 1e9));
  }
  const std::uint64_t seed = 20260101;
  INFO("seed ", seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const double decimal =
        static_cast<double>(random() % 100'000'000) / std::pow(10.0, static_cast<double>(random() % 13));
    check(decimal);
    check(decimal * 1.8 + 32);
    check(decimal / 3);
  }
}

TEST_CASE("JSON: an integer that 64 bits do not hold is a double, and one that no double holds is named") {
  const auto read = [](std::string_view text) { return JsonParser().parse(text); };
  for (const auto& [text, number] : {std::pair{"18446744073709551616", 18446744073709551616.0},
                                     {"-9223372036854775809", -9223372036854775808.0},
                                     {"123456789012345680000", 123456789012345680000.0}}) {
    CAPTURE(text);
    REQUIRE(read(text));
    CHECK(read(text)->as_real() == number);
    CHECK(read(text)->kind() == Kind::real);
    // Among other things, and not where it is text.
    const std::string inside =
        std::string("{\"a\\\"1\": [1, ") + text + ", 18446744073709551615], \"b\": \"" + text + "\"}";
    const Result<Value> value = read(inside);
    REQUIRE(value);
    CHECK(value->find("a\"1")->as_list()[1].as_real() == number);
    CHECK(value->find("a\"1")->as_list()[2].as_uinteger() == 18446744073709551615u);
    CHECK(value->find("b")->as_text() == text);
  }
  CHECK(read("[1e400]").error().what == "the number 1e400 is larger than a double can be");
  CHECK(read("[-" + std::string(400, '9') + "]").error().what ==
        "the number -" + std::string(39, '9') + "... is larger than a double can be");
  CHECK(read("1e-400")->as_real() == 0);
  CHECK_FALSE(read("[18446744073709551616, 01]"));
  CHECK_FALSE(read("[18446744073709551616-1]"));
  CHECK(read("\xef\xbb\xbf[1]"));
}

TEST_CASE("JSON: what is not JSON is refused") {
  JsonParser parser;
  for (const char* text : {"", "{", "{\"a\":1}x", "01", "nul", "\"\xff\"", "[1,]", "1e999"}) {
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
