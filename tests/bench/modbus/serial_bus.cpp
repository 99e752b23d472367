// A line of 19,200 baud with 30 units, played at a pseudo-terminal: an answer is there when its characters and the
// request's would have passed. Units 7 and 8 are switched off.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "adapters/modbus/bus_time.h"
#include "adapters/modbus/rtu.h"
#include "gateway/base/assert.h"
#include "gateway/base/mutex.h"
#include "gateway/status/link.h"
#include "tests/bench/modbus/pollers.h"
#include "tests/bench/support/measure.h"
#include "tests/support/capturing_intake.h"
#include "tests/support/capturing_reporter.h"

namespace railhead::bench {
namespace {

constexpr unsigned kUnits = 30;
constexpr double kShare = 0.70;
constexpr Duration kThinks = std::chrono::milliseconds{5};
constexpr std::size_t kRequest = 8;

bool is_dead(unsigned unit) { return unit == 7 || unit == 8; }

modbus::SourceOptions bus_source(const std::string& path) {
  modbus::SourceOptions options;
  modbus::LinkPlan& link = options.links.emplace_back();
  link.link.endpoint = {.host = path, .port = 0, .transport = modbus::Transport::rtu, .serial = {}};
  link.link.reconnect.most = std::chrono::seconds{2};
  Duration busy{};
  for (unsigned unit = 1; unit <= kUnits; ++unit) {
    modbus::DeviceOptions& device = link.devices.emplace_back();
    device.name = "unit-" + std::to_string(unit);
    device.unit = static_cast<std::uint8_t>(unit);
    device.response = kThinks;
    modbus::Point& point = device.points.emplace_back();
    point.name = "p";
    point.count = 20;
    busy += modbus::bus_time(link.link.endpoint, modbus::plan_device(device.points, device.limits)[0].blocks[0],
                             device.response);
  }
  for (modbus::DeviceOptions& device : link.devices) {
    device.points[0].every = Duration{static_cast<std::int64_t>(static_cast<double>(busy.count()) / kShare)};
  }
  return options;
}

void play(int master, const modbus::SerialOptions& serial, std::atomic<std::uint64_t>& collisions,
          const std::stop_token& stop) {
  pin_to({1});
  std::string input;
  std::string answer;
  double due = 0;
  const double character = static_cast<double>(serial.character().count()) / 1e9;
  while (!stop.stop_requested()) {
    const double wait = answer.empty() ? 0.05 : std::max(0.0, due - wall_seconds());
    const timespec timeout{0, static_cast<long>(wait * 1e9)};
    pollfd ready{master, POLLIN, 0};
    if (ppoll(&ready, 1, &timeout, nullptr) == 1 && (ready.revents & POLLIN) != 0) {
      char bytes[256];
      const ssize_t got = read(master, bytes, sizeof bytes);
      if (got > 0) input.append(bytes, static_cast<std::size_t>(got));
    }
    if (!answer.empty() && wall_seconds() >= due) {
      (void)!write(master, answer.data(), answer.size());
      answer.clear();
    }
    if (input.size() < kRequest) continue;
    if (!answer.empty()) ++collisions;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(input[at])); };
    const unsigned unit = byte(0);
    const unsigned count = byte(4) << 8 | byte(5);
    input.clear();
    if (is_dead(unit)) continue;
    std::string pdu{3, static_cast<char>(2 * count)};
    for (unsigned i = 0; i < count; ++i) pdu += {0, static_cast<char>(unit)};
    answer.clear();
    modbus::encode_rtu(answer, static_cast<std::uint8_t>(unit), pdu);
    due = wall_seconds() + character * static_cast<double>(kRequest + answer.size()) +
          static_cast<double>(kThinks.count()) / 1e9;
  }
}

}  // namespace

BusShare run_bus(double seconds) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  RAILHEAD_ASSERT(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
  char path[128];
  RAILHEAD_ASSERT(ptsname_r(master, path, sizeof path) == 0);
  const modbus::SourceOptions options = bus_source(path);
  const Duration every = options.links[0].devices[0].points[0].every;
  const auto ticks = static_cast<std::int64_t>(seconds * 1e9) / every.count() - 1;
  BusShare share;
  share.planned = modbus::utilisation(options.links[0], modbus::plan_source(options)[0]);
  std::atomic<std::uint64_t> collisions{0};
  test::CapturingIntake intake;
  Time from;
  {
    const system::SystemClock clock;
    from = clock.now();
    test::CapturingReporter reporter;
    status::LinkStatus link;
    modbus::ModbusSource source(
        std::make_shared<const modbus::SourceOptions>(options),
        {.name = "bus", .gateway = "bench", .clock = clock, .reporter = reporter, .link = link});
    std::jthread bus(
        [&](const std::stop_token& stop) { play(master, options.links[0].link.endpoint.serial, collisions, stop); });
    std::jthread client([&](const std::stop_token& stop) {
      pin_to({0});
      source.run(intake, stop);
    });
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }
  close(master);
  std::map<std::string, unsigned> got;
  for (const Reading& reading : intake.readings()) {
    if (reading.time < from || reading.time >= from + every * ticks) continue;
    got[reading.device] += reading.quality == Quality::good && reading.value.is(Kind::map);
  }
  share.least = 1;
  for (unsigned unit = 1; unit <= kUnits; ++unit) {
    if (!is_dead(unit))
      share.least = std::min(share.least, got["unit-" + std::to_string(unit)] / static_cast<double>(ticks));
  }
  share.collisions = collisions;
  return share;
}

}  // namespace railhead::bench
