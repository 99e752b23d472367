// Every ready map in firmware-config/devices is read without a word, fits its requests, and is alive in the simulator.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "adapters/modbus/config.h"
#include "adapters/modbus/decode.h"
#include "adapters/modbus/plan.h"
#include "adapters/modbus/simulated_unit.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "tests/support/places.h"

namespace railhead::modbus {

TEST_CASE("every ready device map loads, names its source, and each of its points reads in the simulator") {
  const std::filesystem::path folder = std::filesystem::path(test::source_directory()) / "firmware-config/devices";
  std::set<std::string> seen;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    const std::string name = entry.path().stem().string();
    CAPTURE(name);
    seen.insert(name);
    config::Diagnostics diagnostics;
    const bool sunspec = name.starts_with("sunspec-");
    const config::Document document =
        config::Document::parse("models: { m: { file: " + entry.path().string() +
                                    " } }\n"
                                    "source:\n  url: tcp://10.0.0.17\n  devices: { d: { models: [ { model: m" +
                                    std::string(sunspec ? ", offset: 40069" : "") + " } ] } }\n",
                                "railhead.yaml", diagnostics);
    const auto options = read_source(document.root().find("source"), document.root().find("models"), diagnostics);
    CHECK(diagnostics.render() == "");
    REQUIRE(options);
    const config::Document map = config::Document::load_file(entry.path(), config::Node(), diagnostics);
    const ModelConfig model = model_fields().read(map.root(), diagnostics);
    CHECK(model.description.size() > 5);
    CHECK(model.source.size() > 20);
    const DeviceOptions& device = options->links.at(0).devices.at(0);
    CHECK(device.points.size() >= 5);
    std::map<std::pair<Table, std::uint16_t>, std::string> places;
    SimulatedUnit unit(1);
    unit.add(device.name, device.points);
    for (const Point& point : device.points) {
      CAPTURE(point.name);
      const auto [other, fresh] = places.emplace(std::pair{point.table, point.address}, point.name);
      CHECK_MESSAGE(fresh, point.name, " stands where ", other->second, " does");
      std::string request{static_cast<char>(function_of(point.table)), static_cast<char>(point.address >> 8),
                          static_cast<char>(point.address & 0xff), 0, static_cast<char>(point.span())};
      const std::string answer = unit.answer(request, 100);
      REQUIRE(static_cast<unsigned char>(answer[0]) < 0x80);
      const Decoded decoded = Decoder(point).decode(std::string_view(answer).substr(2), 0);
      CHECK(decoded.why == "");
    }
    for (const Group& group : plan_device(device.points, device.limits)) CHECK(!group.blocks.empty());
  }
  for (const char* wanted :
       {"eastron-sdm630", "sunspec-common", "sunspec-inverter", "sunspec-inverter-float", "sunspec-nameplate",
        "sunspec-storage", "sunspec-mppt", "sunspec-meter", "abb-b23", "schneider-iem3155", "generic-plc"}) {
    CHECK(seen.contains(wanted));
  }
}

TEST_CASE("addresses of the ready maps as they travel on the wire") {
  const auto address = [](const std::string& map, const std::string& wanted) {
    config::Diagnostics diagnostics;
    const config::Document document = config::Document::parse(
        "models: { m: { file: " + test::source_directory() + "/firmware-config/devices/" + map + ".yaml } }\n" +
            "source:\n  url: tcp://10.0.0.17\n  devices: { d: { models: [ { model: m, offset: " +
            (map.starts_with("sunspec") ? "40069" : "0") + " } ] } }\n",
        "railhead.yaml", diagnostics);
    const auto options = read_source(document.root().find("source"), document.root().find("models"), diagnostics);
    REQUIRE(options);
    for (const Point& point : options->links.at(0).devices.at(0).points) {
      if (point.name == wanted) return int{point.address};
    }
    return -1;
  };
  CHECK(address("eastron-sdm630", "import_energy") == 0x48);
  CHECK(address("abb-b23", "import_energy") == 0x5000);
  CHECK(address("abb-b23", "voltage_l1") == 0x5b00);
  CHECK(address("abb-b23", "power") == 0x5b14);
  CHECK(address("abb-b23", "frequency") == 0x5b2c);
  CHECK(address("abb-b23", "power_factor") == 0x5b3a);
  CHECK(address("schneider-iem3155", "voltage_l1") == 0x0bd3);
  CHECK(address("schneider-iem3155", "power") == 3059);
  CHECK(address("schneider-iem3155", "import_energy") == 3203);
  // One-based 40084 and 40108 in the vendors' lists of three-phase inverters.
  CHECK(address("sunspec-inverter", "power") == 40083);
  CHECK(address("sunspec-inverter", "state") == 40107);
}

}  // namespace railhead::modbus
