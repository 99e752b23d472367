// RTU frames over TCP against pymodbus, which shares no code with us.
#include <doctest/doctest.h>

#include "gateway/message/json.h"
#include "tests/brokers/modbus/running_source.h"
#include "tests/support/places.h"

namespace railhead::modbus {
namespace {

TEST_CASE("values arrive from a device server that speaks RTU over TCP, and a unit that is not there is down alone") {
  const test::TemporaryDirectory directory;
  const std::string spec = directory.write(
      "spec.json", R"({"points":[{"table":"holding","address":10,"type":"int32","order":"CDAB","value":-5},)"
                   R"({"table":"input","address":3,"type":"float32","order":"","value":1.5},)"
                   R"({"table":"coil","address":9,"type":"bool","order":"","value":true}]})");
  const std::uint16_t port = test::free_port();
  const test::Process server({"/usr/bin/python3", test::source_directory() + "/tests/brokers/modbus/holder.py",
                              std::to_string(port), spec, "rtu"});
  RunningSource source(
      "sources: { field: { modbus: { url: 'rtu+tcp://127.0.0.1:" + std::to_string(port) +
      "', timeout: 300 ms, devices: { there: { unit_id: 3, every: 50 ms, points: { a: { holding: 10, type: int32, "
      "order: CDAB }, b: { input: 3, type: float32 }, c: { coil: 9 } } }, gone: { unit_id: 4, every: 100 ms, points: { "
      "a: { holding: 0, type: int16 } } } } } } }");
  const auto reading = source.first("there", std::chrono::seconds{30});
  REQUIRE_MESSAGE(reading, server.output());
  CHECK(to_json(reading->value) == R"({"a":-5,"b":1.5,"c":true})");
  REQUIRE(test::eventually(std::chrono::seconds{20}, [&] { return source.link.devices_down() == 1; }));
  source.intake.clear();
  CHECK(source.first("there"));
  CHECK_FALSE(source.first("gone", test::milliseconds{0}));
}

}  // namespace
}  // namespace railhead::modbus
