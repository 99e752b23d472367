#include "adapters/modbus/config.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"

namespace railhead::modbus {
namespace {

using config::Diagnostics;
using config::Node;

// A device's point while it is being put together: where it was written decides its place in the reading.
struct Placed {
  Point point;
  config::Mark mark;
};

class Reader {
 public:
  Reader(const Node& node, const Node& models, Diagnostics& diagnostics)
      : node_(node), models_(models), diagnostics_(diagnostics) {}

  std::optional<SourceOptions> read() {
    const std::size_t errors = diagnostics_.error_count();
    const SourceConfig source = source_fields().read(node_, diagnostics_);
    SourceOptions options;
    options.scheduler.failures_before_down = source.failures;
    options.scheduler.probe.most = source.probe;
    if (node_.find("tls").present()) tls::check(source.tls, node_.find("tls"), diagnostics_);
    const Node devices = node_.find("devices");
    std::map<Endpoint, std::size_t> link_of;
    // In the order of the file: phases and status follow it.
    for (const config::Member& member : devices.members()) {
      const auto found = source.devices.find(std::string(member.name()));
      if (found == source.devices.end() || !member.value.is_map()) continue;
      read_device(source, found->first, found->second, member, options, link_of);
    }
    if (diagnostics_.error_count() > errors) return std::nullopt;
    return options;
  }

 private:
  void read_device(const SourceConfig& source, const std::string& name, const DeviceConfig& written,
                   const config::Member& member, SourceOptions& options, std::map<Endpoint, std::size_t>& link_of) {
    const Node& node = member.value;
    DeviceOptions device;
    device.name = name;
    device.unit = written.unit_id;
    device.timeout = written.timeout.value_or(source.timeout);
    std::vector<Placed> points;
    add_model(written, node, device.limits, points);
    narrow(device.limits, written);
    std::vector<Placed> own;
    add_points(written.points, node.find("points"), written.addressing, node.find("addressing").present(),
               written.every, own);
    for (Placed& placed : own) {
      const auto same = std::find_if(points.begin(), points.end(),
                                     [&](const Placed& other) { return other.point.name == placed.point.name; });
      if (same != points.end()) {
        *same = std::move(placed);
      } else {
        points.push_back(std::move(placed));
      }
    }
    for (Placed& placed : points) {
      if (placed.point.span() >
          (holds_bits(placed.point.table) ? device.limits.bits_max : device.limits.registers_max)) {
        diagnostics_.error(member.key, "point '" + placed.point.name + "' alone has more registers than max_registers");
      }
      device.points.push_back(std::move(placed.point));
    }
    if (!node.find("model").present() && !node.find("points").present()) {
      diagnostics_.error(member.key, "device '" + name + "' has neither a model nor points");
    }
    if (written.url.empty() && source.url.empty()) {
      if (!node.find("url").present() && !node_.find("url").present()) {
        diagnostics_.error(member.key, "device '" + name + "' has no url, and the source has none either",
                           "like url: tcp://10.0.0.17:502");
      }
      return;
    }
    const Result<Endpoint> endpoint = parse_url(written.url.empty() ? source.url : written.url);
    if (!endpoint) return;  // it was reported where it was read
    const auto [place, added] = link_of.emplace(*endpoint, options.links.size());
    if (added) {
      options.links.emplace_back();
      options.links.back().link.endpoint = *endpoint;
      options.links.back().tls = source.tls;
      options.links.back().link.connect_timeout = source.connect_timeout;
    }
    options.links[place->second].devices.push_back(std::move(device));
  }

  void add_model(const DeviceConfig& written, const Node& device, PlanLimits& limits, std::vector<Placed>& points) {
    if (written.model.empty()) return;
    const Node at = device.find("model");
    const Node model = models_.find(written.model);
    if (!model.present()) {
      std::vector<std::string> known;
      for (const config::Member& member : models_.members()) known.emplace_back(member.name());
      const auto nearest = base::nearest(written.model, known);
      diagnostics_.error(at, "no model '" + written.model + "' under models",
                         nearest ? "did you mean '" + *nearest + "'?" : std::string());
      return;
    }
    const ModelConfig config = model_fields().read(model, diagnostics_);
    if (config.file.empty()) {
      narrow(limits, config);
      return add_model_points(config, model, written, device, points);
    }
    // The nodes of the file live while it is read; what is kept of them is copied.
    const config::Document document = config::Document::load_file(config.file, model.find("file"), diagnostics_);
    if (!document.root().present()) return;
    const ModelConfig inside = model_fields().read(document.root(), diagnostics_);
    if (!inside.file.empty()) {
      diagnostics_.error(document.root().find("file"), "a model's file holds its points, not another file");
      return;
    }
    narrow(limits, inside);
    add_model_points(inside, document.root(), written, device, points);
  }

  static void narrow(PlanLimits& limits, const LimitsConfig& written) {
    limits.gap_max = written.max_gap.value_or(limits.gap_max);
    limits.registers_max = written.max_registers.value_or(limits.registers_max);
    limits.bits_max = written.max_bits.value_or(limits.bits_max);
  }

