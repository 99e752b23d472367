// Commands all the way: records in, a simulated device written between its polls, outcomes out.
#include "adapters/modbus/command_sink.h"

#include <doctest/doctest.h>

#include <thread>

#include "adapters/modbus/config.h"
#include "adapters/modbus/modbus.h"
#include "adapters/modbus/simulator.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/message/json.h"
#include "gateway/ports/commands.h"
#include "gateway/status/link.h"
#include "gateway/system/clock.h"
#include "tests/support/capturing_intake.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/process.h"
#include "tests/support/scripted_outlet.h"

namespace railhead::modbus {
namespace {

using namespace std::chrono_literals;
using status::Event;
using test::eventually;

const std::string kDevices =
    "  boiler:\n"
    "    unit_id: 3\n"
    "    every: 20 ms\n"
    "    points:\n"
    "      temperature: { holding: 10, type: int16, scale: 0.1 }\n"
    "      setpoint: { holding: 50, type: int16, scale: 0.1, write: { min: 10, max: 90, step: 0.5, verify: true } }\n"
    "      pressure: { holding: 51, type: float32, order: CDAB, write: {} }\n"
    "      mode: { holding: 60, bits: 4..7, write: {} }\n"
    "      state: { holding: 61, type: uint16, enum: { 1: \"off\", 2: \"on\" }, write: { values: [ \"on\" ] } }\n"
    "      burner: { coil: 4, write: {} }\n";

// What Outlet gives is appended now, unless the test says otherwise.
class Records final : public ports::Outlet {
 public:
  explicit Records(test::ScriptedOutlet& outlet, const system::Clock& clock) : outlet_(outlet), clock_(clock) {}
  std::span<const ports::Outgoing> next(const ports::Limits& limits, std::stop_token stop) override {
    const auto given = outlet_.next(limits, std::move(stop));
    given_.assign(given.begin(), given.end());
    for (ports::Outgoing& one : given_) {
      if (!before_boot) one.appended = clock_.boot_now() - age;
    }
    return given_;
  }
  int ready_fd() const override { return outlet_.ready_fd(); }
  std::optional<BootTime> next_due() const override { return outlet_.next_due(); }
  void settle(ports::Place place) override { outlet_.settle(place); }
  void set_aside(const ports::Outgoing& outgoing, const Error& why) override { outlet_.set_aside(outgoing, why); }
  void retry(const ports::Outgoing& outgoing, const Error& why) override { outlet_.retry(outgoing, why); }
  void hold(std::string_view) override {}
  void probe(std::string_view) override {}
  void release(std::string_view) override {}
  Result<void> started(ports::Place place) override { return outlet_.started(place); }
  void rewind() override { outlet_.rewind(); }

  std::atomic<bool> before_boot{false};
  Duration age{};

 private:
  test::ScriptedOutlet& outlet_;
  const system::Clock& clock_;
  std::vector<ports::Outgoing> given_;
};

struct Plant {
  explicit Plant(std::vector<ports::Fault> faults = {}, CommandSinkOptions options = {.source = "s"})
      : records(outlet, clock) {
    simulator = std::make_unique<Simulator>(
        *read("tcp://10.0.0.17:502"),
        ports::SimulationOptions{.source = "s", .listen = "127.0.0.1", .fields = {}, .faults = std::move(faults)},
        clock);
    REQUIRE(simulator->open());
    field = std::jthread([this](std::stop_token stop) { simulator->run(std::move(stop)); });
    source = std::make_unique<ModbusSource>(
        std::make_shared<const SourceOptions>(*read("tcp://127.0.0.1:" + std::to_string(simulator->port(0)))),
        ports::Context{
            .name = "s", .gateway = "g", .clock = clock, .reporter = reporter, .link = link, .commands = &desk});
    engine = std::jthread([this](std::stop_token stop) { source->run(intake, std::move(stop)); });
    sink = make_command_sink(std::move(options), {.name = "commands",
                                                  .gateway = "g",
                                                  .clock = clock,
                                                  .reporter = reporter,
                                                  .link = sink_link,
                                                  .commands = &desk});
  }
  // The sink begins now: what was appended before waits for it.
  void start() {
    sending = std::jthread([this](std::stop_token stop) { sink->run(records, std::move(stop)); });
  }
  std::optional<SourceOptions> read(const std::string& url) {
    config::Diagnostics diagnostics;
    const config::Document document = config::Document::parse(
        "url: " + url + "\ntimeout: 300 ms\ndevices:\n" + kDevices, "railhead.yaml", diagnostics);
    auto options = read_source(document.root(), config::Node(), diagnostics);
    INFO(diagnostics.render());
    REQUIRE(options);
    return options;
  }
  ports::Place command(const std::string& body) {
    Record record;
    record.sink = "commands";
    record.body = body;
    return outlet.append(std::move(record));
  }
  // The newest value of a point.
  Value value(const std::string& point) const {
    const std::vector<Reading> readings = intake.readings();
    for (auto reading = readings.rbegin(); reading != readings.rend(); ++reading) {
      if (const Value* found = reading->value.find(point); found != nullptr) return *found;
    }
    return {};
  }
  std::string told(Event event) const {
    std::string text;
    for (const std::string& line : reporter.lines()) {
      if (line.starts_with(status::row_of(event).name)) text += line + "\n";
    }
    return text;
  }

