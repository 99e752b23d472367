#include "adapters/modbus/config.h"

#include <doctest/doctest.h>

#include "adapters/modbus/modbus.h"
#include "gateway/config/document.h"
#include "gateway/config/reference.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::modbus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Outcome {
  std::optional<SourceOptions> options;
  std::string text;  // the diagnostics
  std::size_t errors = 0;
  std::size_t warnings = 0;
};

Outcome read_document(const config::Document& document, config::Diagnostics& diagnostics) {
  Outcome outcome;
  outcome.options = read_source(document.root().find("modbus"), document.root().find("models"), diagnostics);
  outcome.text = diagnostics.render();
  outcome.errors = diagnostics.error_count();
  outcome.warnings = diagnostics.warning_count();
  return outcome;
}

Outcome read_text(std::string_view text) {
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(text, "plant.yaml", diagnostics);
  return read_document(document, diagnostics);
}

// One device with these points, flow style.
Outcome read_points(const std::string& points, const std::string& more = "") {
  return read_text("modbus:\n  url: tcp://10.0.0.17\n  devices:\n    d:\n      every: 2 s\n" + more +
                   "      points:\n        " + points + "\n");
}

bool says(const Outcome& outcome, const std::string& part) {
  const bool found = outcome.text.find(part) != std::string::npos;
  if (!found) MESSAGE(outcome.text);
  return found;
}

TEST_CASE("the sample is right, and so is the meter's register map") {
  config::Diagnostics diagnostics;
  const config::Document document =
      config::Document::load(test::source_directory() + "/adapters/modbus/sample.yaml", diagnostics);
  const config::Node node = document.root().find("sources").find("boiler-house").find("modbus");
  const auto options = read_source(node, document.root().find("models"), diagnostics);
  CHECK(diagnostics.render() == "");
  REQUIRE(options);
  REQUIRE(options->links.size() == 3);
  CHECK(options->links[0].link.endpoint.text() == "10.0.0.17:502");
  CHECK(options->links[1].link.endpoint.text() == "10.0.0.18:502");
  REQUIRE(options->links[0].devices.size() == 2);
  const DeviceOptions& meter = options->links[0].devices[0];
  CHECK(meter.name == "meter-1");
  CHECK(meter.unit == 7);
  CHECK(meter.limits.registers_max == 80);
  CHECK(meter.points.size() == 81);
  CHECK(meter.points.front().name == "voltage_l1");
  CHECK(meter.points.front().every == seconds{5});
  const std::vector<Group> groups = plan_device(meter.points, meter.limits);
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].blocks.size() == 6);
  const DeviceOptions& boiler = options->links[0].devices[1];
  CHECK(boiler.points[0].scale == Decimal{1, -1});
  CHECK(boiler.points[0].unit == "\u00b0C");
  CHECK(boiler.points[1].every == milliseconds{100});
  CHECK(boiler.points[4].type == Type::boolean);
}

TEST_CASE("the catalogue's row knows the devices and their points") {
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(
      "modbus: { url: 'tcp://h', devices: { d: { points: { b: { coil: 1 }, a: { coil: 2 } } } } }", "p", diagnostics);
  const auto plan = source_kind().read(document.root().find("modbus"), {}, diagnostics);
  REQUIRE(plan);
  CHECK(source_kind().name == "modbus");
  CHECK(plan->devices_are_known());
  REQUIRE(plan->devices().size() == 1);
  CHECK(plan->devices()[0].name == "d");
  REQUIRE(plan->devices()[0].points.size() == 2);
  CHECK(plan->devices()[0].points[0].name == "b");
  CHECK(plan->devices()[0].points[1].name == "a");
  config::Reference reference;
  reference.place("sources.<name>.modbus");
  source_kind().describe(reference);
  CHECK(reference.markdown().find("CDAB") != std::string::npos);
}

TEST_CASE("addresses are counted as the vendor counts") {
  struct Row {
    std::uint32_t written;
    Table table;
    Addressing addressing;
    int address;
  };
  const Row rows[] = {
      {0, Table::holding, Addressing::zero, 0},         {65535, Table::input, Addressing::zero, 65535},
      {65536, Table::input, Addressing::zero, -1},      {1, Table::holding, Addressing::one, 0},
      {65536, Table::holding, Addressing::one, 65535},  {0, Table::holding, Addressing::one, -1},
      {40001, Table::holding, Addressing::modicon, 0},  {49999, Table::holding, Addressing::modicon, 9998},
      {400001, Table::holding, Addressing::modicon, 0}, {465536, Table::holding, Addressing::modicon, 65535},
      {30001, Table::input, Addressing::modicon, 0},    {365536, Table::input, Addressing::modicon, 65535},
      {10001, Table::discrete, Addressing::modicon, 0}, {1, Table::coil, Addressing::modicon, 0},
      {65536, Table::coil, Addressing::modicon, 65535}, {40001, Table::input, Addressing::modicon, -1},
      {40000, Table::holding, Addressing::modicon, -1}, {30, Table::holding, Addressing::modicon, -1},
      {50000, Table::holding, Addressing::modicon, -1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.written);
    const auto address = resolve_address(row.written, row.table, row.addressing);
    CHECK((address ? int{*address} : -1) == row.address);
  }
}

