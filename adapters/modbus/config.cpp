#include "adapters/modbus/config.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "adapters/modbus/bus_time.h"
#include "adapters/modbus/decode.h"
#include "adapters/modbus/read_points.h"
#include "gateway/base/text.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"

namespace railhead::modbus {
namespace {

using config::Diagnostics;
using config::Node;

constexpr double kBusyMost = 0.8;

// By name, with what decoding will give; of a point that is wrong the name alone.
std::vector<ports::KnownPoint> known_points(const std::vector<std::string>& names, const std::vector<Point>& points) {
  std::vector<ports::KnownPoint> known;
  for (const std::string& name : names) {
    ports::KnownPoint& one = known.emplace_back(ports::KnownPoint{.name = name});
    const auto point = std::find_if(points.begin(), points.end(), [&](const Point& each) { return each.name == name; });
    if (point == points.end() || point->problem()) continue;
    one.kind = Decoder(*point).kind();
    for (const auto& [code, text] : point->names) one.texts.push_back(text);
    if (one.kind != Kind::map) continue;
    for (const NamedBits& flag : point->flags) {
      const Kind kind = flag.field.count == 1 ? Kind::boolean : flag.field.count == 64 ? Kind::uinteger : Kind::integer;
      one.members.push_back({.name = flag.name, .kind = kind});
    }
  }
  return known;
}

class Reader {
 public:
  Reader(const Node& node, const Node& models, Diagnostics& diagnostics, std::vector<ports::KnownDevice>* known)
      : node_(node), models_(models), diagnostics_(diagnostics), known_(known) {}

  std::optional<SourceOptions> read() {
    const std::size_t errors = diagnostics_.error_count();
    const SourceConfig source = source_fields().read(node_, diagnostics_);
    SourceOptions options;
    options.scheduler.failures_before_down = source.failures;
    options.scheduler.probe.most = source.probe;
    options.scheduler.probe_share = parse_share(source.probe_share).value_or(options.scheduler.probe_share);
    if (node_.find("tls").present()) tls::check(source.tls, node_.find("tls"), diagnostics_);
    const Node devices = node_.find("devices");
    std::map<Endpoint, std::size_t> link_of;
    // In the order of the file: phases and status follow it.
    for (const config::Member& member : devices.members()) {
      const auto found = source.devices.find(std::string(member.name()));
      if (found == source.devices.end() || !member.value.is_map()) {
        if (known_ != nullptr) known_->push_back({.name = std::string(member.name())});
        continue;
      }
      read_device(source, found->first, found->second, member, options, link_of);
    }
    const bool whole = diagnostics_.error_count() == errors;
    check_fit(options);
    if (!whole) return std::nullopt;
    return options;  // also of what does not fit: `check --plan` shows why
  }

 private:
  // A serial line's time is known before anything is sent.
  void check_fit(const SourceOptions& options) {
    const std::vector<LinkGroups> groups = plan_source(options);
    for (std::size_t i = 0; i < options.links.size(); ++i) {
      const LinkPlan& link = options.links[i];
      if (link.link.endpoint.transport != Transport::rtu) continue;
      const double share = utilisation(link, groups[i]);
      if (share <= kBusyMost) continue;
      const std::string what = "the line " + link.link.endpoint.text() + " would be busy " +
                               std::to_string(static_cast<int>(share * 100)) + " % of its time";
      const Node at = node_.find("url").present() ? node_.find("url") : node_.find("devices");
      if (share > 1) {
        diagnostics_.error(at, what + ": that cannot be read so often",
                           "raise every or baud; railhead check --plan shows what needs the time");
      } else {
        diagnostics_.warning(at, what + ": a device that does not answer will cost others their ticks");
      }
    }
  }

