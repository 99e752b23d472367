#include "gateway/base/time.h"

#include <doctest/doctest.h>

using namespace railhead;

TEST_CASE("RFC 3339 there and back") {
  for (const char* text :
       {"1970-01-01T00:00:00Z", "2026-01-01T00:00:00.125Z", "2000-02-29T23:59:59.000000001Z", "1969-12-31T23:59:59.5Z",
        "2262-04-11T23:47:16.854775807Z", "1677-09-21T00:12:43.145224193Z"}) {
    const std::optional<Time> time = parse_rfc3339(text);
    REQUIRE(time);
    CHECK(to_rfc3339(*time) == text);
  }
  CHECK(parse_rfc3339("2026-01-01T02:00:00+02:00") == parse_rfc3339("2026-01-01T00:00:00Z"));
  CHECK(parse_rfc3339("2025-12-31T19:30:00-04:30") == parse_rfc3339("2026-01-01T00:00:00Z"));
}

TEST_CASE("what is no time or fits no 64 bits is refused") {
  for (const char* text :
       {"", "2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "2300-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00.Z", "2026-1-1T00:00:00Z"}) {
    CHECK_FALSE(parse_rfc3339(text));
  }
}
