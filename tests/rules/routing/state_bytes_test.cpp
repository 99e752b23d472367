// The bytes of values inside state entries: each kind comes back as it was.
#include "rules/routing/state_bytes.h"

#include <doctest/doctest.h>

#include <string>

using namespace railhead;
using namespace railhead::routing;

TEST_CASE("a value that is written is read back, of the same kind and equal") {
  const Value scalars[] = {Value(),
                           Value::boolean(true),
                           Value::integer(-7),
                           Value::uinteger(~std::uint64_t{0}),
                           Value::real(0.1),
                           Value::text("a text that no Value holds within"),
                           Value::bytes(std::string("\0\xff", 2)),
                           Value::timestamp(-62'135'596'800, 1),
                           Value::duration(Duration{-1}),
                           Value::type("net.IP"),
                           Value::error("division by zero"),
                           Value::address("2001:db8::1234:5678"),
                           Value::network("10.0.0.0/8")};
  for (const Value& scalar : scalars) {
    const Value nested = Value::list({scalar, Value::map({{Value::text("k"), scalar}})});
    for (const Value& value : {scalar, nested}) {
      std::string bytes;
      write_value(value, bytes);
      base::ByteReader reader(bytes);
      const auto read = read_value(reader);
      INFO(cel_type_name(scalar.kind()));
      REQUIRE(read.has_value());
      CHECK(read->kind() == value.kind());
      CHECK(*read == value);
      bytes.pop_back();
      base::ByteReader cut(bytes);
      CHECK_FALSE(read_value(cut).has_value());
    }
  }
}
