// A SunSpec device from its registers to the reading: tests/cases/modbus/sunspec has the models of one as the
// configuration writes them, what their registers hold, and what must come out; and the models are found wherever the
// device has them.
#include "adapters/modbus/sunspec.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <sstream>

#include "adapters/modbus/bus_time.h"
#include "adapters/modbus/config.h"
#include "adapters/modbus/link_commands.h"
#include "adapters/modbus/simulated_unit.h"
#include "gateway/base/bytes.h"
#include "gateway/config/document.h"
#include "gateway/message/json.h"
#include "tests/adapters/modbus/scheduled_bus.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::modbus {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Strings = std::vector<std::string>;

std::string file(const std::string& name) {
  return test::read_file(test::source_directory() + "/tests/cases/modbus/sunspec/" + name);
}

DeviceOptions device_of(const std::string& text) {
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(text, "device.yaml", diagnostics);
  const config::Node whole = document.root().find("sources").find("field").find("modbus");
  const auto options = read_source(whole.present() ? whole : document.root().find("modbus"),
                                   document.root().find("models"), diagnostics);
  REQUIRE_MESSAGE(options, diagnostics.render());
  CHECK(diagnostics.render() == "");
  return options->links.at(0).devices.at(0);
}

struct Model {
  unsigned id = 0;
  std::string registers;
};

std::vector<Model> models_of(const std::string& text) {
  std::vector<Model> models;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const std::size_t bar = line.find(" | ");
    if (line.empty() || line[0] == '#' || bar == std::string::npos) continue;
    models.push_back({static_cast<unsigned>(std::stoul(line)), base::from_hex(line.substr(bar + 3)).value()});
  }
  return models;
}

// Registers and nothing beside them: whatever touches another address is refused.
class Device : public ScheduledBus {
 public:
  Device() { registers.emplace(); }

  void install(unsigned base, const std::vector<Model>& models) {
    registers->clear();
    put(base, "SunS");
    unsigned at = base + 2;
    for (const Model& model : models) {
      put(at, words({model.id, static_cast<unsigned>(model.registers.size() / 2)}) + model.registers);
      at += 2 + static_cast<unsigned>(model.registers.size() / 2);
    }
    put(at, words({0xffff, 0}));
  }
  void put(unsigned at, const std::string& bytes) {
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) (*registers)[at++] = bytes.substr(i, 2);
  }
  static std::string words(std::initializer_list<unsigned> all) {
    std::string bytes;
    for (const unsigned word : all) {
      bytes.push_back(static_cast<char>(word >> 8));
      bytes.push_back(static_cast<char>(word));
    }
    return bytes;
  }
};

TEST_CASE("a device of 700 registers is read whole, wherever its models stand") {
  const DeviceOptions options = device_of(file("device.yaml"));
  std::vector<Model> models = models_of(file("registers.txt"));
  JsonParser parser;
  const Result<Value> expected = parser.parse(file("expected.json"));
  REQUIRE(expected);
  REQUIRE(expected->as_map().size() > 300);
  for (const unsigned base : {40000u, 50000u, 0u}) {
    CAPTURE(base);
    Device device;
    device.install(base, models);
    device.add(options);
    device.run_for(milliseconds{900});
    REQUIRE(device.seen.readings.size() == 1);
    const Reading& reading = device.seen.readings[0];
    CHECK(reading.quality == Quality::good);
    CHECK(to_json(reading.bad) == "null");
    for (const auto& [name, value] : expected->as_map()) {
      const Value* is = reading.value.find(name.as_text());
      REQUIRE_MESSAGE(is != nullptr, name.as_text());
      CHECK_MESSAGE(parser.parse(to_json(*is)).value() == value, name.as_text(), ": ", to_json(*is), " not ",
                    to_json(value));
    }
    for (const auto& [name, value] : reading.value.as_map()) {
      CHECK_MESSAGE(expected->find(name.as_text()) != nullptr, name.as_text(), ": ", to_json(value));
    }
    CHECK(device.seen.events == Strings{"placed d 12 models"});
    // Another order, as another make may have it; the second meter stays behind the first.
    std::rotate(models.begin() + 1, models.begin() + 4, models.end() - 4);
  }
}

