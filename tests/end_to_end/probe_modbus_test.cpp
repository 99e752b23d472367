// `railhead probe modbus` as it is typed, against a pymodbus server that holds known values, and on a serial line that
// `railhead simulate` plays.
#include <doctest/doctest.h>

#include "tests/support/places.h"
#include "tests/support/process.h"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

const std::string kProgram = test::build_directory() + "/railhead";

Ran probe(const std::string& url, const std::vector<std::string>& arguments, const std::string& timeout = "5 s") {
  std::vector<std::string> argv{kProgram, "probe", "modbus", url, "--pause", "0 ms", "--timeout", timeout};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run(argv, 30s);
}

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

}  // namespace

TEST_CASE("probe modbus finds type, byte order, scale, off by one, table and unit of a device, and a line to paste") {
  const TemporaryDirectory directory;
  const std::string spec = directory.write(
      "spec.json", R"({"points":[{"table":"holding","address":30,"type":"float32","order":"CDAB","value":229.5},)"
                   R"({"table":"holding","address":50,"type":"int16","value":-1234},)"
                   R"({"table":"input","address":70,"type":"uint32","order":"DCBA","value":4711000},)"
                   R"({"table":"holding","address":90,"type":"uint64","order":"GHEFCDAB","value":9007199254740993},)"
                   R"({"table":"coil","address":5,"value":1}]})");
  const std::string port = std::to_string(free_port());
  Process device({"/usr/bin/python3", source_directory() + "/tests/brokers/modbus/holder.py", port, spec});
  const std::string url = "tcp://127.0.0.1:" + port;
  Ran units;
  // Python takes its time.
  REQUIRE(eventually(30s, [&] {
    units = probe(url, {"--units", "2-4"}, "300 ms");
    return units.status == 0;
  }));
  CHECK(has(units.output, "unit   3  answers"));
  CHECK_FALSE(has(units.output, "unit   2  answers"));
  CHECK_FALSE(has(units.output, "unit   4  answers"));

  struct Row {
    std::vector<std::string> arguments;
    std::string line;  // of the configuration
  };
  for (const Row& row :
       {Row{{"--holding", "30", "--expect", "229.5"}, "value: { holding: 30, type: float32, order: CDAB }"},
        Row{{"--holding", "31", "--expect", "229.5"}, "value: { holding: 30, type: float32, order: CDAB }"},
        Row{{"--holding", "50", "--expect", "-123.4"}, "value: { holding: 50, type: int16, scale: 0.1 }"},
        Row{{"--holding", "70", "--expect", "4711"}, "value: { input: 70, type: uint32, order: DCBA, scale: 0.001 }"},
        Row{{"--holding", "90", "--expect", "9007199254740993"},
            "value: { holding: 90, type: uint64, order: GHEFCDAB }"}}) {
    std::vector<std::string> arguments{"--unit", "3"};
    arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
    const Ran ran = probe(url, arguments);
    CAPTURE(ran.output);
    CHECK(ran.status == 0);
    CHECK(has(ran.output, "\npoints:\n  " + row.line));
    // Counted from 1 by the manual: said so.
    CHECK(has(ran.output, "`addressing: one`") == (row.arguments[1] == "31"));
    const std::string configuration =
        directory.write("c.yaml", "version: 1\ngateway: g\nspool: { path: " + directory.path() +
                                      "/spool }\nsources: { s: { modbus: { url: '" + url +
                                      "', devices: { d: { points: { " + row.line + " } } } } } }\n");
    CHECK(run({kProgram, "check", "-c", configuration}, 30s).status == 0);
  }

  const Ran scan = probe(url, {"--unit", "3", "--holding", "48", "--count", "4"});
  CHECK(scan.status == 0);
  CHECK(has(scan.output, "holding: 4 of the addresses answer, 1 request\n     48:     0     0 64302     0\n"));
  const Ran coils = probe(url, {"--unit", "3", "--coil", "4", "--count", "3"});
  CHECK(has(coils.output, "      4: 0 1 0\n"));

  const Ran none = probe(url, {"--unit", "3", "--holding", "30", "--expect", "77.125"});
  CHECK(none.status == 2);
  CHECK(has(none.output, "nothing near this address gives 77.125"));
  CHECK(probe(url, {"--holding", "70000"}).status == 1);
  CHECK(probe(url, {"--expect", "230"}).status == 1);
  CHECK(probe("tcp://", {"--holding", "1"}).status == 1);
  CHECK(device.terminate(10s).has_value());
  const Ran gone = probe(url, {"--unit", "3", "--holding", "30", "--expect", "229.5"});
  CHECK(gone.status == 2);
  CHECK(has(gone.output, "127.0.0.1:" + port));
}

TEST_CASE("probe modbus tells which units of a serial line are there") {
  const TemporaryDirectory directory;
  const std::string configuration = directory.write(
      "c.yaml",
      "version: 1\ngateway: g\nsources: { s: { modbus: { url: 'rtu:///dev/ttyS9?baud=115200', devices: {\n"
      "  a: { unit_id: 2, points: { p: { holding: 3, type: int16 } } }, b: { unit_id: 4, points: { p: { holding: 3, "
      "type: int16 } } } } } } }\n");
  Process line({kProgram, "simulate", "-c", configuration, "--listen", "127.0.0.1"});
  REQUIRE(line.wait_for("ready", 20s));
  const std::string told = line.output();
  const std::size_t at = told.find("-> rtu://") + 3;
  const std::string url = told.substr(at, told.find(',', at) - at) + "?baud=115200";
  const Ran units =
      run({kProgram, "probe", "modbus", url, "--units", "1-4", "--holding", "3", "--timeout", "200 ms"}, 30s);
  CAPTURE(units.output);
  CHECK(units.status == 0);
  for (const std::string unit : {"1", "2", "3", "4"}) {
    CHECK(has(units.output, "unit   " + unit + "  answers") == (unit == "2" || unit == "4"));
  }
  CHECK(line.terminate(20s) == 0);
}
