// The program from outside, without brokers: a Modbus meter in, a file out.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "tests/end_to_end/gateway_process.h"
#include "tests/support/mosquitto.h"
#include "tests/support/places.h"

using namespace railhead;
using namespace railhead::test;
using namespace std::chrono_literals;

namespace {

const std::string kProgram = test::build_directory() + "/railhead";

// A real meter's register map behind a real server, records into a file.
struct Box {
  Box() : meter({test::build_directory() + "/demo/meter", "0"}) {
    REQUIRE(meter.wait_for("ready ", 10s));
    const std::string output = meter.output();
    port = std::string(base::trim(std::string_view(output).substr(output.find("ready ") + 6)));
  }
  std::string configuration(const std::string& more = "") const {
    return "version: 1\n"
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
           "models: { sdm630: { file: " +
           test::source_directory() +
           "/firmware-config/devices/eastron-sdm630.yaml } }\n"
           "rules:\n"
           "  - name: all\n"
           "    from: { source: energy }\n"
           "    when: has(value.voltage_l1)\n"
           "    send: { to: out, topic: t, body: { volts: value.voltage_l1 } }\n"
           "sinks:\n"
           "  out: { file: { path: " +
           directory.path() + "/out.jsonl } }\n" + more;
  }
  std::size_t lines() const {
    const std::string text = read_file(directory.path() + "/out.jsonl");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  TemporaryDirectory directory;
  Process meter;
  std::string port;
};

std::uint64_t field_of(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    if (word != name) continue;
    std::uint64_t value = 0;
    file >> value;
    return value;
  }
  return 0;
}

}  // namespace

TEST_CASE(
    "a meter's values reach the file, the ledgers equal what the file and the spool hold, SIGTERM ends in order") {
  const Box box;
  GatewayProcess gateway(box.directory, box.configuration());
  gateway.start();
  REQUIRE(eventually(20s, [&] { return box.lines() >= 10; }));
  const Ran status = gateway.command({"status"});
  CHECK(status.status == 0);
  CHECK(status.output.find("(adds up)") != std::string::npos);
  CHECK(status.output.find("does not add up") == std::string::npos);
  CHECK(gateway.command({"health"}).status <= 1);
  CHECK(gateway.terminate(20s) == 0);

  JsonParser parser;
  std::size_t plausible = 0;
  const std::string text = read_file(box.directory.path() + "/out.jsonl");
  for (const std::string_view line : base::split(base::trim(text), '\n')) {
    const Result<Value> record = parser.parse(line);
    REQUIRE(record);
    const double volts = record->find("body")->find("volts")->to_real();
    if (volts > 200 && volts < 260) ++plausible;
  }
  CHECK(plausible == box.lines());
  // Nothing is owed after an orderly stop, and the spool is whole.
  CHECK(run({kProgram, "spool", "verify", gateway.spool()}).status == 0);
  const Ran dump = run({kProgram, "spool", "dump", gateway.spool()});
  CHECK(dump.status == 0);
  CHECK(dump.output.find("\"sink\":\"out\"") == std::string::npos);
}

TEST_CASE("what was read before a kill -9 is delivered by the next start, and the ledgers go on") {
  const Box box;
  GatewayProcess gateway(box.directory, box.configuration());
  gateway.start();
  REQUIRE(eventually(20s, [&] { return box.lines() >= 5; }));
  gateway.kill9();
  const std::size_t before = box.lines();
  gateway.start();
  REQUIRE(eventually(20s, [&] { return box.lines() >= before + 5; }));
  CHECK(eventually(20s, [&] {
    const std::optional<Value> status = gateway.status();
    return status && *status->find("readings")->find("adds_up") == Value::boolean(true) &&
           number_at(*status, {"lanes", "0", "records", "delivered"}) >= static_cast<std::int64_t>(before);
  }));
  CHECK(gateway.terminate(20s) == 0);
}

TEST_CASE("a second gateway on the same spool is refused with a clear message") {
  const Box box;
  GatewayProcess gateway(box.directory, box.configuration());
  gateway.start();
  const Ran second =
      run({kProgram, "run", "-c", gateway.config_path(), "--socket", box.directory.path() + "/second.sock"}, 20s);
  CHECK(second.status == 2);
  CHECK(second.output.find("another process") != std::string::npos);
  CHECK(gateway.status());
}

