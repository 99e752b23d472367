#include "tests/bench/modbus/plant.h"

#include <algorithm>

namespace railhead::bench {

std::vector<modbus::Point> plant_points(const Poll& poll) {
  std::vector<modbus::Point> points;
  unsigned at = 0;
  for (unsigned i = 0; i < poll.points; ++i) {
    modbus::Point& point = points.emplace_back();
    point.name = "point_" + std::to_string(i);
    point.address = static_cast<std::uint16_t>(at);
    point.type = modbus::Type::float32;
    point.every = std::max(Duration{1}, Duration{std::chrono::microseconds{static_cast<std::int64_t>(poll.every_us)}});
    at += poll.scattered ? 2 + 2 * (i * 7 % 3) : 2;
  }
  return points;
}

modbus::SourceOptions plant_source(const Poll& poll) {
  modbus::SourceOptions options;
  const std::vector<modbus::Point> points = plant_points(poll);
  for (unsigned i = 0; i < poll.devices; ++i) {
    modbus::LinkPlan& link = options.links.emplace_back();
    link.link.endpoint = {.host = host_of(i), .port = poll.port};
    modbus::DeviceOptions& device = link.devices.emplace_back();
    device.name = "device-" + std::to_string(i);
    device.points = points;
  }
  return options;
}

std::vector<modbus::Block> plant_blocks(const Poll& poll) {
  const std::vector<modbus::Point> points = plant_points(poll);
  return modbus::plan_device(points, {}).at(0).blocks;
}

std::string host_of(unsigned device) {
  return "127.1." + std::to_string(device / 250) + "." + std::to_string(device % 250 + 1);
}

}  // namespace railhead::bench