const char* const kTwo =
    "modbus: { url: tcp://h, devices: { d: { models: [ { model: common }, { model: inverter, prefix: i_ } ], points: { "
    "own: { holding: 7, type: uint16 } } } } }\n"
    "models: { common: { sunspec: [1], points: { a: { holding: 2, type: uint16 } } }, inverter: { sunspec: [101, 103], "
    "forbidden: [ holding 3 ], points: { b: { holding: 2, type: uint16 }, c: { holding: 4, type: uint16, write: {} } "
    "}, "
    "repeat: { x: { count: 2, stride: 1, points: { d: { holding: 5, type: uint16 } } } } } }\n";

Model common(unsigned value) { return {1, Device::words({value})}; }
Model inverter(unsigned id, unsigned value, bool second = true) {
  return {id, second ? Device::words({value, 99, 5, 6, 7}) : Device::words({value, 99, 5, 6})};
}

TEST_CASE("a missing model is bad and looked for again, a missing block is absent, and the rest is read") {
  const DeviceOptions options = device_of(kTwo);
  Device device;
  device.install(40000, {common(11)});
  device.put(7, Device::words({70}));
  device.add(options);
  device.run_for(milliseconds{900});
  const std::string lacks = R"("the device has no SunSpec model 101 or 103")";
  CHECK(device.seen.take() == Strings{R"(d uncertain {"a":11,"own":70} {"i_b":)" + lacks + R"(,"i_c":)" + lacks +
                                      R"(,"i_x1_d":)" + lacks + R"(,"i_x2_d":)" + lacks + "}"});
  CHECK(device.seen.events == Strings{"placed d 1 models", "missing SunSpec model 101 or 103"});
  // A firmware update brings it: found after a minute, one block fewer than the configuration allows for.
  device.install(40000, {common(12), inverter(103, 3, false)});
  device.put(7, Device::words({70}));
  device.run_for(seconds{58});
  CHECK(device.seen.take().size() == 58);
  device.run_for(seconds{4});
  const Strings later = device.seen.take();
  REQUIRE(later.size() == 4);
  CHECK(later.back() == R"(d good {"a":12,"i_b":3,"i_c":5,"i_x1_d":6,"own":70})");
  device.seen.events.clear();
  device.run_for(minutes{10});
  CHECK(device.seen.events.empty());  // nothing is missing, nothing is looked for
  CHECK(device.seen.missed == 0);
}

