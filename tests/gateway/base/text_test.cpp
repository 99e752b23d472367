#include "gateway/base/text.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace railhead;
using namespace railhead::base;

TEST_CASE("the nearest name is found for one slip, and none for a stranger") {
  const std::vector<std::string> names{"temperature", "pressure", "burner_on"};
  CHECK(nearest("tempertaure", names) == "temperature");
  CHECK(nearest("presure", names) == "pressure");
  CHECK(nearest("burnerOn", names) == "burner_on");
  CHECK_FALSE(nearest("xyz", names));
  CHECK_FALSE(nearest("a", {}));
}

TEST_CASE("durations need a unit") {
  CHECK(parse_duration("100 ms") == Duration{100'000'000});
  CHECK(parse_duration("1.5h") == Duration{5'400'000'000'000});
  CHECK(parse_duration("0") == Duration{0});
  CHECK_FALSE(parse_duration("500"));
  CHECK_FALSE(parse_duration("5 sec"));
  CHECK_FALSE(parse_duration("-1 s"));
  CHECK_FALSE(parse_duration(""));
  CHECK_FALSE(parse_duration("1000000000 d"));
  CHECK(format_duration(Duration{90'000'000'000}) == "1.5 min");
  CHECK(format_duration(Duration{0}) == "0 s");
}

TEST_CASE("sizes are binary or decimal, as written") {
  CHECK(parse_size("2 GiB") == 2147483648u);
  CHECK(parse_size("64KiB") == 65536u);
  CHECK(parse_size("1 MB") == 1000000u);
  CHECK_FALSE(parse_size("12"));
  CHECK_FALSE(parse_size("1 gib"));
  CHECK(format_size(1536) == "1.5 KiB");
}

TEST_CASE("whole-text numbers leave nothing over") {
  CHECK(parse_int("80") == 80);
  CHECK_FALSE(parse_int("80x"));
  CHECK_FALSE(parse_int(""));
  CHECK_FALSE(parse_int("9223372036854775808"));
  CHECK(parse_uint("18446744073709551615") == 18446744073709551615u);
  CHECK(parse_double("1e3") == 1000.0);
  CHECK_FALSE(parse_double("1e3 "));
}

TEST_CASE("the shortest text of a double reads back the same") {
  for (const double number : {0.1, 200.3, 1e22, -0.0, 7.3, 1.7976931348623157e308, 5e-324}) {
    CHECK(parse_double(shortest(number)) == number);
  }
  CHECK(shortest(7.3) == "7.3");
  // No digit that the double does not tell apart from another.
  CHECK(shortest(123456789012345680000.0) == "123456789012345680000");
  CHECK(shortest(-12345678901234567890.0) == "-12345678901234567000");
  CHECK(shortest(9007199254740993.0) == "9007199254740992");
  CHECK(shortest(std::nan("")) == "NaN");
}
