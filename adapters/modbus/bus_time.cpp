#include "adapters/modbus/bus_time.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "gateway/base/text.h"

namespace railhead::modbus {
namespace {

constexpr int kRequestBytes = 8;
constexpr int kAnswerFrame = 5;  // unit, function, byte count, check sum

int answer_bytes(const Block& block) {
  return kAnswerFrame + (holds_bits(block.table) ? (block.count + 7) / 8 : block.count * 2);
}

std::string milliseconds_text(Duration time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(time.count()) / 1e6);
  return text;
}

std::string percent_text(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", share * 100);
  return text;
}

std::string serial_text(const SerialOptions& serial) {
  const char parity = serial.parity == Parity::none ? 'N' : serial.parity == Parity::even ? 'E' : 'O';
  return std::to_string(serial.baud) + " baud " + std::to_string(serial.data) + parity + std::to_string(serial.stop) +
         ", " + milliseconds_text(serial.gap()) + " between frames";
}

}  // namespace

Duration bus_time(const Endpoint& endpoint, const Block& block, Duration response) {
  if (endpoint.transport != Transport::rtu) return response;
  const Duration gap = endpoint.serial.gap();
  return endpoint.serial.character() * (kRequestBytes + answer_bytes(block)) + std::max(response, gap) + gap;
}

std::vector<LinkGroups> plan_source(const SourceOptions& options) {
  std::vector<LinkGroups> plans;
  for (const LinkPlan& link : options.links) {
    LinkGroups& groups = plans.emplace_back();
    for (const DeviceOptions& device : link.devices) {
      groups.devices.push_back(plan_device(device.points, device.limits, device.forbidden));
    }
  }
  std::vector<Group*> all;
  for (LinkGroups& groups : plans) {
    for (auto& of_device : groups.devices) {
      for (Group& group : of_device) all.push_back(&group);
    }
  }
  stagger(all);
  return plans;
}

double utilisation(const LinkPlan& link, const LinkGroups& groups) {
  double share = 0;
  for (std::size_t i = 0; i < groups.devices.size(); ++i) {
    for (const Group& group : groups.devices[i]) {
      Duration busy{};
      for (const Block& block : group.blocks) busy += bus_time(link.link.endpoint, block, link.devices[i].response);
      share += static_cast<double>(busy.count()) / static_cast<double>(group.every.count());
    }
  }
  return share / (link.link.endpoint.rtu() ? 1 : link.link.pipeline);
}

std::string explain_plan(const SourceOptions& options) {
  const std::vector<LinkGroups> plans = plan_source(options);
  std::string text = "addresses as they travel on the wire, counted from 0, whatever `addressing` says\n";
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const LinkPlan& link = options.links[i];
    const Endpoint& endpoint = link.link.endpoint;
    text += "link " + endpoint.text();
    if (endpoint.transport == Transport::rtu) text += " (" + serial_text(endpoint.serial) + ")";
    text += ": busy " + percent_text(utilisation(link, plans[i])) + " of its time\n";
    for (std::size_t j = 0; j < plans[i].devices.size(); ++j) {
      const DeviceOptions& device = link.devices[j];
      for (const Anchor& anchor : device.anchors) {
        text += "  " + device.name + " (unit " + std::to_string(device.unit) + ") at start: model '" + anchor.model +
                "' is looked for (" + anchor.text() + "); its addresses count from there\n";
      }
      for (const Group& group : plans[i].devices[j]) {
        Duration busy{};
        for (const Block& block : group.blocks) busy += bus_time(endpoint, block, device.response);
        text += "  " + device.name + " (unit " + std::to_string(device.unit) + ") every " +
                base::format_duration(group.every) + ", first after " + milliseconds_text(group.phase) + ": " +
                base::counted(group.blocks.size(), "request") + ", " + milliseconds_text(busy) + "\n";
        for (const Block& block : group.blocks) {
          const std::optional<std::uint32_t> anchor = device.points[block.points.front()].anchor;
          text += "    " + (anchor ? "model '" + device.anchors[*anchor].model + "', " : std::string()) +
                  std::string(name_of(block.table)) + " " + std::to_string(block.address);
          if (block.count > 1) text += ".." + std::to_string(unsigned{block.address} + block.count - 1);
          text += ", " + base::counted(block.points.size(), "point") + ", " +
                  milliseconds_text(bus_time(endpoint, block, device.response)) + "\n";
        }
      }
    }
  }
  return text;
}

}  // namespace railhead::modbus
