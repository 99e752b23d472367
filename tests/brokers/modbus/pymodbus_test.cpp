// Values equal what an independent server (pymodbus) was told to hold, for every type and byte order, end to end.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <random>
#include <sstream>
#include <vector>

#include "gateway/message/json.h"
#include "tests/brokers/modbus/running_source.h"
#include "tests/support/places.h"

namespace railhead::modbus {
namespace {

struct Held {
  std::string table = "holding";
  unsigned address = 0;
  std::string type;
  std::string order;
  Value value;
  std::string more;       // for the configuration: ", length: 8"
  std::string more_json;  // for the server: ,"length":8
  [[nodiscard]] std::string name() const {
    return table + "_" + std::to_string(address) + "_" + type + (order.empty() ? "" : "_" + order);
  }
};

std::vector<std::string> permutations(std::string letters) {
  std::vector<std::string> all;
  do {
    all.push_back(letters);
  } while (std::next_permutation(letters.begin(), letters.end()));
  return all;
}

// The orders that devices have, and arbitrary others.
std::vector<std::string> some_of(std::string letters, std::size_t count) {
  std::vector<std::string> orders = {"", letters};
  std::string order = letters;
  std::reverse(order.begin(), order.end());
  orders.push_back(order);  // little-endian
  for (std::size_t i = 0; i < order.size(); i += 2) std::swap(order[i], order[i + 1]);
  orders.push_back(order);  // words swapped
  order = letters;
  for (std::size_t i = 0; i < order.size(); i += 2) std::swap(order[i], order[i + 1]);
  orders.push_back(order);  // bytes swapped
  std::mt19937 random(6);
  while (orders.size() < count) {
    std::shuffle(letters.begin(), letters.end(), random);
    orders.push_back(letters);
  }
  return orders;
}

class Image {
 public:
  void add(const std::string& type, unsigned registers, const std::vector<std::string>& orders,
           const std::vector<Value>& values) {
    for (const std::string& order : orders) {
      for (const Value& value : values) {
        points.push_back({.address = next_, .type = type, .order = order, .value = value, .more = {}, .more_json = {}});
        next_ += registers;
      }
    }
    next_ += 3;  // a hole
  }
  void add_text(const std::string& order, unsigned length, const std::string& text, const std::string& pad) {
    points.push_back({.address = next_,
                      .type = "string",
                      .order = order,
                      .value = Value::text(text),
                      .more = ", length: " + std::to_string(length),
                      .more_json = ",\"length\":" + std::to_string(length) + ",\"pad\":\"" + pad + "\""});
    next_ += (length + 1) / 2;
  }

  [[nodiscard]] std::string spec() const {
    std::string text = "{\"points\":[";
    for (const Held& held : points) {
      if (&held != &points.front()) text += ",\n";
      text += "{\"table\":\"" + held.table + "\",\"address\":" + std::to_string(held.address) + ",\"type\":\"" +
              held.type + "\",\"order\":\"" + held.order + "\",\"value\":" + to_json(held.value) + held.more_json + "}";
    }
    return text + "]}";
  }
  [[nodiscard]] std::string configuration(std::uint16_t port) const {
    std::string text =
        "sources:\n  field:\n    modbus:\n      url: tcp://127.0.0.1:" + std::to_string(port) +
        "\n      timeout: 3 s\n      devices:\n        all:\n          unit_id: 3\n          every: 500 ms\n"
        "          points:\n";
    for (const Held& held : points) {
      text += "            " + held.name() + ": { " + held.table + ": " + std::to_string(held.address) +
              ", type: " + held.type + (held.order.empty() ? "" : ", order: " + held.order) + held.more + " }\n";
    }
    return text;
  }

  std::vector<Held> points;

