// Thousands of connections in one process, and a serial line whose descriptor lies far beyond what select() could take.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "adapters/modbus/link.h"
#include "adapters/modbus/serial.h"
#include "gateway/system/clock.h"
#include "gateway/system/descriptor.h"
#include "tests/adapters/modbus/recording_observer.h"
#include "tests/adapters/modbus/scripted_server.h"
#include "tests/adapters/modbus/serial_line.h"

namespace railhead::modbus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kConnections = 5000;
constexpr Duration kTick = seconds{2};

struct Line {
  [[nodiscard]] std::size_t right() const {
    std::size_t count = 0;
    for (const Reading& reading : seen.readings) {
      const Value* value = reading.value.is(Kind::map) ? reading.value.find("p") : nullptr;
      count += value != nullptr && value->as_integer() == 7;
    }
    return count;
  }
  RecordingObserver seen;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<Link> link;
};

struct Plant {
  Line& add(const Endpoint& endpoint, Link::Connector connector, Duration phase, Duration every) {
    auto line = std::make_unique<Line>();
    line->scheduler = std::make_unique<Scheduler>(SchedulerOptions{.source = "plant"}, clock, line->seen, 7);
    Point point;
    point.name = "p";
    point.address = 7;
    point.every = every;
    const DeviceOptions device{.name = "d", .timeout = seconds{2}, .limits = {}, .points = {point}};
    std::vector<Group> groups = plan_device(device.points, device.limits);
    groups.at(0).phase = phase;
    line->scheduler->add(device, std::move(groups));
    LinkOptions options;
    options.endpoint = endpoint;
    options.connect_timeout = seconds{20};
    line->link =
        std::make_unique<Link>(options, std::move(connector), loop, resolver, *line->scheduler, line->seen, 99);
    line->link->start();
    lines.push_back(std::move(line));
    return *lines.back();
  }
  template <class Condition>
  bool until(Condition condition) {
    const BootTime end = clock.boot_now() + seconds{60};
    while (!condition()) {
      if (clock.boot_now() >= end) return false;
      loop.run_once(milliseconds{50});
    }
    return true;
  }

  system::SystemClock clock;
  system::EventLoop loop{clock};
  system::Resolver resolver{loop};
  std::vector<std::unique_ptr<Line>> lines;
};

TEST_CASE(
    "5,000 connections in one process, and a serial adapter beyond descriptor 1024 that is pulled and replugged") {
  if (system::allow_many_descriptors() < 2 * kConnections + 100) {
    MESSAGE("skipped: this machine does not allow 10,100 open descriptors in a process (ulimit -Hn)");
    return;
  }
  Plant plant;
  ScriptedServer server(plant.loop);
  for (unsigned i = 0; i < kConnections; ++i) {
    plant.add({.host = "127.0.0.1", .port = server.port()}, system::connect_tcp, kTick * i / kConnections, kTick);
  }
  REQUIRE(plant.until([&] { return server.connections >= kConnections; }));
  SerialLine adapter(plant.loop);
  bool beyond = false;
  const SerialOptions serial{.baud = 115200};
  Line& bus = plant.add(
      {.host = adapter.path(), .port = 0, .transport = Transport::rtu, .serial = serial},
      [&, path = adapter.path()](const system::Address&) {
        auto stream = open_serial(path, serial);
        if (stream) beyond = (*stream)->fd() > 1024;
        return stream;
      },
      Duration{0}, milliseconds{20});
  REQUIRE(plant.until([&] { return bus.right() >= 3; }));
  CHECK(beyond);
  adapter.unplug();
  REQUIRE(plant.until([&] { return !bus.seen.events.empty() && bus.seen.events.back().starts_with("down"); }));
  adapter.plug();
  const std::size_t before = bus.right();
  REQUIRE(plant.until([&] { return bus.right() >= before + 3; }));
  std::size_t at = 0;
  REQUIRE(plant.until([&] {
    while (at < kConnections && plant.lines[at]->right() >= 2) ++at;
    return at == kConnections;
  }));
  CHECK(server.connections == kConnections);  // none was lost and made again
}

}  // namespace
}  // namespace railhead::modbus
