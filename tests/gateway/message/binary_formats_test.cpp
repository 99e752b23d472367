// MessagePack and CBOR against the examples of their standards and against independent decoders (Python's msgpack and
// cbor2): what they decode and encode again must be the same bytes.
#include "gateway/message/binary_formats.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "gateway/base/bytes.h"
#include "tests/support/process.h"

using namespace railhead;

namespace {

std::string messagepack_hex(const Value& value) {
  std::string bytes;
  write_messagepack(value, bytes);
  return base::to_hex(bytes);
}
std::string cbor_hex(const Value& value) {
  std::string bytes;
  write_cbor(value, bytes);
  return base::to_hex(bytes);
}

Value nested() {
  Value::Entries many;
  for (int i = 0; i < 20; ++i) many.emplace_back(Value::text("k" + std::to_string(i)), Value::integer(i * 1000 - 7));
  Value::List items;
  for (int i = 0; i < 300; ++i) items.push_back(Value::real(i / 7.0));
  return Value::map({{Value::text("many"), Value::map(many)},
                     {Value::text("items"), Value::list(items)},
                     {Value::text("none"), Value::list({})},
                     {Value::integer(-5), Value::boolean(true)},
                     {Value::text("text"), Value::text(std::string(300, 'x') + "\xc3\xa9")},
                     {Value::text("bytes"), Value::bytes(std::string("\0\xff\x80", 3))},
                     {Value::text("nothing"), Value()}});
}

std::vector<Value> samples() {
  std::vector<Value> values{Value(),
                            Value::boolean(true),
                            Value::boolean(false),
                            Value::text(""),
                            Value::bytes(""),
                            Value::bytes(std::string(70'000, 'b')),
                            Value::text(std::string(70'000, 't')),
                            Value::real(0.1),
                            Value::real(-0.0),
                            Value::real(1e300),
                            Value::real(5e-324),
                            Value::uinteger(std::numeric_limits<std::uint64_t>::max()),
                            nested()};
  for (const int bits : {0, 4, 5, 7, 8, 15, 16, 31, 32, 62, 63}) {
    const std::uint64_t power = std::uint64_t{1} << bits;
    for (const std::uint64_t near : {power - 1, power}) {
      values.push_back(Value::uinteger(near));
      values.push_back(Value::integer(static_cast<std::int64_t>(near)));
      values.push_back(Value::integer(static_cast<std::int64_t>(~near)));
      values.push_back(Value::integer(static_cast<std::int64_t>(~near + 1)));
    }
  }
  return values;
}

test::Ran python(const std::string& program, const std::string& input) {
  const test::TemporaryDirectory directory;
  const std::string in = directory.write("in", input);
  return test::run({"/usr/bin/python3", directory.write("program.py", program), in}, std::chrono::seconds{60});
}

}  // namespace

TEST_CASE("CBOR is what appendix A of RFC 8949 says") {
  CHECK(cbor_hex(Value::integer(0)) == "00");
  CHECK(cbor_hex(Value::integer(23)) == "17");
  CHECK(cbor_hex(Value::integer(24)) == "1818");
  CHECK(cbor_hex(Value::integer(1000)) == "1903e8");
  CHECK(cbor_hex(Value::integer(1'000'000)) == "1a000f4240");
  CHECK(cbor_hex(Value::uinteger(18'446'744'073'709'551'615u)) == "1bffffffffffffffff");
  CHECK(cbor_hex(Value::integer(-1)) == "20");
  CHECK(cbor_hex(Value::integer(-1000)) == "3903e7");
  CHECK(cbor_hex(Value::real(1.1)) == "fb3ff199999999999a");
  CHECK(cbor_hex(Value::bytes("\x01\x02\x03\x04")) == "4401020304");
  CHECK(cbor_hex(Value::text("\xe6\xb0\xb4")) == "63e6b0b4");
  CHECK(cbor_hex(Value::list({Value::integer(1), Value::list({Value::integer(2), Value::integer(3)})})) ==
        "8201820203");
  CHECK(cbor_hex(Value::map({{Value::text("a"), Value::integer(1)}})) == "a1616101");
  CHECK(cbor_hex(Value::timestamp(1'363'896'240, 0)) == "c074323031332d30332d32315432303a30343a30305a");
}

TEST_CASE("MessagePack timestamps have the three forms of the specification, exact to the nanosecond") {
  CHECK(messagepack_hex(Value::timestamp(1, 0)) == "d6ff00000001");
  CHECK(messagepack_hex(Value::timestamp(1, 1)) == "d7ff0000000400000001");
  CHECK(messagepack_hex(Value::timestamp(-1, 999'999'999)) == "c70cff3b9ac9ffffffffffffffffff");
  CHECK(messagepack_hex(Value::timestamp(std::int64_t{1} << 34, 0)) == "c70cff000000000000000400000000");
}

TEST_CASE("addresses and networks are written as their texts") {
  CHECK(cbor_hex(Value::address("::1")) == "633a3a31");
  CHECK(messagepack_hex(Value::network("::/0")) == "a43a3a2f30");
}

TEST_CASE("Python's msgpack reads each value and writes the same bytes") {
  std::string input;
  for (const Value& value : samples()) input += messagepack_hex(value) + "\n";
  const test::Ran ran = python(
      "import msgpack, sys\n"
      "for line in open(sys.argv[1]):\n"
      "    raw = bytes.fromhex(line)\n"
      "    value = msgpack.unpackb(raw, raw=False, strict_map_key=False)\n"
      "    assert msgpack.packb(value, use_bin_type=True) == raw, line[:60]\n"
      "t = msgpack.unpackb(bytes.fromhex('d7ff0000000400000001'))\n"
      "assert (t.seconds, t.nanoseconds) == (1, 1)\n"
      "print('all')\n",
      input);
  CHECK_MESSAGE(ran.output == "all\n", ran.output);
}

TEST_CASE("Python's cbor2 reads each value and writes the same bytes") {
  std::string input;
  for (const Value& value : samples()) input += cbor_hex(value) + "\n";
  const test::Ran ran = python(
      "import cbor2, sys, datetime\n"
      "for line in open(sys.argv[1]):\n"
      "    raw = bytes.fromhex(line)\n"
      "    assert cbor2.dumps(cbor2.loads(raw)) == raw, line[:60]\n"
      "t = cbor2.loads(bytes.fromhex('c074323031332d30332d32315432303a30343a30305a'))\n"
      "assert t == datetime.datetime(2013, 3, 21, 20, 4, 0, tzinfo=datetime.timezone.utc)\n"
      "print('all')\n",
      input);
  CHECK_MESSAGE(ran.output == "all\n", ran.output);
}
