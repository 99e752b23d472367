#include "adapters/modbus/probe.h"

#include <doctest/doctest.h>

#include <bit>
#include <thread>

#include "adapters/modbus/config.h"
#include "adapters/modbus/encode.h"
#include "adapters/modbus/simulator.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/system/clock.h"

namespace railhead::modbus {
namespace {

using namespace std::chrono_literals;

// Registers around 30 as a device holds them that keeps `point` = `value`; everything else is noise.
Registers holding(Point point, double value) {
  Registers registers;
  for (std::uint16_t address = 29; address < 36; ++address) {
    registers[address] = static_cast<std::uint16_t>(0x4321 + address * 977);
  }
  const Encoded encoded = Encoder(point).nearest(value);
  for (std::size_t i = 0; i + 1 < encoded.bytes.size(); i += 2) {
    registers[static_cast<std::uint16_t>(point.address + i / 2)] = static_cast<std::uint16_t>(
        static_cast<unsigned char>(encoded.bytes[i]) << 8 | static_cast<unsigned char>(encoded.bytes[i + 1]));
  }
  return registers;
}

std::string best(Table table, Point point, double value, double expected) {
  const auto ranked = rank({{table, holding(point, value)}}, Table::holding, 30, expected, 0.051, 0.005);
  return ranked.empty() ? "nothing" : point_line("value", ranked.front().point);
}

Point point(std::uint16_t address, Type type, std::string_view order, std::string_view scale = {}) {
  Point made;
  made.address = address;
  made.type = type;
  made.order = *ByteOrder::parse(order);
  if (!scale.empty()) made.scale = config::parse_decimal(scale);
  return made;
}

// A simulated device behind a real socket.
class Field {
 public:
  explicit Field(std::vector<ports::Fault> faults = {}) {
    config::Diagnostics diagnostics;
    const config::Document document = config::Document::parse(
        "url: tcp://10.0.0.17:502\ndevices:\n"
        "  a: { unit_id: 2, points: { x: { holding: 100, type: float32, order: CDAB, unit: V }, y: { holding: 150, "
        "type: int16 },"
        " c: { coil: 3 } } }\n"
        "  b: { unit_id: 5, points: { x: { holding: 0, type: int16 } } }\n",
        "railhead.yaml", diagnostics);
    const auto options = read_source(document.root(), config::Node(), diagnostics);
    REQUIRE(options);
    simulator_ = std::make_unique<Simulator>(
        *options,
        ports::SimulationOptions{.source = "s", .listen = "127.0.0.1", .fields = {}, .faults = std::move(faults)},
        clock_);
    REQUIRE(simulator_->open());
    thread_ = std::jthread([this](std::stop_token stop) { simulator_->run(std::move(stop)); });
  }
  Conversation::Options options() const {
    Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = simulator_->port(0);
    return {.endpoint = endpoint, .tls = {}, .timeout = 200ms};
  }

