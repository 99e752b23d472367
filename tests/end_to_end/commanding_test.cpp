// Commands from an MQTT topic to a device, through rules, the spool and the Modbus sink; and a kill -9 in between.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/end_to_end/gateway_process.h"
#include "tests/support/mosquitto.h"
#include "tests/support/places.h"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

const std::string kProgram = test::build_directory() + "/railhead";

struct Plant {
  Plant() : port(std::to_string(free_port())) {
    configuration =
        "version: 1\n"
        "gateway: box\n"
        "spool: { path: " +
        directory.path() +
        "/spool, limit: 32 MiB, keep_free: 1 MiB }\n"
        "sources:\n"
        "  boiler-house:\n"
        "    modbus:\n"
        "      url: tcp://127.0.0.1:" +
        port +
        "\n"
        "      devices:\n"
        "        boiler:\n"
        "          every: 100 ms\n"
        "          points:\n"
        "            setpoint: { holding: 50, type: int16, scale: 0.1, write: { min: 10, max: 90, verify: true } }\n"
        "  orders:\n"
        "    mqtt: { url: " +
        mosquitto.url() +
        ", client_id: orders, subscribe: [ { topic: \"orders/{device}\", qos: 1, payload: json } ] }\n"
        "rules:\n"
        "  - name: orders\n"
        "    from: { source: orders }\n"
        "    send: { to: commands, body: { device: device, point: '\"setpoint\"', value: value.setpoint, correlation: "
        "value.id } }\n"
        "  - name: outcomes\n"
        "    from: { source: railhead }\n"
        "    when: value.event.startsWith(\"modbus_command_\")\n"
        "    send: { to: out, body: { id: value.correlation, result: value.result, why: value.reason } }\n"
        "  - name: values\n"
        "    from: { source: boiler-house }\n"
        "    when: value.setpoint == 21.5\n"
        "    send: { to: out, body: { read: value.setpoint } }\n"
        "sinks:\n"
        "  commands: { modbus: { source: boiler-house } }\n"
        "  out: { file: { path: " +
        directory.path() + "/out.jsonl } }\n";
    path = directory.write("field.yaml", configuration);
  }
  void order(const std::string& id, double setpoint) {
    const Ran sent =
        run({"mosquitto_pub", "-h", "127.0.0.1", "-p", std::to_string(mosquitto.port()), "-q", "1", "-t",
             "orders/boiler", "-m", "{\"id\":\"" + id + "\",\"setpoint\":" + std::to_string(setpoint) + "}"});
    REQUIRE(sent.status == 0);
  }
  std::string out() const { return read_file(directory.path() + "/out.jsonl"); }
  bool says(const std::string& what) const {
    return eventually(20s, [&] { return out().find(what) != std::string::npos; });
  }

  TemporaryDirectory directory;
  Mosquitto mosquitto;
  std::string port;
  std::string configuration;
  std::string path;
};

}  // namespace

TEST_CASE("a command from MQTT is written, read back, and its outcome is a reading with the correlation") {
  Plant plant;
  Process field({kProgram, "simulate", "-c", plant.path, "--every", "1 h"});
  REQUIRE(field.wait_for("ready", 20s));
  GatewayProcess gateway(plant.directory, plant.configuration);
  gateway.start();
  REQUIRE(
      eventually(10s, [&] { return gateway.log().find("source_connected source=boiler-house") != std::string::npos; }));
  REQUIRE(eventually(10s, [&] { return gateway.log().find("source_connected source=orders") != std::string::npos; }));
  plant.order("a", 21.5);
  CHECK(plant.says(R"({"id":"a","result":"done","why":""})"));
  CHECK(plant.says(R"({"read":21.5})"));
  plant.order("b", 95);
  CHECK(plant.says(R"("id":"b","result":"refused")"));
  CHECK(gateway.terminate(20s) == 0);
}

TEST_CASE("kill -9 after a command was begun: the next start says unknown and does not send it") {
  Plant plant;
  GatewayProcess gateway(plant.directory, plant.configuration);
  gateway.start();
  REQUIRE(eventually(10s, [&] { return gateway.log().find("source_connected source=orders") != std::string::npos; }));
  // Nobody listens at the device's address yet: the command waits for its link, begun and not sent.
  plant.order("a", 21.5);
  REQUIRE(eventually(10s, [&] {
    const Ran dump = run({kProgram, "spool", "dump", gateway.spool()});
    return dump.output.find("setpoint") != std::string::npos;
  }));
  REQUIRE(!eventually(500ms, [&] { return !gateway.process().running(); }));
  gateway.kill9();
  Process field({kProgram, "simulate", "-c", plant.path, "--every", "1 h"});
  REQUIRE(field.wait_for("ready", 20s));
  gateway.start();
  CHECK(plant.says(R"("id":"a","result":"unknown")"));
  REQUIRE(
      eventually(10s, [&] { return gateway.log().find("source_connected source=boiler-house") != std::string::npos; }));
  CHECK(!eventually(1s, [&] { return plant.out().find(R"("read":21.5)") != std::string::npos; }));
  // What is given now is done.
  plant.order("b", 21.5);
  CHECK(plant.says(R"({"id":"b","result":"done","why":""})"));
  CHECK(gateway.terminate(20s) == 0);
}