 private:
  unsigned next_ = 0;
};

Value whole(std::int64_t value) { return Value::integer(value); }
Value real(double value) { return Value::real(value); }

TEST_CASE("every type in every byte order arrives as pymodbus was told to hold it") {
  Image image;
  const std::vector<std::string> two = permutations("AB");
  const std::vector<std::string> four = permutations("ABCD");
  const std::vector<std::string> six = some_of("ABCDEF", 12);
  const std::vector<std::string> eight = some_of("ABCDEFGH", 40);
  using I64 = std::numeric_limits<std::int64_t>;
  image.add("int8", 1, {"", "A", "B"}, {whole(-128), whole(127), whole(-1)});
  image.add("uint8", 1, {"", "A", "B"}, {whole(255), whole(1)});
  image.add("int16", 1, two, {whole(-32768), whole(32767), whole(-2)});
  image.add("uint16", 1, two, {whole(65535), whole(258)});
  image.add("float16", 1, two, {real(65504), real(-0.333251953125), real(5.960464477539063e-08)});
  image.add("bcd16", 1, two, {whole(9876), whole(1)});
  image.add("int32", 2, four, {whole(-2147483648LL), whole(16909060)});
  image.add("uint32", 2, four, {whole(4294967295LL), whole(16909060)});
  image.add("float32", 2, four, {real(double{230.3f}), real(double{-1.17549435e-38f})});
  image.add("bcd32", 2, four, {whole(12345678), whole(90000009)});
  image.add("int48", 3, six, {whole(-(1LL << 47)), whole(0x010203040506)});
  image.add("uint48", 3, six, {whole((1LL << 48) - 1), whole(0x010203040506)});
  image.add("int64", 4, eight, {whole(I64::min()), whole(I64::max()), whole(72623859790382856)});
  image.add("uint64", 4, eight,
            {Value::uinteger(std::numeric_limits<std::uint64_t>::max()), Value::uinteger(9007199254740993)});
  image.add("float64", 4, eight, {real(3.141592653589793), real(-2.2250738585072014e-308)});
  image.add("bcd64", 4, eight, {whole(1234567890123456)});
  image.add_text("", 12, "SDM630 V2", "\\u0000");
  image.add_text("BA", 12, "SDM630 V2", " ");
  image.add_text("AB", 7, "z\u00e4hler", " ");
  for (Held& held : image.points) {
    // Half of them in the other table.
    if (held.address % 2 == 1) held.table = "input";
  }
  for (unsigned i = 0; i < 40; ++i) {
    image.points.push_back({.table = i % 2 == 0 ? "coil" : "discrete",
                            .address = i * 7,
                            .type = "bool",
                            .order = {},
                            .value = Value::boolean(i % 3 == 0),
                            .more = {},
                            .more_json = {}});
  }

  const test::TemporaryDirectory directory;
  const std::string spec = directory.write("spec.json", image.spec());
  const std::uint16_t port = test::free_port();
  const test::Process server(
      {"/usr/bin/python3", test::source_directory() + "/tests/brokers/modbus/holder.py", std::to_string(port), spec});
  RunningSource source(image.configuration(port));
  const std::optional<Reading> reading = source.first("all", std::chrono::seconds{30});
  REQUIRE_MESSAGE(reading, server.output());
  CHECK(reading->quality == Quality::good);
  CHECK(to_json(reading->bad) == "null");
  CHECK(reading->value.as_map().size() == image.points.size());
  for (const Held& held : image.points) {
    CAPTURE(held.name());
    const Value* value = reading->value.find(held.name());
    REQUIRE(value != nullptr);
    CHECK(value->kind() == held.value.kind());
    CHECK(to_json(*value) == to_json(held.value));
  }
}

TEST_CASE("a SunSpec device of 700 registers that pymodbus plays arrives whole through the configuration") {
  const std::string folder = test::source_directory() + "/tests/cases/modbus/sunspec/";
  std::string registers = "53756e53";  // "SunS"
  std::istringstream models(test::read_file(folder + "registers.txt"));
  for (std::string line; std::getline(models, line);) {
    const std::size_t bar = line.find(" | ");
    if (line.empty() || line[0] == '#' || bar == std::string::npos) continue;
    const std::string content = line.substr(bar + 3);
    std::array<char, 9> header{};
    std::snprintf(header.data(), header.size(), "%04x%04x", static_cast<unsigned>(std::stoul(line)) & 0xffff,
                  static_cast<unsigned>(content.size() / 4) & 0xffff);
    registers += header.data() + content;
  }
  registers += "ffff0000";
  CHECK(registers.size() / 4 > 600);
  const test::TemporaryDirectory directory;
  const std::string spec = directory.write("spec.json", R"({"base":40000,"registers":")" + registers + "\"}");
  const std::uint16_t port = test::free_port();
  const test::Process server(
      {"/usr/bin/python3", test::source_directory() + "/tests/brokers/modbus/holder.py", std::to_string(port), spec});
  std::string configuration = test::read_file(folder + "device.yaml");
  const auto replace = [&](std::string_view what, const std::string& by) {
    const std::size_t at = configuration.find(what);
    REQUIRE(at != std::string::npos);
    configuration.replace(at, what.size(), by);
  };
  replace(":502", ":" + std::to_string(port));
  replace("        d:\n", "        d:\n          unit_id: 3\n");
  RunningSource source(configuration);
  const std::optional<Reading> reading = source.first("d", std::chrono::seconds{30});
  REQUIRE_MESSAGE(reading, server.output());
  CHECK(reading->quality == Quality::good);
  CHECK(to_json(reading->bad) == "null");
  JsonParser parser;
  const Result<Value> expected = parser.parse(test::read_file(folder + "expected.json"));
  REQUIRE(expected);
  REQUIRE(expected->as_map().size() > 300);
  CHECK(reading->value.as_map().size() == expected->as_map().size());
  for (const auto& [name, value] : expected->as_map()) {
    const Value* is = reading->value.find(name.as_text());
    REQUIRE_MESSAGE(is != nullptr, name.as_text());
    CHECK_MESSAGE(parser.parse(to_json(*is)).value() == value, name.as_text(), ": ", to_json(*is));
  }
}

}  // namespace
}  // namespace railhead::modbus
