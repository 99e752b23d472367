// The gateway tells of itself by its own rules (S25).
#include <doctest/doctest.h>

#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "tests/end_to_end/gateway_process.h"
#include "tests/support/places.h"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

TEST_CASE("an alarm about the box is a rule: a device that dies, counters and the ledger of the source railhead") {
  const TemporaryDirectory directory;
  Process meter({test::build_directory() + "/demo/meter", "0"});
  REQUIRE(meter.wait_for("ready ", 10s));
  const std::string output = meter.output();
  const std::string port(base::trim(std::string_view(output).substr(output.find("ready ") + 6)));
  GatewayProcess gateway(
      directory,
      "version: 1\n"
      "gateway: box\n"
      "spool: { path: " +
          directory.path() +
          "/spool, limit: 32 MiB, keep_free: 1 MiB }\n"
          "own_readings: { counters: 1 s }\n"
          "sources:\n"
          "  energy:\n"
          "    modbus:\n"
          "      url: tcp://127.0.0.1:" +
          port +
          "\n"
          "      failures: 1\n"
          "      devices: { meter-1: { every: 100 ms, points: { volts: { input: 0, type: float32 } } } }\n"
          "rules:\n"
          "  - name: box\n"
          "    from: { source: railhead }\n"
          "    send: { to: out, body: value }\n"
          "sinks:\n"
          "  out: { file: { path: " +
          directory.path() + "/out.jsonl } }\n");
  gateway.start();
  const auto told = [&](const std::string& what) {
    return eventually(20s, [&] { return read_file(directory.path() + "/out.jsonl").find(what) != std::string::npos; });
  };
  CHECK(told(R"("event":"spool_opened")"));
  CHECK(told(R"("event":"started")"));
  CHECK(told(R"("event":"counters")"));
  meter.kill9();
  CHECK(told(R"("event":"device_down","level":"warning")"));
  CHECK(told(R"("event":"health_changed")"));
  const std::optional<Value> status = gateway.status();
  REQUIRE(status);
  CHECK(*status->find("readings")->find("adds_up") == Value::boolean(true));
  CHECK(gateway.terminate(20s) == 0);
}