TEST_CASE(
    "no SunSpec at all, busy, silent: the device's own points go on, and it is found when it comes back another") {
  const DeviceOptions options = device_of(kTwo);
  Device device;
  device.put(7, Device::words({70}));
  device.busy = 2;
  device.add(options);
  device.run_for(milliseconds{1900});
  Strings readings = device.seen.take();
  REQUIRE(readings.size() == 2);
  CHECK(readings[0].starts_with(R"(d uncertain {"own":70} {"a":"no SunSpec marker at holding register 40000, 50000)"));
  // Silence in the middle of the search is a silence like any other.
  Device quiet;
  quiet.silent = {1};
  quiet.add(options);
  quiet.run_for(seconds{5});
  readings = quiet.seen.take();
  REQUIRE(readings.size() == 2);
  CHECK(readings[0].starts_with(R"(d bad {} {"a":"no answer within 500 ms","i_b":"no answer within 500 ms")"));
  CHECK(readings.back() == "d bad null");
  CHECK(quiet.seen.events == Strings{"down d: no answer within 500 ms"});
  quiet.silent = {};
  quiet.install(40000, {common(1), inverter(101, 2)});
  quiet.put(7, Device::words({70}));
  quiet.run_for(seconds{30});
  readings = quiet.seen.take();
  REQUIRE(readings.size() > 3);
  CHECK(readings[0] == "d good null");
  CHECK(readings[1] == R"(d good {"a":1,"i_b":2,"i_c":5,"i_x1_d":6,"i_x2_d":7,"own":70})");
  // Exchanged for another make: the same models, elsewhere.
  quiet.silent = {1};
  quiet.run_for(seconds{5});
  quiet.silent = {};
  quiet.install(50000, {inverter(103, 8), common(9)});
  quiet.put(7, Device::words({71}));
  quiet.run_for(seconds{60});
  CHECK(quiet.seen.take().back() == R"(d good {"a":9,"i_b":8,"i_c":5,"i_x1_d":6,"i_x2_d":7,"own":71})");
}

TEST_CASE("a write goes where the model is, and nowhere while that is not known") {
  const DeviceOptions options = device_of(kTwo);
  const test::ManualClock clock;
  LinkCommands commands(clock);
  commands.add(options);
  std::vector<std::string> told;
  const auto command = [&] {
    ports::Command one;
    one.device = "d";
    one.values = {{"i_c", Value::integer(6)}};
    one.expires = clock.boot_now() + seconds{10};
    one.done = [&](const ports::CommandOutcome& outcome) {
      told.push_back(std::string(ports::name_of(outcome.result)) + ": " + outcome.why);
    };
    return one;
  };
  commands.take(command());
  CHECK(told == Strings{"refused: where the SunSpec models of 'd' are is not known yet"});
  const auto placed_at = [&](unsigned at) {
    const SunspecChain chain{.base = 40000, .models = {{1, 40002, 1}, {103, static_cast<std::uint16_t>(at), 5}}};
    return place_points(options.points, options.forbidden, options.anchors, chain);
  };
  commands.place("d", placed_at(40010));
  commands.take(command());
  auto turn = commands.next();
  REQUIRE(turn);
  CHECK(turn->pdu == std::string("\x06", 1) + Device::words({40014, 6}));
  commands.take(command());
  commands.place("d", placed_at(40020));  // what is out is beyond recall
  CHECK(told.size() == 2);
  CHECK(told.back() == "refused: the device's SunSpec models are elsewhere now");
  commands.answered(turn->pdu);
  CHECK(told.back() == "done: ");
  commands.forget("d");
  commands.take(command());
  CHECK(told.back().starts_with("refused: where the SunSpec models"));
  CHECK(!commands.next());
}

TEST_CASE("check --plan tells what is looked for; the simulator plays a chain that has it") {
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(kTwo, "device.yaml", diagnostics);
  const auto source = read_source(document.root().find("modbus"), document.root().find("models"), diagnostics);
  REQUIRE(source);
  const std::string plan = explain_plan(*source);
  CHECK(plan.find("d (unit 1) at start: model 'inverter' is looked for (SunSpec model 101 or 103)") !=
        std::string::npos);
  CHECK(plan.find("model 'inverter', holding 4..6, 3 points") != std::string::npos);
  CHECK(plan.find("holding 2, 1 point") != std::string::npos);
  const DeviceOptions& options = source->links[0].devices[0];
  const SunspecChain chain = chain_for(options.points, options.anchors);
  REQUIRE(chain.models.size() == 2);
  SimulatedUnit unit(1);
  unit.add(chain);
  SunspecSearch search;
  while (!search.over()) {
    const std::string answer = unit.answer("\x03" + Device::words({search.address(), kSunspecReads}), 0);
    const auto byte = [&](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(answer[at])); };
    REQUIRE(byte(0) == 3);
    search.answered(static_cast<std::uint16_t>(byte(2) << 8 | byte(3)),
                    static_cast<std::uint16_t>(byte(4) << 8 | byte(5)));
  }
  CHECK(search.outcome().has_value());
  REQUIRE(search.chain().models.size() == 2);
  CHECK(search.chain().models[1].id == 101);
  CHECK(search.chain().models[1].length == 5);
  CHECK(place_points(options.points, options.forbidden, options.anchors, search.chain()).missing.empty());
}

}  // namespace
}  // namespace railhead::modbus
