// Models at their places, repeated blocks, and points that scale other points: from the configuration to the reading.
#include <doctest/doctest.h>

#include <map>

#include "adapters/modbus/config.h"
#include "adapters/modbus/modbus.h"
#include "gateway/config/document.h"
#include "gateway/message/json.h"
#include "tests/adapters/modbus/recording_observer.h"
#include "tests/support/manual_clock.h"

namespace railhead::modbus {
namespace {

struct Read {
  std::optional<SourceOptions> options;
  std::vector<ports::KnownDevice> known;
  std::string text;
};

Read read(const std::string& text) {
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(text, "plant.yaml", diagnostics);
  Read result;
  result.options =
      read_source(document.root().find("modbus"), document.root().find("models"), diagnostics, &result.known);
  result.text = diagnostics.render();
  return result;
}

// The first reading of the first device when its registers hold these, others 0; `refused` answers exception 2.
Reading first_reading(const std::string& text, const std::map<unsigned, unsigned>& registers,
                      std::optional<unsigned> refused = {}) {
  const Read source = read(text);
  REQUIRE_MESSAGE(source.options, source.text);
  const DeviceOptions& device = source.options->links[0].devices[0];
  const test::ManualClock clock;
  RecordingObserver seen;
  Scheduler scheduler({.source = "s"}, clock, seen, 1);
  scheduler.add(device, plan_device(device.points, device.limits));
  while (const auto turn = scheduler.next()) {
    const ReadRequest& request = turn->request;
    if (refused && *refused >= request.address && *refused < request.address + request.count) {
      scheduler.refused(2);
      continue;
    }
    std::string payload;
    for (unsigned i = request.address; i < unsigned{request.address} + request.count; ++i) {
      const auto found = registers.find(i);
      const unsigned word = found == registers.end() ? 0 : found->second;
      payload.push_back(static_cast<char>(word >> 8));
      payload.push_back(static_cast<char>(word));
    }
    scheduler.answered(payload);
  }
  REQUIRE(seen.readings.size() >= 1);
  return seen.readings[0];
}

std::string device(const std::string& text, const std::string& models = "") {
  return "modbus: { url: tcp://h, devices: { d: " + text + " } }\n" +
         (models.empty() ? "" : "models: " + models + "\n");
}

TEST_CASE("a point takes its power of ten from another, whichever is read first") {
  const std::string text = device(
      "{ points: { power: { holding: 10, type: int16, scale_from: power_sf }, power_sf: { holding: 60, type: sunssf }, "
      "energy: { holding: 0, type: acc32, scale_from: energy_sf, scale: 2 }, energy_sf: { holding: 5, type: sunssf, "
      "hidden: true } } }");
  const Reading reading = first_reading(text, {{10, 0xff9c}, {60, 0xfffe}, {1, 7}, {5, 3}});
  CHECK(reading.quality == Quality::good);
  CHECK(to_json(reading.value) == R"({"power":-1.0,"power_sf":-2,"energy":14000.0})");
  CHECK(reading.value.find("power")->is(Kind::real));
  CHECK(reading.bad.is(Kind::null));
}

TEST_CASE("what a device has not implemented is absent, and bad only where a value lost its factor") {
  const std::string text = device(
      "{ absent: sunspec, points: { a: { holding: 0, type: int16, scale_from: sf }, b: { holding: 1, type: int16, "
      "scale_from: sf }, sf: { holding: 2, type: sunssf }, c: { holding: 3, type: float32 }, d: { holding: 5, type: "
      "uint16, absent: 7 } } }");
  Reading reading = first_reading(text, {{0, 0x8000}, {1, 0x8000}, {2, 0x8000}, {3, 0x7fc0}, {5, 0xffff}});
  CHECK(reading.quality == Quality::good);
  CHECK(to_json(reading.value) == R"({"d":65535})");  // its own `absent` stands instead of the device's
  CHECK(reading.bad.is(Kind::null));
  reading = first_reading(text, {{0, 5}, {1, 0x8000}, {2, 0x8000}, {5, 7}});
  CHECK(reading.quality == Quality::uncertain);
  CHECK(to_json(reading.value) == R"({"c":0.0})");
  CHECK(to_json(reading.bad) == R"({"a":"its scale factor 'sf' is not implemented"})");
  reading = first_reading(text, {{0, 5}, {1, 6}, {2, 11}, {5, 7}});
  CHECK(to_json(reading.bad) ==
        R"({"a":"its scale factor 'sf' is beyond -10..10","b":"its scale factor 'sf' is beyond -10..10"})");
  reading = first_reading(text, {{0, 5}, {1, 0x8000}, {5, 7}}, 2);
  CHECK(to_json(reading.bad) ==
        R"({"a":"its scale factor 'sf' is bad: illegal data address","sf":"illegal data address"})");
  // A device that has nothing of it is not a bad one.
  reading = first_reading(device("{ points: { a: { holding: 0, type: uint16, absent: 0 } } }"), {});
  CHECK(reading.quality == Quality::good);
  CHECK(to_json(reading.value) == "{}");
}

TEST_CASE("a factor is read beside each rate that needs it, and belongs to the readings of its own") {
  const Read source =
      read(device("{ every: 1 s, points: { a: { holding: 0, type: int16, scale_from: sf }, sf: { holding: 1, type: "
                  "sunssf, every: 1 "
                  "h } } }"));
  REQUIRE_MESSAGE(source.options, source.text);
  const DeviceOptions& options = source.options->links[0].devices[0];
  const auto groups = plan_device(options.points, options.limits);
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].blocks[0].count == 2);
  const Reading reading = first_reading(
      device("{ every: 1 s, points: { a: { holding: 0, type: int16, scale_from: sf }, sf: { holding: 1, type: sunssf, "
             "every: 1 h } } }"),
      {{0, 73}, {1, 0xffff}});
  CHECK(to_json(reading.value) == R"({"a":7.3})");
}

