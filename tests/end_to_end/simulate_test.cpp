// `railhead simulate` plays the field of a configuration, `railhead run` with the same configuration reads it.
#include <doctest/doctest.h>
#include <signal.h>

#include "gateway/base/text.h"
#include "tests/end_to_end/gateway_process.h"
#include "tests/support/mosquitto.h"
#include "tests/support/places.h"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {
const std::string kProgram = test::build_directory() + "/railhead";
}

TEST_CASE("a gateway reads the simulator end to end: Modbus devices and MQTT topics of the same configuration") {
  const TemporaryDirectory directory;
  const Mosquitto mosquitto;
  const std::string port = std::to_string(free_port());
  const std::string configuration =
      "version: 1\n"
      "gateway: box\n"
      "spool: { path: " +
      directory.path() +
      "/spool, limit: 32 MiB, keep_free: 1 MiB }\n"
      "sources:\n"
      "  energy:\n"
      "    modbus:\n"
      "      url: tcp://127.0.0.1:" +
      port +
      "\n"
      "      devices:\n"
      "        meter-1: { model: sdm630, unit_id: 1, every: 100 ms }\n"
      "        meter-2: { model: sdm630, unit_id: 2, every: 100 ms }\n"
      "  sensors:\n"
      "    mqtt:\n"
      "      url: " +
      mosquitto.url() +
      "\n"
      "      client_id: sim-test\n"
      "      subscribe: [ { topic: \"plant/{device}/climate\", qos: 1, payload: json } ]\n"
      "models: { sdm630: { file: " +
      test::source_directory() +
      "/firmware-config/devices/eastron-sdm630.yaml } }\n"
      "rules:\n"
      "  - name: volts\n"
      "    from: { source: energy }\n"
      "    when: has(value.voltage_l1) && value.voltage_l1 > 220.0 && value.voltage_l1 < 240.0\n"
      "    send: { to: out, key: \"${device}\", body: { volts: value.voltage_l1 } }\n"
      "  - name: climate\n"
      "    from: { source: sensors }\n"
      "    when: value.temperature > 0.0\n"
      "    send: { to: out, key: \"${device}\", body: { t: value.temperature, h: value.room.humidity } }\n"
      "sinks:\n"
      "  out: { file: { path: " +
      directory.path() + "/out.jsonl } }\n";
  const std::string path = directory.write("field.yaml", configuration);
  const std::string faults =
      directory.write("faults.yaml", "faults: [ { device: meter-2, table: input, addresses: 0..1, exception: 2 } ]\n");
  Process field({kProgram, "simulate", "-c", path, "--every", "100 ms", "--fault", faults});
  REQUIRE(field.wait_for("ready", 20s));
  CHECK(field.output().find("energy: tcp://127.0.0.1:" + port + " -> tcp://127.0.0.1:" + port + ", 2 devices") !=
        std::string::npos);
  CHECK(field.output().find("plant/sim-1/climate") != std::string::npos);
  GatewayProcess gateway(directory, configuration);
  gateway.start();
  const auto arrived = [&](const std::string& what) {
    return eventually(20s, [&] { return read_file(directory.path() + "/out.jsonl").find(what) != std::string::npos; });
  };
  CHECK(arrived(R"("key":"meter-1")"));
  CHECK(arrived(R"("key":"sim-1")"));
  CHECK(arrived(R"("key":"sim-3")"));
  CHECK(eventually(10s, [&] { return gateway.log().find("request_refused") != std::string::npos; }));
  CHECK(read_file(directory.path() + "/out.jsonl").find(R"("key":"meter-2")") == std::string::npos);
  CHECK(gateway.terminate(20s) == 0);
  CHECK(field.terminate(20s) == 0);
  CHECK(field.output().find("answered and published: ") != std::string::npos);
}

TEST_CASE("simulate says where it serves, and what is wrong with its arguments") {
  const TemporaryDirectory directory;
  const std::string path =
      directory.write("a.yaml",
                      "version: 1\ngateway: g\nsources: { s: { modbus: { url: \"tcp://192.0.2.1:502\", "
                      "devices: { d: { points: { p: { holding: 3, type: int16 } } } } } } }\n");
  const Ran served = run({kProgram, "simulate", "-c", path, "--listen", "127.0.0.1", "--for", "100 ms"}, 20s);
  CHECK(served.status == 0);
  CHECK(served.output.find("s: tcp://192.0.2.1:502 -> tcp://127.0.0.1:") != std::string::npos);
  const Ran elsewhere = run({kProgram, "simulate", "-c", path, "--for", "100 ms"}, 20s);
  CHECK(elsewhere.status == 2);
  CHECK(elsewhere.output.find("try --listen 127.0.0.1") != std::string::npos);
  const std::string faults =
      directory.write("f.yaml", "faults: [ { device: d }, { silent: true, addresses: 9..3 } ]\n");
  const Ran wrong = run({kProgram, "simulate", "-c", path, "--fault", faults, "--for", "100 ms"}, 20s);
  CHECK(wrong.status == 1);
  CHECK(wrong.output.find("exactly one of") != std::string::npos);
  CHECK(wrong.output.find("expected an address or a range") != std::string::npos);
  CHECK(run({kProgram, "simulate", "--help"}).output.find("Example:") != std::string::npos);
}