TEST_CASE("urls") {
  CHECK(parse_url("tcp://10.0.0.17:1502").value() == Endpoint{"10.0.0.17", 1502});
  CHECK(parse_url("tcp://plc.local").value() == Endpoint{"plc.local", 502});
  CHECK(parse_url("tcp://[fe80::1%eth0]:503").value() == Endpoint{"fe80::1%eth0", 503});
  CHECK(parse_url("tcp://[::1]").value() == Endpoint{"::1", 502});
  for (const char* url : {"10.0.0.17:502", "tcp://", "tcp://:502", "tcp://h:0", "tcp://h:65536", "tcp://h:80x",
                          "tcp://[::1", "tcp://a b", "http://h", "tcp://h/x"}) {
    CAPTURE(url);
    CHECK_FALSE(parse_url(url));
  }
  CHECK(parse_url("tls://plc.local").value() == Endpoint{"plc.local", 802, Transport::tls});
}

TEST_CASE("models are shared, and a device's own points win") {
  test::TemporaryDirectory directory;
  directory.write("devices/pump.yaml",
                  "addressing: modicon\nmax_registers: 20\npoints:\n  speed: { input: 30011, type: int16 }\n");
  const std::string path = directory.write("railhead.yaml", R"(
modbus:
  url: tcp://h
  devices:
    p1: { model: pump, unit_id: 1 }
    p2: { model: pump, unit_id: 2, every: 10 s, points: { speed: { input: 12, type: uint16 }, more: { coil: 5 } } }
    p3: { model: inline, unit_id: 3, addressing: one }
models:
  pump: { file: devices/pump.yaml }
  inline: { max_gap: 0, points: { x: { holding: 1, type: int8 } } }
)");
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::load(path, diagnostics);
  const Outcome outcome = read_document(document, diagnostics);
  REQUIRE(outcome.text == "");
  const auto& devices = outcome.options->links[0].devices;
  REQUIRE(devices.size() == 3);
  CHECK(devices[0].points[0].address == 10);
  CHECK(devices[0].limits.registers_max == 20);
  CHECK(devices[1].points.size() == 2);
  CHECK(devices[1].points[0].address == 12);
  CHECK(devices[1].points[0].type == Type::uint16);
  CHECK(devices[1].points[0].every == seconds{10});
  CHECK(devices[2].points[0].address == 0);
  CHECK(devices[2].limits.gap_max == 0);
}

TEST_CASE("an address in the 4xxxx notation is warned of") {
  const Outcome warned = read_points("t: { holding: 40031, type: int16 }");
  CHECK(warned.options);
  CHECK(warned.warnings == 1);
  CHECK(says(warned, "plant.yaml:7:23: warning: address 40031 is counted from 0 as it stands"));
  CHECK(says(warned, "in the 4xxxx notation it is holding: 30; or say addressing: modicon"));
  CHECK(read_points("t: { holding: 40031, type: int16 }", "      addressing: zero\n").warnings == 0);  // said so
  CHECK(read_points("t: { holding: 40031, type: int16 }", "      addressing: modicon\n").warnings == 0);
  CHECK(says(read_points("t: { holding: 400031, type: int16 }"), "addresses are 0..65535"));
  CHECK(says(read_points("t: { input: 30031, type: int16 }"), "in the 3xxxx notation it is input: 30; or say"));
  CHECK(says(read_points("t: { discrete: 10001 }"), "in the 1xxxx notation it is discrete: 0; or say"));
  CHECK(read_points("t: { holding: 30775, type: int32 }").warnings == 0);
}

TEST_CASE("two devices that are the same unit of the same link are warned of: one was copied from the other") {
  const auto devices = [](const std::string& second) {
    return read_text("modbus:\n  url: tcp://h\n  devices:\n    a: { points: { x: { coil: 1 } } }\n    b: { " + second +
                     "points: { x: { coil: 1 } } }\n");
  };
  CHECK(says(devices(""), "plant.yaml:5:5: warning: device 'b' is unit 1 at h:502, as 'a' is"));
  CHECK(devices("").options);
  CHECK(devices("unit_id: 2, ").warnings == 0);
  CHECK(devices("url: 'tcp://h:503', ").warnings == 0);
}