TEST_CASE("a configuration with mistakes does not start, a missing one says so; exit status 1") {
  const Box box;
  const std::string wrong = box.directory.write("wrong.yaml", box.configuration("sinkz: 1\n"));
  const Ran ran = run({kProgram, "run", "-c", wrong}, 20s);
  CHECK(ran.status == 1);
  CHECK(ran.output.find("unknown field 'sinkz'") != std::string::npos);
  CHECK(run({kProgram, "check", "-c", box.directory.path() + "/none.yaml"}).status == 1);
  const Ran unnamed = run({kProgram, "check", wrong});
  CHECK(unnamed.status == 1);
  CHECK(unnamed.output.find(wrong) != std::string::npos);
  CHECK(run({kProgram, "no-such-command"}).status == 1);
  CHECK(run({kProgram, "--help"}).status == 0);
}

TEST_CASE("a reload is applied whole or refused whole, and loses nothing") {
  const Box box;
  GatewayProcess gateway(box.directory, box.configuration());
  gateway.start();
  REQUIRE(eventually(20s, [&] { return box.lines() >= 3; }));

  box.directory.write("railhead.yaml", box.configuration("sinkz: 1\n"));
  const Ran refused = gateway.command({"reload"});
  CHECK(refused.status == 1);
  CHECK(refused.output.find("unknown field 'sinkz'") != std::string::npos);
  gateway.process().signal(SIGHUP);
  CHECK(eventually(10s, [&] {
    const std::optional<Value> status = gateway.status();
    return status && *status->find("config_refused") == Value::boolean(true);
  }));
  const std::size_t before = box.lines();
  CHECK(eventually(10s, [&] { return box.lines() > before + 3; }));

  std::string changed = box.configuration();
  changed.replace(changed.find("volts:"), 6, "spannung:");
  box.directory.write("railhead.yaml", changed);
  CHECK(gateway.command({"reload"}).status == 0);
  CHECK(eventually(
      20s, [&] { return read_file(box.directory.path() + "/out.jsonl").find("spannung") != std::string::npos; }));
  const std::optional<Value> status = gateway.status();
  REQUIRE(status);
  CHECK(*status->find("config_refused") == Value::boolean(false));
  CHECK(*status->find("readings")->find("adds_up") == Value::boolean(true));
  CHECK(number_at(*status, {"readings", "in"}) >= static_cast<std::int64_t>(box.lines()));
  CHECK(gateway.terminate(20s) == 0);
}

TEST_CASE("a reload that finds a bad key is refused, and connections go on; a start with it is not prevented") {
  Mosquitto::Options secured;
  secured.tls = true;
  secured.client_certificate = true;
  const Mosquitto mosquitto(secured);
  const TemporaryDirectory directory;
  const auto put = [&](const std::string& name) { directory.write(name, read_file(mosquitto.file(name))); };
  for (const std::string name : {"ca.pem", "client.pem", "client.key"}) put(name);
  const std::string tls =
      "url: \"" + mosquitto.tls_url() + "\", tls: { ca: ca.pem, cert: client.pem, key: client.key }";
  GatewayProcess gateway(directory, "version: 1\ngateway: box\nspool: { path: " + directory.path() +
                                        "/spool, limit: 32 MiB, keep_free: 1 MiB }\n"
                                        "sources: { s: { mqtt: { " +
                                        tls +
                                        ", subscribe: [ { topic: a } ] } } }\n"
                                        "sinks: { up: { mqtt: { " +
                                        tls +
                                        " } } }\n"
                                        "rules: [ { name: all, send: { to: up, topic: b } } ]\n");
  const auto state = [&](const std::string& wanted) {
    return eventually(20s, [&] {
      const std::optional<Value> status = gateway.status();
      return status && *status->find("sources")->as_list()[0].find("state") == Value::text(wanted);
    });
  };
  gateway.start();
  REQUIRE(state("up"));
  REQUIRE(eventually(20s, [&] { return gateway.log().find("sink_connected") != std::string::npos; }));
  for (const bool is_there : {true, false}) {
    directory.write("client.key", "garbage");
    if (!is_there) std::filesystem::remove(directory.path() + "/client.key");
    const Ran refused = gateway.command({"reload"});
    CHECK(refused.status == 1);
    CHECK_MESSAGE(
        refused.output.find(is_there ? "client.key': " : "there is no file 'client.key'") != std::string::npos,
        refused.output);
    const Ran checked = run({kProgram, "check", "-c", gateway.config_path()});
    CHECK_MESSAGE(checked.status == (is_there ? 1 : 0), checked.output);
  }
  put("client.key");
  CHECK(gateway.command({"reload"}).status == 0);
  REQUIRE(state("up"));
  CHECK(gateway.log().find("source_lost") == std::string::npos);
  CHECK(gateway.log().find("sink_lost") == std::string::npos);
  CHECK(gateway.terminate(20s) == 0);

  directory.write("client.key", "garbage");
  gateway.start();
  // What a start took as it was is in nobody's way.
  CHECK(gateway.command({"reload"}).status == 0);
  CHECK(gateway.terminate(20s) == 0);
}