  system::SystemClock clock;
  test::CapturingReporter reporter;
  test::CapturingIntake intake;
  test::ScriptedOutlet outlet;
  Records records;
  status::LinkStatus link;
  status::LinkStatus sink_link;
  ports::CommandDesk desk;
  std::unique_ptr<Simulator> simulator;
  std::unique_ptr<ModbusSource> source;
  std::unique_ptr<ports::Sink> sink;
  std::jthread field;
  std::jthread engine;
  std::jthread sending;
};

}  // namespace

TEST_CASE("a command reaches the device between its polls; its outcome is told with what was read back") {
  Plant plant;
  plant.start();
  REQUIRE(eventually(10s, [&] { return plant.intake.size() > 2; }));
  plant.command(R"({"device":"boiler","point":"setpoint","value":21.5,"correlation":"c-1"})");
  plant.command(R"({"device":"boiler","values":{"burner":true,"pressure":2.5,"mode":9}})");
  plant.command(R"({"device":"boiler","point":"state","value":"on"})");
  REQUIRE(eventually(10s, [&] { return plant.outlet.settled() == 3; }));
  CHECK(plant.outlet.started() == std::set<std::uint64_t>{1, 2, 3});
  CHECK(eventually(5s, [&] { return plant.value("setpoint") == Value::real(21.5); }));
  CHECK(eventually(5s, [&] { return plant.value("burner") == Value::boolean(true); }));
  CHECK(eventually(5s, [&] { return plant.value("pressure") == Value::real(2.5); }));
  CHECK(eventually(5s, [&] { return plant.value("mode") == Value::integer(9); }));
  CHECK(eventually(5s, [&] { return plant.value("state") == Value::text("on"); }));
  const std::string told = plant.told(Event::modbus_command_done);
  CHECK(
      told.find("device=boiler point=setpoint requested={\"setpoint\":21.5} read_back={\"setpoint\":21.5} result=done "
                "reason= correlation=c-1") != std::string::npos);
  CHECK(plant.reporter.count(Event::modbus_command_done) == 3);
  // The polls went on.
  const std::size_t before = plant.intake.size();
  CHECK(eventually(5s, [&] { return plant.intake.size() > before + 3; }));
  CHECK(plant.reporter.count(Event::device_down) == 0);
}

TEST_CASE("what may not be done is refused, set aside with its reason, and never sent") {
  Plant plant;
  plant.command(R"({"device":"boiler","point":"setpoint","value":95})");
  plant.command(R"({"device":"boiler","point":"temperature","value":20})");
  plant.command(R"({"device":"boiler","point":"state","value":"off"})");
  plant.command(R"({"device":"pump","point":"x","value":1})");
  plant.command(R"({"device":"boiler"})");
  plant.command("no json");
  plant.start();
  REQUIRE(eventually(10s, [&] { return plant.outlet.aside().size() == 6; }));
  CHECK(plant.outlet.aside()[1] == "refused: point 'setpoint': 95 is above the limit of 90.0");
  CHECK(plant.outlet.aside()[2].find("may not be written") != std::string::npos);
  CHECK(plant.outlet.aside()[3].find("none of") != std::string::npos);
  CHECK(plant.outlet.aside()[4].find("no device 'pump'") != std::string::npos);
  CHECK(plant.outlet.settled() == 0);
  CHECK(plant.reporter.count(Event::modbus_command_refused) == 6);
}

TEST_CASE("a silent device makes the outcome unknown, once; the refusing one a failure") {
  Plant plant({{.device = "boiler", .table = "coil", .kind = ports::Fault::Kind::silent},
               {.device = "boiler",
                .table = "holding",
                .first = 60,
                .last = 60,
                .kind = ports::Fault::Kind::exception,
                .exception = 4}});
  plant.command(R"({"device":"boiler","point":"burner","value":true})");
  plant.command(R"({"device":"boiler","point":"mode","value":1})");
  plant.start();
  REQUIRE(eventually(10s, [&] { return plant.outlet.aside().size() == 2; }));
  CHECK(plant.outlet.aside()[1].starts_with("unknown: "));
  CHECK(plant.outlet.aside()[2] == "failed: holding 60: device failure");
}

TEST_CASE("expired, from before the last reboot, or begun before a crash: never sent, and said so") {
  {
    Plant plant;
    plant.records.age = 11s;
    plant.command(R"({"device":"boiler","point":"burner","value":true})");
    plant.start();
    REQUIRE(eventually(10s, [&] { return plant.outlet.aside().size() == 1; }));
    CHECK(plant.outlet.aside()[1].starts_with("expired: its time was over"));
    CHECK(plant.outlet.started().empty());
  }
  {
    Plant plant;
    plant.records.before_boot = true;
    plant.command(R"({"device":"boiler","point":"burner","value":true})");
    plant.start();
    REQUIRE(eventually(10s, [&] { return plant.outlet.aside().size() == 1; }));
    CHECK(plant.outlet.aside()[1].starts_with("expired: it is from before the last reboot"));
  }
  for (const bool repeat : {false, true}) {
    Plant plant({}, {.source = "s", .repeat = repeat});
    plant.outlet.start_before(plant.command(R"({"device":"boiler","point":"burner","value":true})"));
    plant.start();
    if (repeat) {
      CHECK(eventually(10s, [&] { return plant.outlet.settled() == 1; }));
    } else {
      CHECK(eventually(10s, [&] { return plant.outlet.aside().size() == 1; }));
      CHECK(plant.outlet.aside()[1].starts_with("unknown: it was begun before"));
    }
  }
}

TEST_CASE("a source that does not run makes the command wait for it") {
  Plant plant;
  plant.engine.request_stop();
  plant.engine.join();
  plant.command(R"({"device":"boiler","point":"burner","value":true})");
  plant.start();
  REQUIRE(eventually(10s, [&] { return plant.outlet.retries() >= 1; }));
  plant.engine = std::jthread([&plant](std::stop_token stop) { plant.source->run(plant.intake, std::move(stop)); });
  CHECK(eventually(10s, [&] { return plant.outlet.settled() == 1; }));
}

}  // namespace railhead::modbus