 private:
  system::SystemClock clock_;
  std::unique_ptr<Simulator> simulator_;
  std::jthread thread_;
};

const ProbeOptions kFast{.unit = 2, .pause = Duration::zero(), .requests_max = 500};

}  // namespace

TEST_CASE("the way to read an expected value is ranked first: type, order, scale, off by one, the other table") {
  CHECK(best(Table::holding, point(30, Type::float32, "ABCD"), 229.03, 229.0) ==
        "value: { holding: 30, type: float32 }");
  CHECK(best(Table::holding, point(30, Type::float32, "CDAB"), 229.03, 229.0) ==
        "value: { holding: 30, type: float32, order: CDAB }");
  CHECK(best(Table::holding, point(29, Type::float32, "CDAB"), 229.03, 229.0) ==
        "value: { holding: 29, type: float32, order: CDAB }");
  CHECK(best(Table::holding, point(31, Type::uint16, "AB", "0.1"), 229, 229.0) ==
        "value: { holding: 31, type: uint16, scale: 0.1 }");
  CHECK(best(Table::holding, point(30, Type::uint16, "BA"), 4711, 4711) ==
        "value: { holding: 30, type: uint16, order: BA }");
  CHECK(best(Table::holding, point(30, Type::int16, "AB", "0.01"), -12.5, -12.5) ==
        "value: { holding: 30, type: int16, scale: 0.01 }");
  CHECK(best(Table::holding, point(30, Type::uint32, "CDAB", "0.001"), 98765.432, 98765.4) ==
        "value: { holding: 30, type: uint32, order: CDAB, scale: 0.001 }");
  CHECK(best(Table::holding, point(30, Type::float64, "GHEFCDAB"), 1234.5, 1234.5) ==
        "value: { holding: 30, type: float64, order: GHEFCDAB }");
  CHECK(best(Table::holding, point(30, Type::bcd32, "ABCD"), 12345678, 12345678) ==
        "value: { holding: 30, type: bcd32 }");
  CHECK(best(Table::holding, point(30, Type::uint48, "EFCDAB", "0.001"), 123456789.012, 123456789.012) ==
        "value: { holding: 30, type: uint48, order: EFCDAB, scale: 0.001 }");
  CHECK(best(Table::holding, point(30, Type::bcd64, "ABCDEFGH"), 1234567890123456, 1234567890123456) ==
        "value: { holding: 30, type: bcd64 }");
  CHECK(best(Table::input, point(30, Type::float32, "ABCD"), 229.03, 229.0) == "value: { input: 30, type: float32 }");
  CHECK(best(Table::holding, point(30, Type::float32, "ABCD"), 229.03, 17.7) == "nothing");
}

TEST_CASE(
    "a scan finds exactly the addresses that answer, with fewer requests than addresses, and stops at its bound") {
  const Field field;
  Conversation conversation(field.options());
  const Scan scanned = scan(conversation, kFast, Table::holding, 80, 200, {});
  CHECK(!scanned.cut_short);
  CHECK(scanned.registers.size() == 51);
  CHECK(scanned.registers.begin()->first == 100);
  CHECK(scanned.registers.rbegin()->first == 150);
  CHECK(scanned.refused.at(2) > 0);
  CHECK(scanned.requests < 121);
  CHECK(scan(conversation, kFast, Table::coil, 0, 10, {}).registers.size() == 1);
  CHECK(scan(conversation, kFast, Table::input, 0, 10, {}).registers.empty());
  const Scan bounded =
      scan(conversation, {.unit = 2, .pause = Duration::zero(), .requests_max = 3}, Table::holding, 0, 65535, {});
  CHECK(bounded.requests == 3);
  CHECK(bounded.cut_short);
}

TEST_CASE("a silent device ends a scan after three requests; units are told apart from nobody") {
  const Field field({{.device = "b", .kind = ports::Fault::Kind::silent}});
  Conversation conversation(field.options());
  ProbeOptions options = kFast;
  options.unit = 5;
  const Scan scanned = scan(conversation, options, Table::holding, 0, 1000, {});
  REQUIRE(scanned.cut_short);
  CHECK(scanned.requests == 3);
  CHECK(scanned.cut_short->what.find("no answer") != std::string::npos);
  const Scan one_request = scan(conversation, options, Table::holding, 0, 5, {});
  REQUIRE(one_request.cut_short);
  CHECK(one_request.cut_short->code == Errc::timeout);
  const auto units = scan_units(conversation, kFast, 1, 3, Table::holding, 0, {});
  REQUIRE(units.size() == 3);
  CHECK(!units[0].there);
  CHECK(units[1].there);  // it refuses the address, so it is there
  CHECK(!units[2].there);
}

TEST_CASE("no connection is an error that says where, at once") {
  Conversation::Options options;
  options.endpoint.host = "127.0.0.1";
  options.endpoint.port = 1;
  Conversation conversation(options);
  const auto answer = conversation.ask({});
  REQUIRE(!answer);
  CHECK(answer.error().what.find("127.0.0.1:1") != std::string::npos);
}

TEST_CASE("the chain of SunSpec models is followed from any of its three places to its end") {
  for (const std::uint16_t base : {std::uint16_t{40000}, std::uint16_t{50000}, std::uint16_t{0}}) {
    Registers device{{base, 0x5375},  {base + 1, 0x6e53}, {base + 2, 1},    {base + 3, 65},       {base + 69, 103},
                     {base + 70, 50}, {base + 121, 120},  {base + 122, 26}, {base + 149, 0xffff}, {base + 150, 0}};
    const auto read = [&](std::uint16_t address, std::uint16_t count) -> Result<std::vector<std::uint16_t>> {
      std::vector<std::uint16_t> found;
      for (std::uint16_t i = 0; i < count; ++i) {
        const auto cell = device.find(static_cast<std::uint16_t>(address + i));
        if (cell == device.end()) return fail(Errc::device, "illegal data address");
        found.push_back(cell->second);
      }
      return found;
    };
    const Result<SunspecChain> chain = walk_sunspec(read);
    REQUIRE(chain);
    CHECK(chain->base == base);
    REQUIRE(chain->models.size() == 3);
    CHECK(chain->models[1].id == 103);
    CHECK(chain->models[1].address == base + 69);
    CHECK(chain->models[2].id == 120);
    device.erase(static_cast<std::uint16_t>(base + 149));
    CHECK(walk_sunspec(read).error().what.find("the model header at") != std::string::npos);
    device.erase(base);
    CHECK(walk_sunspec(read).error().code == Errc::unsupported);
  }
  const auto endless = [](std::uint16_t address, std::uint16_t) -> Result<std::vector<std::uint16_t>> {
    if (address == 40000) return std::vector<std::uint16_t>{0x5375, 0x6e53};
    return std::vector<std::uint16_t>{1, 0};
  };
  CHECK(walk_sunspec(endless).error().code == Errc::protocol);
}

}  // namespace railhead::modbus