TEST_CASE("models stand at their places, several on a device, with repeated blocks that scale by their own factor") {
  const std::string models =
      "{ common: { points: { serial: { holding: 2, type: uint16 } } }, mppt: { absent: sunspec, points: { A_SF: { "
      "holding: 0, type: sunssf, hidden: true } }, repeat: { module: { count: 3, stride: 20, points: { id: { holding: "
      "8, "
      "type: uint16 }, current: { holding: 17, type: uint16, scale_from: A_SF } } } } } }";
  const std::string text = device(
      "{ models: [ { model: common, offset: 40000 }, { model: mppt, offset: 40120, prefix: dc_ } ], points: { own: { "
      "holding: 3, type: uint16 } }, repeat: { string: { count: 2, stride: 2, first: 0, points: { v: { holding: 100, "
      "type: int16, scale_from: sf }, sf: { holding: 101, type: sunssf, hidden: true } } } } }",
      models);
  const Reading reading = first_reading(text, {{40002, 77},
                                               {40120, 0xfffe},
                                               {40128, 1},
                                               {40137, 150},
                                               {40148, 2},
                                               {40157, 0xffff},
                                               {40168, 3},
                                               {40177, 9},
                                               {3, 5},
                                               {100, 12},
                                               {101, 1},
                                               {102, 12},
                                               {103, 0xffff}});
  CHECK(to_json(reading.value) ==
        R"({"serial":77,"dc_module1_id":1,"dc_module1_current":1.5,"dc_module2_id":2,"dc_module3_id":3,)"
        R"("dc_module3_current":0.09,"own":5,"string0_v":120.0,"string1_v":1.2})");
  CHECK(reading.quality == Quality::good);
  // One device, one offset; modicon addresses move as well.
  const Reading moved =
      first_reading(device("{ model: m, offset: -10 }",
                           "{ m: { addressing: modicon, points: { p: { holding: 40021, type: uint16 } } } }"),
                    {{10, 8}});
  CHECK(to_json(moved.value) == R"({"p":8})");
}

// Error paths