TEST_CASE("a configuration broken after a good run: the last good one starts in its place and says so") {
  const Box box;
  // In several files, one of them a table: the copy holds them all.
  box.directory.write("assets.csv", "device,owner\nmeter-1,hall\n");
  const std::string good = box.configuration(
      "include: more.yaml\n"
      "tables: { assets: { file: assets.csv, key: device } }\n");
  const std::string more =
      "rules:\n  - { name: owners, from: { source: energy }, "
      "send: { to: out, topic: o, body: { owner: \"tables.assets[device].owner\" } } }\n";
  box.directory.write("more.yaml", more);
  GatewayProcess gateway(box.directory, good);
  gateway.start();
  const auto owners = [&] {
    const std::string text = read_file(box.directory.path() + "/out.jsonl");
    std::size_t count = 0;
    for (std::size_t at = text.find("\"owner\":\"hall\""); at != std::string::npos; at = text.find("\"owner\"", at + 1))
      ++count;
    return count;
  };
  REQUIRE(eventually(20s, [&] { return owners() > 0; }));
  CHECK(gateway.terminate(20s) == 0);

  box.directory.write("more.yaml", "rules:\n  - { name: owners, ");
  std::filesystem::remove(box.directory.path() + "/assets.csv");
  const std::size_t before = owners();
  gateway.start();
  CHECK(eventually(20s, [&] { return owners() > before; }));
  const std::optional<Value> status = gateway.status();
  REQUIRE(status);
  CHECK(*status->find("config_refused") == Value::boolean(true));
  CHECK(status->find("config_diagnostics")->as_text().find("more.yaml:2") != std::string_view::npos);
  CHECK(gateway.command({"health"}).status == 1);
  CHECK(gateway.log().find("config_last_good") != std::string::npos);

  // Mended: a reload takes the files again.
  box.directory.write("more.yaml", more);
  box.directory.write("assets.csv", "device,owner\nmeter-1,mended\n");
  CHECK(gateway.command({"reload"}).status == 0);
  CHECK(eventually(20s,
                   [&] { return read_file(box.directory.path() + "/out.jsonl").find("mended") != std::string::npos; }));
  CHECK(*gateway.status()->find("config_refused") == Value::boolean(false));
  CHECK(gateway.terminate(20s) == 0);

  // What a power cut leaves of an edit: nothing says where the spool lies.
  for (const bool is_there : {true, false}) {
    box.directory.write("railhead.yaml", "");
    if (!is_there) std::filesystem::remove(box.directory.path() + "/railhead.yaml");
    const std::size_t lines = box.lines();
    gateway.start();
    CHECK(eventually(20s, [&] { return box.lines() > lines; }));
    CHECK(gateway.terminate(20s) == 0);
  }
}

TEST_CASE("reload: watch takes a changed file by itself, refuses a broken one and takes the mended one") {
  const Box box;
  GatewayProcess gateway(box.directory, box.configuration("reload: { watch: true }\n"));
  gateway.start();
  REQUIRE(eventually(20s, [&] { return box.lines() >= 1; }));
  std::string changed = box.configuration("reload: { watch: true }\n");
  changed.replace(changed.find("volts:"), 6, "spannung:");
  box.directory.write("railhead.yaml", changed + "sinkz: 1\n");
  CHECK(eventually(20s, [&] {
    const std::optional<Value> status = gateway.status();
    return status && *status->find("config_refused") == Value::boolean(true);
  }));
  box.directory.write("railhead.yaml", changed);
  CHECK(eventually(
      20s, [&] { return read_file(box.directory.path() + "/out.jsonl").find("spannung") != std::string::npos; }));
  CHECK(gateway.terminate(20s) == 0);
}

