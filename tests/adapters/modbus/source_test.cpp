#include "adapters/modbus/source.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "gateway/message/json.h"
#include "gateway/status/link.h"
#include "gateway/system/clock.h"
#include "tests/adapters/modbus/scripted_server.h"
#include "tests/support/capturing_intake.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/process.h"

namespace railhead::modbus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = status::LinkStatus::State;

constexpr milliseconds kAtMost{5000};

// A device on a thread of its own: registers hold their address; unit 66 is silent.
class Field {
 public:
  Field() : server_(loop_), port(server_.port()), thread_([this](const std::stop_token& stop) { serve(stop); }) {}

 private:
  void serve(const std::stop_token& stop) {
    server_.script = [this](ScriptedServer::Peer peer, const ScriptedServer::Request& request) {
      if (request.unit == 66 && !answer_all) return;
      server_.send_later(peer, server_.answer(request), milliseconds{thinks});
    };
    loop_.run(stop);
  }
  system::SystemClock clock_;
  system::EventLoop loop_{clock_};
  ScriptedServer server_;

 public:
  const std::uint16_t port;
  std::atomic<bool> answer_all{false};
  std::atomic<int> thinks{0};  // milliseconds

 private:
  std::jthread thread_;
};

DeviceOptions device_of(const char* name, std::uint8_t unit, Duration every) {
  DeviceOptions device;
  device.name = name;
  device.unit = unit;
  device.timeout = milliseconds{50};
  Point point;
  point.name = "p";
  point.address = unit;
  point.every = every;
  device.points = {point};
  return device;
}

// The source on its thread, as the flow runs it.
class Running {
 public:
  Running(std::uint16_t port, std::vector<DeviceOptions> devices, std::uint8_t pipeline = 1) {
    LinkPlan plan;
    plan.link.endpoint = {"127.0.0.1", port};
    plan.link.pipeline = pipeline;
    plan.link.reconnect = {.first = milliseconds{10}, .most = milliseconds{50}};
    plan.devices = std::move(devices);
    SourceOptions options;
    options.links.push_back(std::move(plan));
    options.scheduler.probe = {.first = milliseconds{20}, .most = milliseconds{50}};
    source_ = std::make_unique<ModbusSource>(
        std::make_shared<const SourceOptions>(std::move(options)),
        ports::Context{.name = "boiler-house", .gateway = "g", .clock = clock_, .reporter = reporter, .link = link});
  }
  void start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { source_->run(intake, stop); });
  }
  void stop() { thread_ = {}; }

  test::CapturingIntake intake;
  test::CapturingReporter reporter;
  status::LinkStatus link;

 private:
  system::SystemClock clock_;
  std::unique_ptr<ModbusSource> source_;
  std::jthread thread_;
};

TEST_CASE("readings reach the intake and the status tells of the devices") {
  Field field;
  Running running(field.port, {device_of("a", 1, milliseconds{20}), device_of("b", 66, milliseconds{20})});
  running.start();
  REQUIRE(test::eventually(kAtMost, [&] { return running.link.devices_down() == 1; }));
  CHECK(running.link.devices_total() == 2);
  CHECK(test::eventually(kAtMost, [&] { return running.link.state() == State::degraded; }));
  CHECK(running.link.why().starts_with("b: no answer within"));
  CHECK(running.reporter.count(status::Event::source_connected) == 1);
  CHECK(running.reporter.count(status::Event::device_down) == 1);
  const BootTime progress = running.link.last_progress();
  REQUIRE(test::eventually(kAtMost, [&] { return running.link.last_progress() > progress; }));

  field.answer_all = true;
  REQUIRE(test::eventually(kAtMost, [&] { return running.link.state() == State::up; }));
  CHECK(running.reporter.count(status::Event::device_up) == 1);
  running.stop();
  bool down = false;
  bool up = false;
  for (const Reading& reading : running.intake.readings()) {
    CHECK(reading.source == "boiler-house");
    if (reading.device == "a" && reading.quality == Quality::good) CHECK(to_json(reading.value) == R"({"p":1})");
    if (reading.device == "b" && reading.value.is(Kind::null)) {
      CHECK(reading.quality == (down ? Quality::good : Quality::bad));
      up |= down;
      down = true;
    }
  }
  CHECK(up);
}

TEST_CASE("stopping is prompt, also with nothing to do and with nobody there") {
  Field field;
  Running idle(field.port, {device_of("a", 1, std::chrono::hours{1})});
  Running absent(test::free_port(), {device_of("a", 1, milliseconds{20})});
  idle.start();
  absent.start();
  REQUIRE(test::eventually(kAtMost, [&] { return idle.intake.size() == 1 && absent.link.state() == State::down; }));
  CHECK(absent.link.why().find("refused") != std::string::npos);
  const auto before = std::chrono::steady_clock::now();
  idle.stop();
  absent.stop();
  CHECK(std::chrono::steady_clock::now() - before < seconds{2});
}

TEST_CASE("while the intake is full only the newest reading of each device and rate is kept, the others are counted") {
  for (const Errc code : {Errc::full, Errc::io}) {
    Field field;
    Running running(field.port, {device_of("a", 1, milliseconds{10}), device_of("b", 2, milliseconds{10})});
    running.intake.fail_with(code);
    running.start();
    REQUIRE(test::eventually(kAtMost, [&] {
      return running.reporter.count(status::Event::reading_superseded) >= 20 && running.intake.offers() >= 3;
    }));
    CHECK(running.intake.size() == 0);
    running.intake.fail_with(std::nullopt);
    REQUIRE(test::eventually(kAtMost, [&] { return running.intake.size() >= 4; }));
    running.stop();
    const std::vector<Reading> taken = running.intake.readings();
    // Nothing stale, nothing twice, in order of time per device.
    CHECK(taken[0].time + milliseconds{600} > taken[3].time);
    std::map<std::string, Time> last;
    for (const Reading& reading : taken) {
      CHECK(last[reading.device] < reading.time);
      last[reading.device] = reading.time;
    }
  }
}

TEST_CASE("the status tells how busy the line is, of all requests that may be out") {
  Field field;
  field.thinks = 25;
  Running running(field.port, {device_of("a", 1, milliseconds{50}), device_of("b", 2, milliseconds{50})}, 2);
  running.start();
  REQUIRE(test::eventually(seconds{20}, [&] { return running.link.busy_permille() > 0; }));
  // Half of the time for each of two: together they would be all of it.
  CHECK(running.link.busy_permille() >= 200);
  CHECK(running.link.busy_permille() <= 900);
}

TEST_CASE("a window that closes by time is given its turn") {
  Field field;
  Running running(field.port, {device_of("a", 1, std::chrono::hours{1})});
  running.start();
  REQUIRE(test::eventually(kAtMost, [&] { return running.intake.size() == 1; }));
  const std::uint64_t offers = running.intake.offers();
  running.intake.set_next_due(system::SystemClock().boot_now());
  REQUIRE(test::eventually(kAtMost, [&] { return running.intake.offers() > offers; }));
  running.intake.set_next_due(std::nullopt);
}

}  // namespace
}  // namespace railhead::modbus