TEST_CASE("what does not fit is said at its place") {
  struct Row {
    const char* point;
    const char* message;
  };
  const Row rows[] = {
      {"{ holding: 0, type: int16, scale_from: sff }", "no point 'sff' on this device"},
      {"{ holding: 0, type: int16, scale_from: f }", "point 'f' cannot be a power of ten"},
      {"{ holding: 0, type: string, length: 4, scale_from: sf }", "scale_from is for numbers, not for string"},
      {"{ holding: 0, type: uint16, absent: 70000 }", "expected a number that uint16 can hold"},
      {"{ holding: 0, type: uint16, absent: -1 }", "expected a number that uint16 can hold"},
      {"{ holding: 0, type: uint16, absent: nan }", "nan is a value of floats, not of uint16"},
      {"{ holding: 0, type: uint16, absent: [0x8000, {}] }", "expected a number, nan, empty or sunspec"},
      {"{ coil: 0, absent: 1 }", "a single bit has no value left for absent"},
      {"{ holding: 0, type: float32, enum: {1: a} }", "enum is for integers, not for float32"},
      {"{ holding: 0, type: uint16, enum: {one: a} }", "expected a whole number, decimal or 0x..."},
      {"{ holding: 0, type: uint16, enum: {1: a, 0x1: b} }", "the number 1 has a name already"},
      {"{ holding: 0, type: uint16, enum: {1: a}, scale: 2 }", "a number with names has no scale"},
      {"{ holding: 0, bits: {0: a, 16: b} }", "bits 16..16 do not lie within the 16 bits"},
      {"{ holding: 0, bits: {0: a, 1: a} }", "two bits have the name 'a'"},
      {"{ holding: 0, bits: {zero: a} }", "expected a bit like 3, or a range"},
      {"{ holding: 0, bits: {0: a}, scale: 2 }", "bits with names stand for themselves"},
      {"{ holding: 0, bits: 4-x }", "expected a range of bits like 4..7"},
      {"{ holding: 0, type: uint16, clamp: { min: 2, max: 1 } }", "the least value of clamp is above the greatest"},
      {"{ holding: 0, type: float64, count: 32 }", "32 of these are more than one request can read"},
      {"{ holding: 65535, type: uint16, count: 2 }", "the point reaches beyond address 65535"},
      {"{ holding: 0, type: cp56, scale: 2 }", "scale and offset are for numbers, not for cp56"},
      {"{ holding: 0, type: date_words, order: ABCD }", "the order of a date_words is AB or BA"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.point);
    const Read source = read(device(std::string("{ points: { p: ") + row.point +
                                    ", f: { holding: 9, type: float32 }, sf: { holding: 8, type: sunssf } } }"));
    CHECK_FALSE(source.options);
    CHECK_MESSAGE(source.text.find(row.message) != std::string::npos, source.text);
  }
  const Read beyond =
      read(device("{ model: m, offset: 65530 }", "{ m: { points: { p: { holding: 10, type: uint16 } } } }"));
  CHECK(beyond.text.find("with its offset the address is 65540") != std::string::npos);
  const Read none = read(device("{ model: m }", "{ m: { description: x } }"));
  CHECK(none.text.find("model 'm' has no points") != std::string::npos);
}

TEST_CASE("a mistake in one point does not hide the names of the others, its own among them") {
  const Read source =
      read(device("{ points: { good: { holding: 0, type: int16 }, wrong: { holding: 99999, type: int16 }, untyped: { "
                  "holding: 1 } }, "
                  "repeat: { s: { count: 2, stride: 1, points: { bad: { holding: 5, type: int17 } } } } }"));
  CHECK_FALSE(source.options);
  REQUIRE(source.known.size() == 1);
  std::string points;
  for (const ports::KnownPoint& point : source.known[0].points) {
    points += point.name + (point.kind ? ": " + std::string(cel_type_name(*point.kind)) : "") + " ";
  }
  CHECK(points == "good: int wrong untyped s1_bad s2_bad ");
  // Where a model could not be read, nothing is known of its points.
  const Read open = read(device("{ model: nowhere, points: { own: { holding: 0, type: int16 } } }"));
  REQUIRE(open.known.size() == 1);
  CHECK(open.known[0].points.empty());
  // And the plan that the rules are checked against is there in spite of it.
  config::Diagnostics diagnostics;
  const config::Document document =
      config::Document::parse("{ url: tcp://h, devices: { d: { points: { p: { holding: 1 } } } } }", "x", diagnostics);
  const auto plan = source_kind().read(document.root(), {}, diagnostics);
  CHECK(diagnostics.error_count() == 1);
  REQUIRE(plan);
  CHECK(plan->devices_are_known());
  REQUIRE(plan->devices()[0].points.size() == 1);
  CHECK(plan->devices()[0].points[0].name == "p");
}

}  // namespace
}  // namespace railhead::modbus