TEST_CASE("a table is watched: its new version is taken without a reload, a bad one is refused and told") {
  const Box box;
  const std::string path = box.directory.path() + "/assets.csv";
  box.directory.write("assets.csv", "device,owner\nmeter-1,first\n");
  std::string text = box.configuration("tables: { assets: { file: assets.csv, key: device } }\n");
  text.replace(text.find("volts: value.voltage_l1"), 23, "owner: \"tables.assets[device].owner\"");
  GatewayProcess gateway(box.directory, text);
  gateway.start();
  const auto seen = [&](const std::string& owner) {
    return read_file(box.directory.path() + "/out.jsonl").find("\"owner\":\"" + owner + "\"") != std::string::npos;
  };
  REQUIRE(eventually(20s, [&] { return seen("first"); }));
  box.directory.write("assets.csv", "device,owners\nmeter-1,bad\n");
  CHECK(eventually(20s, [&] { return gateway.log().find("table_refused") != std::string::npos; }));
  CHECK(gateway.log().find("has no member 'owner'") != std::string::npos);
  const std::size_t lines = box.lines();
  CHECK(eventually(20s, [&] { return box.lines() > lines + 2; }));  // the old one goes on
  CHECK(*gateway.status()->find("config_refused") == Value::boolean(false));
  // Replaced as deployment tools do it.
  box.directory.write("fresh.csv", "device,owner\nmeter-1,second\n");
  std::filesystem::rename(box.directory.path() + "/fresh.csv", path);
  CHECK(eventually(20s, [&] { return seen("second"); }));
  CHECK(gateway.log().find("table_read") != std::string::npos);

  // The last good configuration has it too.
  CHECK(gateway.terminate(20s) == 0);
  std::filesystem::remove(path);
  std::filesystem::remove(box.directory.path() + "/out.jsonl");
  gateway.start();
  CHECK(eventually(20s, [&] { return seen("second"); }));
  CHECK_FALSE(seen("first"));
  CHECK(gateway.terminate(20s) == 0);
}

TEST_CASE("the schema for editors: a real validator takes every sample and refuses wrong ones in their place") {
  const Ran ran = run({"/usr/bin/python3", test::source_directory() + "/tests/end_to_end/editor_schema.py", kProgram,
                       test::source_directory()},
                      60s);
  CHECK_MESSAGE(ran.status == 0, ran.output);
}

TEST_CASE("commands that talk to a gateway say when there is none: exit status 2") {
  const TemporaryDirectory directory;
  for (const char* command : {"status", "health"}) {
    const Ran ran = run({kProgram, command, "--socket", directory.path() + "/none.sock"});
    CHECK(ran.status == 2);
    CHECK(ran.output.find("no gateway runs here") != std::string::npos);
  }
}