TEST_CASE("words of other gateways, of manuals and of PLC languages are answered with ours") {
  for (const auto& [theirs, ours] : std::vector<std::pair<std::string, std::string>>{{"UINT", "uint16"},
                                                                                     {"word", "uint16"},
                                                                                     {"real", "float32"},
                                                                                     {"DINT", "int32"},
                                                                                     {"double", "float64"},
                                                                                     {"signed int 16", "int16"},
                                                                                     {"unsigned_int32", "uint32"},
                                                                                     {"int16u", "uint16"},
                                                                                     {"Float32 (CDAB)", "float32"},
                                                                                     {"float32_le", "float32"},
                                                                                     {"STRING[16]", "string"}}) {
    CHECK(says(read_points("t: { holding: 1, type: '" + theirs + "' }"), "did you mean '" + ours + "'?"));
  }
  for (const auto& [theirs, ours] : std::vector<std::pair<std::string, std::string>>{{"cdab", "CDAB"},
                                                                                     {"CD AB", "CDAB"},
                                                                                     {"little-endian", "DCBA"},
                                                                                     {"swap", "CDAB"},
                                                                                     {"'3412'", "CDAB"},
                                                                                     {"1-0-3-2", "BADC"},
                                                                                     {"BE", "ABCD"}}) {
    CHECK(says(read_points("t: { holding: 1, type: float32, order: " + theirs + " }"), "did you mean " + ours + "?"));
  }
  CHECK_FALSE(says(read_points("t: { holding: 1, type: float32, order: ABBA }"), "did you mean"));
  CHECK(says(read_points("t: { holding: 1, type: uint16, divisor: 10 }"), "did you mean 'scale'?"));
  CHECK(says(read_points("t: { coil: 1 }", "      slave_id: 3\n"), "did you mean 'unit_id'?"));
  CHECK(says(read_text("modbus: { host: h, devices: { d: { points: { x: { coil: 1 } } } } }"), "did you mean 'url'?"));
}

// Error paths

TEST_CASE("each mistake in a point is named at its place") {
  struct Row {
    const char* point;
    const char* place;
    const char* message;
  };
  const Row rows[] = {
      {"t: { holding: 1, type: int16, order: ABCD }", "7:46", "the order of int16 has 2 letters, not 4"},
      {"t: { holding: 1, type: float32, order: ABBA }", "7:48", "an order names each byte once"},
      {"t: { holding: 1, type: flaot32 }", "7:32", "flaot32"},
      {"t: { holding: 1 }", "7:9", "point 't' needs the field 'type'"},
      {"t: { type: int16 }", "7:12", "needs one of holding, input, coil, discrete"},
      {"t: { holding: 1, coil: 2, type: int16 }", "7:26", "exclude each other"},
      {"t: { coil: 1, type: int16 }", "7:29", "a coil is one bit: only type bool fits, not int16"},
      {"t: { holding: 1, type: string }", "7:32", "a string needs its length in bytes"},
      {"t: { holding: 1, type: int16, length: 4 }", "7:47", "length is for strings"},
      {"t: { holding: 1, type: bool, scale: 0.1 }", "7:45", "scale and offset are for numbers"},
      {"t: { holding: 1, type: uint16, scale: 0 }", "7:47", "with scale 0 every number is the same value"},
      {"t: { holding: 1, type: uint16, bit: 3, scale: 2 }", "7:55", "for numbers, not for a single bit"},
      {"t: { holding: 1, type: int16, bits: 12..16 }", "7:45", "do not lie within the 16 bits"},
      {"t: { holding: 1, type: int16, bits: 7..4 }", "7:45", "expected a range of bits like 4..7"},
      {"t: { holding: 1, bit: 16 }", "7:31", "do not lie within the 16 bits"},
      {"t: { holding: 65535, type: float32 }", "7:23", "the point reaches beyond address 65535"},
      {"t: { holding: 1, type: int16, every: 5 }", "7:46", "5"},
      {"t: { holding: 1, type: int16, scael: 0.1 }", "7:39", "did you mean 'scale'?"},
      {"t: { holding: 1, type: double }", "7:32", "did you mean 'float64'?"},
      {"t: { holding: 1, type: FLOAT32 }", "7:32", "did you mean 'float32'?"},
      {"t: { holding: 1, type: raw16 }", "7:32", "did you mean 'uint16'?"},
      {"t: { holding: 1, type: count }", "7:32", "did you mean 'uint16'?"},
      {"t: { holding: 1, type: float32, quantity: 2 }", "7:41", "did you mean 'length'?"},
      {"t: { holding: 1, type: float32, length: 2 }", "7:49", "a float32 has a size of its own"},
      {"t: { holding: 1, type: int16, sunssf: power_sf }", "7:39", "did you mean 'scale_from'?"},
      {"t: { input_register: 1, type: int16 }", "7:14", "did you mean 'input'?"},
      {"t: { holding: 1, type: int32, order: word-swap }", "7:46", "CDAB has the words swapped"},
      {"t: { holding: 465537, type: int16 }", "7:23", "465536"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.point);
    const Outcome outcome = read_points(row.point);
    CHECK_FALSE(outcome.options);
    CHECK(outcome.errors == 1);
    CHECK(says(outcome, std::string("plant.yaml:") + row.place + ": error: "));
    CHECK(says(outcome, row.message));
  }
}

