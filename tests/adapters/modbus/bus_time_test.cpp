// What a plan costs on a serial bus, computed before and kept to while units are dead: in virtual time.
#include "adapters/modbus/bus_time.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "adapters/modbus/config.h"
#include "adapters/modbus/modbus.h"
#include "gateway/config/document.h"
#include "tests/adapters/modbus/recording_observer.h"
#include "tests/support/manual_clock.h"

namespace railhead::modbus {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Endpoint line_of(std::uint32_t baud) {
  return {.host = "/dev/ttyS0", .port = 0, .transport = Transport::rtu, .serial = {.baud = baud}};
}

// `units` units of one block each, whose plan uses `share` of a bus of 19,200 baud.
SourceOptions plant(unsigned units, double share) {
  SourceOptions options;
  LinkPlan& link = options.links.emplace_back();
  link.link.endpoint = line_of(19200);
  Duration busy{};
  for (unsigned i = 1; i <= units; ++i) {
    DeviceOptions& device = link.devices.emplace_back();
    device.name = "d" + std::to_string(i);
    device.unit = static_cast<std::uint8_t>(i);
    device.response = milliseconds{5};
    Point point;
    point.name = "p";
    point.count = 20;
    device.points.push_back(point);
    busy += bus_time(link.link.endpoint, plan_device(device.points, device.limits)[0].blocks[0], device.response);
  }
  for (DeviceOptions& device : link.devices) {
    device.points[0].every = Duration{static_cast<std::int64_t>(static_cast<double>(busy.count()) / share)};
  }
  return options;
}

struct Share {
  double worst = 1;    // of the ticks of a living unit, how many became readings
  double probing = 0;  // of the time, what dead units cost once they were known to be dead
  std::uint64_t missed = 0;
};

Share run(SourceOptions options, const std::set<unsigned>& dead, double probe_share, Duration time) {
  test::ManualClock clock;
  RecordingObserver seen;
  options.scheduler.source = "s";
  options.scheduler.probe_share = probe_share;
  Scheduler scheduler(options.scheduler, clock, seen, 1);
  std::vector<LinkGroups> groups = plan_source(options);
  const LinkPlan& link = options.links[0];
  for (std::size_t i = 0; i < link.devices.size(); ++i) {
    scheduler.add(link.devices[i], std::move(groups[0].devices[i]));
  }
  const BootTime begin = clock.boot_now();
  std::map<unsigned, unsigned> asked;
  Duration silence{};
  while (clock.boot_now() < begin + time) {
    const auto turn = scheduler.next();
    if (!turn) {
      REQUIRE(scheduler.due() > clock.boot_now());
      clock.advance(scheduler.due() - clock.boot_now());
      continue;
    }
    const ReadRequest& request = turn->request;
    if (dead.contains(request.unit)) {
      if (++asked[request.unit] > 1) silence += turn->timeout;
      clock.advance(turn->timeout + link.link.endpoint.serial.gap());
      scheduler.failed("no answer", turn->id);
      continue;
    }
    clock.advance(bus_time(link.link.endpoint, {request.table, request.address, request.count, {}}, milliseconds{5}));
    scheduler.answered(std::string(request.count * 2u, '\0'), turn->id);
  }
  Share share;
  share.missed = seen.missed;
  share.probing = static_cast<double>(silence.count()) / static_cast<double>(time.count());
  std::map<std::string, unsigned> readings;
  for (const Reading& reading : seen.readings) readings[reading.device] += reading.value.is(Kind::map);
  const double due = static_cast<double>(time / link.devices[0].points[0].every);
  for (const DeviceOptions& device : link.devices) {
    if (!dead.contains(device.unit)) share.worst = std::min(share.worst, readings[device.name] / due);
  }
  return share;
}

TEST_CASE("two dead units of thirty leave the others at least 95 % of their rate on a bus that is 70 % busy") {
  const SourceOptions options = plant(30, 0.70);
  CHECK(utilisation(options.links[0], plan_source(options)[0]) == doctest::Approx(0.70).epsilon(0.001));
  const Share healthy = run(options, {}, 0.1, minutes{10});
  CHECK(healthy.worst >= 0.99);
  CHECK(healthy.missed == 0);
  for (const double probe_share : {0.05, 0.1}) {
    const Share two = run(options, {7, 8}, probe_share, minutes{10});
    CHECK(two.worst >= 0.95);
    CHECK(two.probing <= probe_share);
    CHECK(two.probing > 0);
    // And ten: the share holds for all of them together.
    const Share ten = run(options, {1, 4, 7, 10, 13, 16, 19, 22, 25, 28}, probe_share, minutes{10});
    CHECK(ten.worst >= 0.95);
    CHECK(ten.probing <= probe_share);
  }
  // Without a bound they cost far more: the figure is not the clock's kindness.
  CHECK(run(options, {1, 4, 7, 10, 13, 16, 19, 22, 25, 28}, 0.95, minutes{2}).probing > 0.1);
}

TEST_CASE("a request takes its characters, the device's thought and the silence after both frames") {
  // 11 bits at 19200 baud: 0.573 ms a character; 8 there and 5 + 20 back; 2.005 ms of silence.
  const Block block{Table::holding, 0, 10, {}};
  CHECK(bus_time(line_of(19200), block, milliseconds{5}) ==
        line_of(19200).serial.character() * 33 + milliseconds{5} + line_of(19200).serial.gap());
  const Block bits{Table::coil, 0, 17, {}};
  CHECK(bus_time(line_of(9600), bits, milliseconds{0}) ==
        line_of(9600).serial.character() * 16 + line_of(9600).serial.gap() * 2);
  CHECK(bus_time({.host = "h"}, block, milliseconds{5}) == milliseconds{5});
}

struct Read {
  std::unique_ptr<ports::SourcePlan> plan;
  std::string text;
  std::size_t errors = 0;
};

Read read(const std::string& text) {
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(text, "plant.yaml", diagnostics);
  Read result;
  result.plan = source_kind().read(document.root(), {}, diagnostics);
  result.text = diagnostics.render();
  result.errors = diagnostics.error_count();
  return result;
}

TEST_CASE("check --plan shows each request with its time") {
  const Read right = read(
      "{ url: 'rtu:///dev/ttyUSB0?baud=9600', devices: { meter: { unit_id: 7, every: 2 s, response: 20 ms, forbidden: "
      "[holding 3], points: { a: { holding: 0, type: float32 }, b: { holding: 2, type: int16 }, c: { holding: 4, type: "
      "int16 }, d: { coil: 9, every: 500 ms } } } } }");
  CHECK(right.text == "");
  CHECK(right.plan->explain() ==
        "addresses as they travel on the wire, counted from 0, whatever `addressing` says\n"
        "link /dev/ttyUSB0 (9600 baud 8E1, 4.0 ms between frames): busy 12.4 % of its time\n"
        "  meter (unit 7) every 500 ms, first after 0.0 ms: 1 request, 40.1 ms\n"
        "    coil 9, 1 point, 40.1 ms\n"
        "  meter (unit 7) every 2 s, first after 0.0 ms: 2 requests, 87.0 ms\n"
        "    holding 0..2, 2 points, 45.8 ms\n"
        "    holding 4, 1 point, 41.2 ms\n");
}

TEST_CASE("a plan that a serial line cannot carry is an error, and one that fills it a warning") {
  const auto source = [](const std::string& every) {
    return "{ url: 'rtu:///dev/ttyUSB0?baud=9600', devices: { a: { every: " + every +
           ", points: { p: { holding: 0, type: uint16, count: 100 } } } } }";
  };
  const Read never = read(source("200 ms"));
  CHECK(never.errors == 1);
  CHECK_MESSAGE(
      never.text.find("the line /dev/ttyUSB0 would be busy 129 % of its time: that cannot be read so often") !=
          std::string::npos,
      never.text);
  CHECK(never.plan->explain().find("holding 0..99, 1 point, 258.1 ms") != std::string::npos);
  CHECK_MESSAGE(read(source("300 ms")).text.find("would be busy 86 % of its time: a device that does not answer") !=
                    std::string::npos,
                read(source("300 ms")).text);
  CHECK(read(source("1 s")).text == "");
}

TEST_CASE("no request touches a forbidden range, and a point in one is a mistake") {
  const auto source = [](const std::string& forbidden, const std::string& more = "") {
    return "{ url: tcp://h, devices: { a: { addressing: one, forbidden: " + forbidden +
           ", points: { p: { holding: 1, type: uint16 }, q: { holding: 9, type: uint16 }" + more + " } } } }";
  };
  CHECK(read(source("[holding 20]")).plan->explain().find("holding 0..8") != std::string::npos);
  const std::string parted = read(source("[holding 5..6]")).plan->explain();
  CHECK(parted.find("holding 0, 1 point") != std::string::npos);
  CHECK(parted.find("holding 8, 1 point") != std::string::npos);
  CHECK(read(source("[input 5..6]")).plan->explain().find("holding 0..8") != std::string::npos);
  CHECK(read(source("[holding 9]")).text.find("point 'q' lies in a forbidden range") != std::string::npos);
  for (const char* wrong : {"[5..6]", "[holding]", "[holding 6..5]", "[register 5]", "[holding 0]"}) {
    CHECK(read(source(wrong)).text.find("expected a table and a range of its addresses") != std::string::npos);
  }
}

}  // namespace
}  // namespace railhead::modbus
