// `railhead simulate`, read and written by mbpoll (libmodbus): Modbus TCP, and RTU at a pseudo-terminal.
#include <doctest/doctest.h>

#include <thread>

#include "adapters/modbus/modbus.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/system/clock.h"
#include "tests/support/process.h"

namespace railhead::modbus {
namespace {

using std::chrono::seconds;

TEST_CASE("mbpoll reads and writes what the simulator plays, over TCP and over a serial line") {
  const std::uint16_t port = test::free_port();
  for (const bool serial : {false, true}) {
    CAPTURE(serial);
    config::Diagnostics diagnostics;
    const config::Document document = config::Document::parse(
        "url: '" + (serial ? std::string("rtu:///dev/ttyS0?baud=19200") : "tcp://127.0.0.1:" + std::to_string(port)) +
            "'\ndevices: { d: { unit_id: 5, points: { a: { holding: 10, type: uint16 }, f: { holding: 12, type: "
            "float32, "
            "unit: V }, c: { coil: 3 }, i: { input: 7, type: int16 }, x: { discrete: 2 } } } }\n",
        "test.yaml", diagnostics);
    const auto plan = source_kind().read(document.root(), config::Node(), diagnostics);
    REQUIRE_MESSAGE(diagnostics.error_count() == 0, diagnostics.render());
    const system::SystemClock clock;
    const auto simulation = plan->simulate({.source = "s", .listen = "127.0.0.1", .fields = {}, .faults = {}}, clock);
    const auto lines = simulation->open();
    REQUIRE_MESSAGE(lines, lines.error().what);
    const std::jthread thread([&](std::stop_token stop) { simulation->run(std::move(stop)); });
    const std::string& line = lines->front();  // "... -> rtu:///dev/pts/3, 1 device", "... -> 127.0.0.1:1502, ..."
    const std::size_t arrow = line.find(" -> ") + 4;
    std::string place = line.substr(arrow, line.find(',', arrow) - arrow);
    place = place.substr(place.find("://") == std::string::npos ? 0 : place.find("://") + 3);
    std::vector<std::string> base{"mbpoll", "-a", "5", "-1", "-0", "-o", "2"};
    if (serial) {
      base.insert(base.end(), {"-m", "rtu", "-b", "19200", "-P", "even", place});
    } else {
      base.insert(base.end(), {"-m", "tcp", "-p", place.substr(place.rfind(':') + 1), "127.0.0.1"});
    }
    const auto mbpoll = [&](const std::string& table, const std::string& address,
                            const std::vector<std::string>& values = {}) {
      std::vector<std::string> command = base;
      command.insert(command.begin() + 1, {"-t", table, "-r", address});
      command.insert(command.end(), values.begin(), values.end());
      const test::Ran ran = test::run(command, seconds{20});
      CHECK_MESSAGE(ran.status == 0, ran.output);
      return ran.output;
    };
    CHECK(mbpoll("4:float", "12").find("[12]:") != std::string::npos);
    CHECK(mbpoll("3", "7").find("[7]:") != std::string::npos);
    CHECK(mbpoll("1", "2").find("[2]:") != std::string::npos);
    CHECK(mbpoll("4", "10", {"4711"}).find("Written 1 references") != std::string::npos);
    CHECK(mbpoll("4", "10").find("4711") != std::string::npos);
    CHECK(mbpoll("0", "3", {"1"}).find("Written 1 references") != std::string::npos);
    CHECK(mbpoll("0", "3").find("\t1") != std::string::npos);
    CHECK(mbpoll("4", "10", {"1", "2"}).find("Written 2 references") != std::string::npos);
  }
}

}  // namespace
}  // namespace railhead::modbus