TEST_CASE("mistakes above the points are named too, all at once") {
  const Outcome outcome = read_text(R"(modbus:
  timeout: 500
  devices:
    a: { unit_id: 256, points: { x: { coil: 1 } } }
    b: { model: sdm360 }
    c: { url: "rtu://ttyUSB0?baud=19200", points: { x: { coil: 1 } } }
    d: { url: "tcp://h" }
    e: { url: "tcp://h", max_registers: 4, points: { s: { holding: 0, type: string, length: 20 } } }
models:
  sdm630: { points: { x: { coil: 1 } } }
)");
  CHECK_FALSE(outcome.options);
  CHECK(says(outcome, "plant.yaml:2:12: error:"));
  CHECK(says(outcome, "plant.yaml:4:19: error:"));
  CHECK(says(outcome, "plant.yaml:4:5: error: device 'a' has no url"));
  CHECK(says(outcome, "plant.yaml:5:17: error: no model 'sdm360' under models"));
  CHECK(says(outcome, "did you mean 'sdm630'?"));
  CHECK(says(outcome, "plant.yaml:6:15: error: "));
  CHECK(says(outcome, "expected the path of a serial line"));
  CHECK(says(outcome, "plant.yaml:7:5: error: device 'd' has neither a model nor points"));
  CHECK(says(outcome, "plant.yaml:8:5: error: point 's' alone has more registers than max_registers"));
  CHECK(outcome.errors == 8);  // and b has no url
  CHECK(says(read_text("modbus: { url: 'tcp://h' }"), "devices"));
}

TEST_CASE("a model file that is not there or wrong is named where it is") {
  test::TemporaryDirectory directory;
  directory.write("wrong.yaml", "points:\n  x: { holding: 1, type: int61 }\n");
  const std::string path = directory.write("railhead.yaml", R"(modbus:
  url: tcp://h
  devices:
    a: { model: absent }
    b: { model: wrong }
models:
  absent: { file: nowhere.yaml }
  wrong: { file: wrong.yaml }
)");
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::load(path, diagnostics);
  const Outcome outcome = read_document(document, diagnostics);
  CHECK_FALSE(outcome.options);
  CHECK(says(outcome, "railhead.yaml:7:19: error:"));
  CHECK(says(outcome, "wrong.yaml:2:26: error:"));
}

TEST_CASE("write is read with its limits; what cannot be written says why") {
  const Outcome outcome = read_points(
      "t: { holding: 1, type: uint16, scale: 0.1, write: { min: 10, max: 90, step: 0.5, verify: true } }\n"
      "        s: { holding: 2, type: uint16, write: { values: [ 1, 2.5, \"on\", true ], function: multiple } }\n"
      "        r: { holding: 3, type: uint16 }");
  REQUIRE(outcome.options);
  CHECK(outcome.warnings == 0);
  const std::vector<Point>& points = outcome.options->links.at(0).devices.at(0).points;
  REQUIRE(points.size() == 3);
  REQUIRE(points[0].write);
  CHECK(points[0].write->min == 10);
  CHECK(points[0].write->max == 90);
  CHECK(points[0].write->step == 0.5);
  CHECK(points[0].write->verify);
  REQUIRE(points[1].write);
  CHECK(points[1].write->values ==
        std::vector<Value>{Value::integer(1), Value::real(2.5), Value::text("on"), Value::boolean(true)});
  CHECK(points[1].write->function == WriteFunction::multiple);
  CHECK(!points[2].write);
  CHECK(says(read_points("t: { input: 1, type: uint16, write: {} }"), "only holding registers and coils can"));
  CHECK(says(read_points("t: { holding: 1, type: uint16, write: { min: 10, max: 9 } }"), "no value lies between"));
  CHECK(says(read_points("t: { holding: 1, type: uint16, write: { step: 0 } }"), "a step is above 0"));
}

}  // namespace
}  // namespace railhead::modbus
