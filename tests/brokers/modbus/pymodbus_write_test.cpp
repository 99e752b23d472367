// What is written is what an independent server (pymodbus) then holds, by every writing function.
#include <doctest/doctest.h>

#include <future>

#include "gateway/message/json.h"
#include "tests/brokers/modbus/running_source.h"
#include "tests/support/places.h"

namespace railhead::modbus {
namespace {

using namespace std::chrono_literals;

ports::CommandOutcome carry_out(RunningSource& source, std::vector<std::pair<std::string, Value>> values) {
  std::promise<ports::CommandOutcome> promise;
  std::future<ports::CommandOutcome> outcome = promise.get_future();
  const system::SystemClock clock;
  REQUIRE(source.desk.submit(
      "field", {.device = "all",
                .values = std::move(values),
                .expires = clock.boot_now() + 20s,
                .verify = true,
                .done = [&promise](ports::CommandOutcome result) { promise.set_value(std::move(result)); }}));
  REQUIRE(outcome.wait_for(25s) == std::future_status::ready);
  return outcome.get();
}

}  // namespace

TEST_CASE("pymodbus holds what was written, by functions 5, 6, 15, 16, 22 and 23, and reads back the same") {
  const test::TemporaryDirectory directory;
  const std::string spec = directory.write(
      "spec.json", "{\"points\":[{\"table\":\"holding\",\"address\":60,\"type\":\"uint16\",\"value\":4660}]}");
  const std::uint16_t port = test::free_port();
  const test::Process server(
      {"/usr/bin/python3", test::source_directory() + "/tests/brokers/modbus/holder.py", std::to_string(port), spec});
  RunningSource source(
      "sources:\n  field:\n    modbus:\n      url: tcp://127.0.0.1:" + std::to_string(port) +
      "\n      timeout: 3 s\n      devices:\n        all:\n          unit_id: 3\n          every: 200 ms\n"
      "          points:\n"
      "            coil: { coil: 4, write: {} }\n"
      "            coil_a: { coil: 8, write: {} }\n"
      "            coil_b: { coil: 9, write: {} }\n"
      "            single: { holding: 50, type: int16, scale: 0.1, write: {} }\n"
      "            wide: { holding: 52, type: float32, order: CDAB, write: {} }\n"
      "            long: { holding: 54, type: int64, write: {} }\n"
      "            field: { holding: 60, bits: 4..7, write: {} }\n"
      "            rest: { holding: 60, bits: 8..15 }\n"
      "            both: { holding: 62, type: uint32, order: BADC, write: { function: read_write } }\n"
      "            name: { holding: 70, type: string, length: 6, write: {} }\n");
  REQUIRE_MESSAGE(source.first("all", 30s), server.output());
  using Values = std::vector<std::pair<std::string, Value>>;
  const Values written[] = {
      {{"coil", Value::boolean(true)}},                                        // 5
      {{"coil_a", Value::boolean(true)}, {"coil_b", Value::boolean(true)}},    // 15
      {{"single", Value::real(-21.5)}},                                        // 6
      {{"wide", Value::real(2.5)}, {"long", Value::integer(-5'000'000'000)}},  // 16
      {{"field", Value::integer(9)}},                                          // 22
      {{"both", Value::integer(305419896)}},                                   // 23
      {{"name", Value::text("hall 7")}},
  };
  for (const Values& values : written) {
    CAPTURE(values[0].first);
    const ports::CommandOutcome outcome = carry_out(source, values);
    CHECK(outcome.why == "");
    CHECK(outcome.result == ports::CommandOutcome::Result::done);
    for (const auto& [name, value] : values) {
      const Value* back = outcome.read_back.find(name);
      REQUIRE(back != nullptr);
      CHECK(to_json(*back) == to_json(value));
    }
  }
  // The polls see it too, and the neighbouring bits are as they were.
  CHECK(test::eventually(20s, [&] {
    const std::vector<Reading> readings = source.intake.readings();
    if (readings.empty()) return false;
    const Value& last = readings.back().value;
    return last.find("name") != nullptr && *last.find("name") == Value::text("hall 7") &&
           *last.find("field") == Value::integer(9) && *last.find("rest") == Value::integer(0x12) &&
           *last.find("long") == Value::integer(-5'000'000'000);
  }));
}

}  // namespace railhead::modbus