  void read_device(const SourceConfig& source, const std::string& name, const DeviceConfig& written,
                   const config::Member& member, SourceOptions& options, std::map<Endpoint, std::size_t>& link_of) {
    const Node& node = member.value;
    DeviceOptions device;
    device.name = name;
    device.unit = written.unit_id;
    device.timeout = written.timeout.value_or(source.timeout);
    device.response = written.response;
    PointReader points(diagnostics_);
    known_whole_ = true;
    add_models(written, node, device, points);
    narrow(device.limits, written);
    forbid(written, written.addressing, 0, device.forbidden);
    const TableOfPoints own{.addressing = written.addressing,
                            .addressing_said = node.find("addressing").present(),
                            .sentinels = written.absent.value_or(Sentinels::none),
                            .every = written.every,
                            .shift = 0,
                            .prefix = {},
                            .anchor = {}};
    points.add(written.points, node.find("points"), own);
    points.add(written.repeat, node.find("repeat"), own);
    device.points = points.finish();
    if (known_ != nullptr) {
      const bool whole = known_whole_ && !node.find("points").is_unfinished() && !node.is_unfinished();
      ports::KnownDevice& known = known_->emplace_back(ports::KnownDevice{.name = name});
      if (whole) known.points = known_points(points.names(), device.points);
      for (const Point& point : device.points) known.rates.emplace(point.name, point.every);
    }
    for (const Point& point : device.points) {
      for (const Range& range : device.forbidden) {
        if (range.table != point.table || range.anchor != point.anchor ||
            range.first >= std::uint32_t{point.address} + point.span() ||
            point.address >= std::uint32_t{range.first} + range.count) {
          continue;
        }
        diagnostics_.error(member.key, "point '" + point.name + "' lies in a forbidden range");
      }
      if (point.span() > (holds_bits(point.table) ? device.limits.bits_max : device.limits.registers_max)) {
        diagnostics_.error(member.key, "point '" + point.name + "' alone has more registers than max_registers");
      }
    }
    const auto given = [&](std::string_view field) { return node.find(field).present(); };
    if (!given("model") && !given("models") && !given("points") && !given("repeat")) {
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
    const Node url = node.find("url").present() ? node.find("url") : node_.find("url");
    if (endpoint->rtu() && (written.unit_id == 0 || written.unit_id > 247)) {
      diagnostics_.error(node.find("unit_id"),
                         "on a serial line units are 1..247; 0 is everybody, and nobody answers it");
    }
    if (endpoint->transport == Transport::rtu) {
      for (const auto& [other, place] : link_of) {
        if (other.host != endpoint->host || other == *endpoint || other.transport != Transport::rtu) continue;
        diagnostics_.error(url, "the line " + endpoint->host + " has other settings at another device");
        break;
      }
    }
    const auto [place, added] = link_of.emplace(*endpoint, options.links.size());
    if (!added) warn_of_twins(options.links[place->second], device, member.key);
    if (added) {
      options.links.emplace_back();
      options.links.back().link.endpoint = *endpoint;
      options.links.back().tls = source.tls;
      LinkOptions& link = options.links.back().link;
      link.connect_timeout = source.connect_timeout;
      link.pipeline = source.pipeline;
      // An adapter that is plugged in again is there soon.
      if (endpoint->transport == Transport::rtu) link.reconnect.most = std::chrono::seconds{2};
    }
    options.links[place->second].devices.push_back(std::move(device));
  }

  // Two devices made by copying one, with its unit_id: both would show the same.
  void warn_of_twins(const LinkPlan& link, const DeviceOptions& device, const Node& key) {
    for (const DeviceOptions& other : link.devices) {
      if (other.unit != device.unit) continue;
      diagnostics_.warning(key, "device '" + device.name + "' is unit " + std::to_string(device.unit) + " at " +
                                    link.link.endpoint.text() + ", as '" + other.name + "' is");
      return;
    }
  }

  // A model as it stands in the configuration or in its file; read once for all devices that name it.
  struct Model {
    config::Document document;  // of its file; what is kept of the points lives as long
    Node node;
    ModelConfig config;
    bool usable = false;
  };

  void add_models(const DeviceConfig& written, const Node& device, DeviceOptions& options, PointReader& points) {
    if (!written.model.empty()) {
      const PlacedModelConfig placed{.model = written.model, .offset = written.offset, .instance = 1, .prefix = {}};
      add_model(placed, device.find("model"), device, written, device, options, points);
    }
    const std::span<const Node> items = device.find("models").items();
    for (std::size_t i = 0; i < written.models.size() && i < items.size(); ++i) {
      if (written.models[i].model.empty()) continue;  // it was reported
      add_model(written.models[i], items[i].find("model"), items[i], written, device, options, points);
    }
  }

  // `at`: where its name stands, `around`: the table that does.
  void add_model(const PlacedModelConfig& placed, const Node& at, const Node& around, const DeviceConfig& written,
                 const Node& device, DeviceOptions& options, PointReader& points) {
    const Model& model = model_named(placed.model, at);
    if (!model.usable) {
      known_whole_ = false;
      return;
    }
    narrow(options.limits, model.config);
    const Addressing addressing = model.config.addressing.value_or(written.addressing);
    std::optional<std::uint32_t> anchor;
    if (!placed.offset && !model.config.sunspec.empty()) {
      anchor = static_cast<std::uint32_t>(options.anchors.size());
      options.anchors.push_back({.model = placed.model, .ids = model.config.sunspec, .instance = placed.instance});
    } else if (placed.instance != 1) {
      diagnostics_.error(around.find("instance"),
                         "an instance is looked for only of a model that says `sunspec`, and "
                         "without an offset");
    }
    const std::int32_t shift = placed.offset.value_or(0);
    const std::size_t already = options.forbidden.size();
    forbid(model.config, addressing, shift, options.forbidden);
    for (std::size_t i = already; i < options.forbidden.size(); ++i) options.forbidden[i].anchor = anchor;
    const TableOfPoints table{.addressing = addressing,
                              .addressing_said = model.config.addressing.has_value() ||
                                                 device.find("addressing").present() || shift != 0 || anchor,
                              .sentinels = model.config.absent.value_or(written.absent.value_or(Sentinels::none)),
                              .every = written.every,
                              .shift = shift,
                              .prefix = placed.prefix,
                              .anchor = anchor};
    points.add(model.config.points, model.node.find("points"), table);
    points.add(model.config.repeat, model.node.find("repeat"), table);
  }

  const Model& model_named(const std::string& name, const Node& at) {
    static const Model kNone;
    const Node node = models_.find(name);
    if (!node.present()) {
      std::vector<std::string> known;
      for (const config::Member& member : models_.members()) known.emplace_back(member.name());
      const auto nearest = base::nearest(name, known);
      diagnostics_.error(at, "no model '" + name + "' under models",
                         nearest ? "did you mean '" + *nearest + "'?" : std::string());
      return kNone;
    }
    const auto [place, added] = read_models_.try_emplace(name);
    Model& model = place->second;
    if (!added) return model;
    model.node = node;
    model.config = model_fields().read(node, diagnostics_);
    if (!model.config.file.empty()) {
      model.document = config::Document::load_file(model.config.file, node.find("file"), diagnostics_);
      model.node = model.document.root();
      if (!model.node.present()) return model;
      model.config = model_fields().read(model.node, diagnostics_);
      if (!model.config.file.empty()) {
        diagnostics_.error(model.node.find("file"), "a model's file holds its points, not another file");
        return model;
      }
    }
    const bool has_points = model.node.find("points").present() || model.node.find("repeat").present();
    if (!has_points && !model.node.find("file").present()) {
      diagnostics_.error(model.node, "model '" + name + "' has no points", "it needs points, repeat or file");
    }
    model.usable = has_points;
    return model;
  }

  void forbid(const LimitsConfig& written, Addressing addressing, std::int32_t shift, std::vector<Range>& forbidden) {
    for (const config::Located<std::string>& one : written.forbidden) {
      const std::optional<Range> range = parse_range(one.value, addressing, shift);
      if (range) {
        forbidden.push_back(*range);
      } else {
        diagnostics_.error(one.mark, one.length,
                           "expected a table and a range of its addresses, like holding 100..199");
      }
    }
  }

  static void narrow(PlanLimits& limits, const LimitsConfig& written) {
    limits.gap_max = written.max_gap.value_or(limits.gap_max);
    limits.registers_max = written.max_registers.value_or(limits.registers_max);
    limits.bits_max = written.max_bits.value_or(limits.bits_max);
  }

  const Node& node_;
  const Node& models_;
  Diagnostics& diagnostics_;
  std::vector<ports::KnownDevice>* known_;
  bool known_whole_ = true;  // every model of the device at hand could be read
  std::map<std::string, Model> read_models_;
};

}  // namespace

std::optional<SourceOptions> read_source(const Node& node, const Node& models, Diagnostics& diagnostics,
                                         std::vector<ports::KnownDevice>* known) {
  return Reader(node, models, diagnostics, known).read();
}

}  // namespace railhead::modbus