  void add_model_points(const ModelConfig& model, const Node& node, const DeviceConfig& written, const Node& device,
                        std::vector<Placed>& points) {
    const bool said = model.addressing.has_value() || device.find("addressing").present();
    add_points(model.points, node.find("points"), model.addressing.value_or(written.addressing), said, written.every,
               points);
  }

  void add_points(const std::map<std::string, PointConfig>& written, const Node& node, Addressing addressing,
                  bool addressing_said, Duration every, std::vector<Placed>& points) {
    for (const config::Member& member : node.members()) {
      const auto found = written.find(std::string(member.name()));
      if (found == written.end() || !member.value.is_map()) continue;
      std::optional<Point> point = read_point(found->second, member, addressing, addressing_said, every);
      if (point) points.push_back({std::move(*point), member.key.mark()});
    }
  }

  // nullopt when it was wrong, and reported.
  std::optional<Point> read_point(const PointConfig& written, const config::Member& member, Addressing addressing,
                                  bool addressing_said, Duration every) {
    const Node& node = member.value;
    const std::size_t errors = diagnostics_.error_count();
    Point point;
    point.name = std::string(member.name());
    point.every = written.every.value_or(every);
    point.unit = written.unit;
    point.length = written.length;
    point.scale = written.scale;
    point.offset = written.offset;
    std::optional<std::uint32_t> address;
    Node address_node;
    const std::pair<Table, const std::optional<std::uint32_t>*> places[] = {{Table::holding, &written.holding},
                                                                            {Table::input, &written.input},
                                                                            {Table::coil, &written.coil},
                                                                            {Table::discrete, &written.discrete}};
    for (const auto& [table, place] : places) {
      if (!node.find(name_of(table)).present()) continue;
      point.table = table;
      address = *place;
      address_node = node.find(name_of(table));
      break;
    }
    if (!address) return std::nullopt;  // missing or wrong: reported where the table was read
    const Result<std::uint16_t> resolved = resolve_address(*address, point.table, addressing);
    if (!resolved) {
      diagnostics_.error(address_node, resolved.error().what, modicon_hint(*address, point.table, addressing));
    } else {
      point.address = *resolved;
      if (*address >= 40'001 && !addressing_said) {
        diagnostics_.warning(address_node, "address " + std::to_string(*address) + " is counted from 0 as it stands",
                             *address <= 49'999 ? modicon_hint(*address, point.table, addressing)
                                                : std::string("if it is meant so, say addressing: zero"));
      }
    }
    if (!read_shape(written, node, point, member)) return std::nullopt;
    if (const std::optional<Problem> problem = point.problem()) {
      diagnostics_.error(node_of(problem->field, node, address_node, member.key), problem->why);
    }
    if (written.write) {
      diagnostics_.warning(node.find("write"), "writing is not yet in this version: the point is only read");
    }
    if (diagnostics_.error_count() > errors) return std::nullopt;
    return point;
  }

  // Type, order and bits. False: they were reported.
  bool read_shape(const PointConfig& written, const Node& node, Point& point, const config::Member& member) {
    const bool is_bit = holds_bits(point.table) || written.bit;
    if (written.type) {
      point.type = *written.type;
    } else if (node.find("type").present()) {
      return false;
    } else if (is_bit) {
      point.type = Type::boolean;
    } else if (node.find("bits").present()) {
      point.type = Type::uint16;
    } else if (node.find("bit").present()) {
      return false;
    } else {
      diagnostics_.error(member.key, "point '" + point.name + "' needs the field 'type'", "like type: float32");
      return false;
    }
    if (!written.order.empty()) {
      const auto order = ByteOrder::parse(written.order);
      if (!order) return false;
      point.order = *order;
    }
    if (written.bit) point.bits = BitField{.lowest = *written.bit, .count = 1};
    if (!written.bits.empty()) {
      point.bits = BitField::parse(written.bits);
      if (!point.bits) return false;
    }
    return true;
  }

  static Node node_of(Problem::Field field, const Node& point, const Node& address, const Node& key) {
    const auto or_key = [&](const Node& node) { return node.present() ? node : key; };
    switch (field) {
      case Problem::Field::address: return address;
      case Problem::Field::type: return or_key(point.find("type"));
      case Problem::Field::order: return or_key(point.find("order"));
      case Problem::Field::bits: return or_key(point.find("bits").present() ? point.find("bits") : point.find("bit"));
      case Problem::Field::length: return or_key(point.find("length"));
      case Problem::Field::scale:
        return or_key(point.find("scale").present() ? point.find("scale") : point.find("offset"));
    }
    return key;
  }

  // What 40031 most likely means.
  static std::string modicon_hint(std::uint32_t written, Table table, Addressing addressing) {
    if (addressing == Addressing::modicon) return {};
    const Result<std::uint16_t> meant = resolve_address(written, table, Addressing::modicon);
    if (!meant || table == Table::coil) return {};
    return "in the 4xxxx notation it is " + std::string(name_of(table)) + ": " + std::to_string(*meant) +
           "; or say addressing: modicon";
  }

  const Node& node_;
  const Node& models_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::optional<SourceOptions> read_source(const Node& node, const Node& models, Diagnostics& diagnostics) {
  return Reader(node, models, diagnostics).read();
}

}  // namespace railhead::modbus