TEST_CASE("eval, try, test and reference answer") {
  const Box box;
  const std::string config = box.directory.write("railhead.yaml", box.configuration(R"(tests:
  - name: volts pass
    given: [ { source: energy, device: meter-1, time: 2026-01-01T00:00:00Z, value: { voltage_l1: 231.5 } } ]
    expect: [ { to: out, topic: t, body: { volts: 231.5 } } ]
)"));
  CHECK(run({kProgram, "eval", "7 / 2.0 + size('abc')"}).output == "6.5\n");
  const Ran tests = run({kProgram, "test", "-c", config});
  CHECK(tests.status == 0);
  CHECK(tests.output.find("1 passed, 0 failed") != std::string::npos);
  const Ran tried =
      run({"/bin/sh", "-c",
           std::string("echo '{\"source\":\"energy\",\"device\":\"meter-1\",\"value\":{\"voltage_l1\":1.5}}' | ") +
               kProgram + " try -c " + config});
  CHECK(tried.status == 0);
  CHECK(tried.output.find(R"("body":{"volts":1.5})") != std::string::npos);
  CHECK(run({kProgram, "reference"}).output.find("spool") != std::string::npos);
  JsonParser parser;
  CHECK(parser.parse(run({kProgram, "reference", "--schema"}).output));
}

TEST_CASE("idle: below 16 MB of anonymous memory and below 0.5 % of a core") {
  const Box box;
  const Mosquitto mosquitto;
  // Every kind of part, nothing arriving: no sensor publishes, the meter is asked once an hour, the upstream is away.
  std::string configuration = box.configuration("  far: { kafka: { brokers: [\"127.0.0.1:9\"] } }\n");
  const auto replace = [&](const std::string& what, const std::string& with) {
    const std::size_t at = configuration.find(what);
    REQUIRE(at != std::string::npos);
    configuration.replace(at, what.size(), with);
  };
  replace("every: 100 ms", "every: 1 h");
  replace("models:",
          "  sensors: { mqtt: { url: \"" + mosquitto.url() +
              "\", client_id: idle, subscribe: [ { topic: \"a/{device}\", qos: 1, payload: json } ] } }\nmodels:");
  GatewayProcess gateway(box.directory, configuration);
  gateway.start();
  REQUIRE(eventually(20s, [&] { return box.lines() >= 1; }));
  const std::string proc = "/proc/" + std::to_string(gateway.process().pid());
  const auto cpu_ticks = [&] {
    std::ifstream file(proc + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string word;
    for (int i = 0; i < 11; ++i) fields >> word;
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    fields >> user >> system;
    return user + system;
  };
  // A measurement needs its time: nothing to wait for but that.
  const std::uint64_t before = cpu_ticks();
  const auto start = std::chrono::steady_clock::now();
  eventually(10s, [] { return false; });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double share =
      static_cast<double>(cpu_ticks() - before) / static_cast<double>(::sysconf(_SC_CLK_TCK)) / seconds;
  const std::uint64_t anonymous_kb = field_of(proc + "/status", "RssAnon:");
  MESSAGE("idle: ", anonymous_kb, " kB anonymous, ", share * 100, " % of a core");
  CHECK(anonymous_kb > 0);
  CHECK(anonymous_kb < 16'000);
  CHECK(share < 0.005);
}

TEST_CASE("delivered records are sent again from a running gateway and from its directory; an orphan lane is dropped") {
  const Box box;
  GatewayProcess gateway(box.directory, box.configuration());
  gateway.start();
  REQUIRE(eventually(20s, [&] { return box.lines() >= 10; }));
  const auto repeated = [&] {
    std::map<std::string, int> seen;
    JsonParser parser;
    const std::string text = read_file(box.directory.path() + "/out.jsonl");
    for (const std::string_view line : base::split(base::trim(text), '\n')) {
      const Result<Value> record = parser.parse(line);
      REQUIRE(record);
      ++seen[std::string(record->find("headers")->find("ce_id")->as_text())];
    }
    return std::count_if(seen.begin(), seen.end(), [](const auto& one) { return one.second == 2; });
  };
  const Ran replayed = gateway.command({"spool", "replay", gateway.spool(), "--lane", "out"});
  CHECK_MESSAGE(replayed.status == 0, replayed.output);
  CHECK(replayed.output.find(" records will be sent again") != std::string::npos);
  CHECK(replayed.output.find('\r') == std::string::npos);  // quiet in a pipe
  CHECK(eventually(20s, [&] { return repeated() >= 1; }));
  CHECK(gateway.command({"spool", "replay", gateway.spool(), "--lane", "nowhere"}).status == 1);
  const Ran refused = gateway.command({"spool", "drop", gateway.spool(), "--lane", "out"});
  CHECK(refused.status == 1);
  CHECK(refused.output.find("belongs to a sink that is configured") != std::string::npos);
  CHECK(gateway.command({"dead", "list", "--spool", gateway.spool()}).output.empty());
  CHECK(gateway.command({"dead", "drop", "7", "--spool", gateway.spool()}).status == 1);
  const auto copy = [&] {
    const Ran copied = gateway.command({"spool", "replay", gateway.spool(), "--lane", "out", "--to", "copy"});
    CHECK_MESSAGE(copied.status == 0, copied.output);
  };
  copy();
  const Ran dropped = gateway.command({"spool", "drop", gateway.spool(), "--lane", "copy"});
  CHECK(dropped.status == 0);
  CHECK(dropped.output.find(" records dropped") != std::string::npos);
  CHECK_FALSE(dropped.output.starts_with("0 "));
  copy();
  CHECK(gateway.terminate(20s) == 0);

  const Ran dump = run({kProgram, "spool", "dump", gateway.spool(), "--lane", "copy"});
  CHECK(dump.status == 0);
  CHECK(dump.output.find("\"identity\":\"") != std::string::npos);
  const auto lines_of = [](const Ran& ran) { return std::count(ran.output.begin(), ran.output.end(), '\n'); };
  CHECK(lines_of(dump) >= 1);
  CHECK(lines_of(run(
            {kProgram, "spool", "dump", gateway.spool(), "--lane", "copy", "--since", "2100-01-01T00:00:00Z"})) == 0);
  CHECK(run({kProgram, "spool", "dump", gateway.spool(), "--since", "soon"}).status == 1);
  CHECK(run({kProgram, "spool", "dump", gateway.spool(), "--lane", "nowhere"}).status == 1);
  const Ran again = run({kProgram, "spool", "replay", gateway.spool(), "--lane", "copy", "--to", "third"});
  CHECK(again.status == 0);
  CHECK(run({kProgram, "spool", "drop", gateway.spool(), "--lane", "copy"}).status == 0);
  CHECK(run({kProgram, "spool", "dump", gateway.spool(), "--lane", "copy"}).output.empty());
  CHECK(lines_of(run({kProgram, "spool", "dump", gateway.spool(), "--lane", "third"})) == std::stol(again.output));
  CHECK(std::stol(again.output) >= lines_of(dump));  // and what was dropped and is still there
  CHECK(run({kProgram, "spool", "verify", gateway.spool()}).status == 0);
}
