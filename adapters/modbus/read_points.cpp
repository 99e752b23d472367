#include "adapters/modbus/read_points.h"

#include <algorithm>
#include <utility>

#include "adapters/modbus/write.h"
#include "gateway/base/text.h"

namespace railhead::modbus {
namespace {

using config::Node;

Node node_of(Problem::Field field, const Node& point, const Node& key) {
  const auto first = [&](std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
      if (point.find(name).present()) return point.find(name);
    }
    return key;
  };
  switch (field) {
    case Problem::Field::address: return first({"holding", "input", "coil", "discrete"});
    case Problem::Field::type: return first({"type"});
    case Problem::Field::order: return first({"order"});
    case Problem::Field::bits: return first({"bits", "bit"});
    case Problem::Field::length: return first({"length"});
    case Problem::Field::scale: return first({"scale", "offset"});
    case Problem::Field::names: return first({"enum"});
    case Problem::Field::absent: return first({"absent"});
    case Problem::Field::count: return first({"count"});
    case Problem::Field::factor: return first({"scale_from"});
    case Problem::Field::clamp: return first({"clamp"});
  }
  return key;
}

// What 40031 most likely means.
std::string modicon_hint(std::uint32_t written, Table table, Addressing addressing) {
  if (addressing == Addressing::modicon) return {};
  const Result<std::uint16_t> meant = resolve_address(written, table, Addressing::modicon);
  if (!meant || table == Table::coil) return {};
  const std::string digit = table == Table::discrete ? "1" : table == Table::input ? "3" : "4";
  return "in the " + digit + "xxxx notation it is " + std::string(name_of(table)) + ": " + std::to_string(*meant) +
         "; or say addressing: modicon";
}

std::optional<BitField> parse_bits(std::string_view text) {
  if (auto range = BitField::parse(text)) return range;
  const auto bit = base::parse_uint(text);
  if (!bit || *bit > 63) return std::nullopt;
  return BitField{.lowest = static_cast<std::uint8_t>(*bit), .count = 1};
}

}  // namespace

void PointReader::add(const std::map<std::string, PointConfig>& points, const Node& node, const TableOfPoints& table) {
  for (const config::Member& member : node.members()) {
    const auto found = points.find(std::string(member.name()));
    if (found == points.end() || !member.value.is_map()) {
      names_.push_back(table.prefix + std::string(member.name()));
      continue;
    }
    read(found->second, member, table, {});
  }
}

void PointReader::add(const std::map<std::string, RepeatConfig>& blocks, const Node& node, const TableOfPoints& table) {
  for (const config::Member& member : node.members()) {
    const auto found = blocks.find(std::string(member.name()));
    if (found == blocks.end() || !member.value.is_map()) continue;
    const RepeatConfig& block = found->second;
    bool broken = false;
    for (unsigned i = 0; i < block.count; ++i) {
      TableOfPoints one = table;
      one.shift += static_cast<std::int32_t>(i * block.stride);
      one.prefix += found->first + std::to_string(block.first + i) + "_";
      if (broken) {  // the others would say the same
        for (const config::Member& point : member.value.find("points").members()) {
          names_.push_back(one.prefix + std::string(point.name()));
        }
        continue;
      }
      const std::size_t errors = diagnostics_.error_count();
      for (const config::Member& point : member.value.find("points").members()) {
        const auto written = block.points.find(std::string(point.name()));
        if (written == block.points.end() || !point.value.is_map()) {
          names_.push_back(one.prefix + std::string(point.name()));
          continue;
        }
        read(written->second, point, one, table.prefix);
      }
      if (diagnostics_.error_count() > errors && i == 0) broken = true;
    }
  }
}

void PointReader::read(const PointConfig& written, const config::Member& member, const TableOfPoints& table,
                       const std::string& outer) {
  const Node& node = member.value;
  const std::size_t errors = diagnostics_.error_count();
  Placed placed;
  Point& point = placed.point;
  point.name = table.prefix + std::string(member.name());
  if (!written.hidden) names_.push_back(point.name);
  point.anchor = table.anchor;
  point.every = written.every.value_or(table.every);
  point.unit = written.unit;
  point.length = written.length;
  point.scale = written.scale;
  point.offset = written.offset;
  point.hidden = written.hidden;
  point.count = written.count.value_or(0);
  if (written.clamp) {
    point.least = written.clamp->min;
    point.most = written.clamp->max;
  }
  if (!read_address(written, node, table, point)) return;
  if (!read_shape(written, node, point, member.key) || !read_names(written, node, point) ||
      !read_absent(written, table, point)) {
    return;
  }
  // Which one it is is known at the end; that it is there matters to what fits.
  if (!written.scale_from.empty()) point.factor = 0;
  if (const std::optional<Problem> problem = point.problem()) {
    diagnostics_.error(node_of(problem->field, node, member.key), problem->why);
  }
  if (written.write) {
    read_write(*written.write, node.find("write"), point);
  }
  if (diagnostics_.error_count() > errors) return;
  placed.scale_from = written.scale_from;
  placed.scale_from_node = node.find("scale_from");
  placed.prefix = table.prefix;
  placed.outer = outer;
  const auto [place, added] = place_of_.emplace(point.name, placed_.size());
  if (added) {
    placed_.push_back(std::move(placed));
  } else {
    placed_[place->second] = std::move(placed);
  }
}

void PointReader::read_write(const WriteConfig& written, const Node& node, Point& point) {
  if (const std::optional<std::string> obstacle = write_obstacle(point)) {
    diagnostics_.error(node, *obstacle);
    return;
  }
  WriteLimits limits{.min = written.min,
                     .max = written.max,
                     .step = written.step,
                     .function = written.function,
                     .verify = written.verify};
  if (limits.min && limits.max && *limits.min > *limits.max) {
    diagnostics_.error(node, "no value lies between min and max");
  }
  if (limits.step && !(*limits.step > 0)) diagnostics_.error(node.find("step"), "a step is above 0");
  if (written.values.present() && !written.values.is_list()) {
    diagnostics_.error(written.values, "values is a list, like [ 0, 1, 4 ]");
  }
  for (const Node& item : written.values.items()) {
    const std::string_view text = item.text();
    const auto whole = base::parse_int(text);
    const auto number = base::parse_double(text);
    if (!item.quoted() && whole) {
      limits.values.push_back(Value::integer(*whole));
    } else if (!item.quoted() && number) {
      limits.values.push_back(Value::real(*number));
    } else if (!item.quoted() && (text == "true" || text == "false")) {
      limits.values.push_back(Value::boolean(text == "true"));
    } else {
      limits.values.push_back(Value::text(text));
    }
  }
  point.write = std::move(limits);
}

bool PointReader::read_address(const PointConfig& written, const Node& node, const TableOfPoints& table, Point& point) {
  const std::pair<Table, const std::optional<std::uint32_t>*> places[] = {{Table::holding, &written.holding},
                                                                          {Table::input, &written.input},
                                                                          {Table::coil, &written.coil},
                                                                          {Table::discrete, &written.discrete}};
  for (const auto& [in, place] : places) {
    const Node at = node.find(name_of(in));
    if (!at.present()) continue;
    if (!*place) return false;  // reported where the table was read
    point.table = in;
    const std::uint32_t address = **place;
    const Result<std::uint16_t> resolved = resolve_address(address, in, table.addressing);
    if (!resolved) {
      diagnostics_.error(at, resolved.error().what, modicon_hint(address, in, table.addressing));
      return true;  // what else is wrong with it is worth knowing
    }
    const std::int32_t shifted = std::int32_t{*resolved} + table.shift;
    if (shifted < 0 || shifted > 65535) {
      diagnostics_.error(at, "with its offset the address is " + std::to_string(shifted) + "; addresses are 0..65535");
      return true;
    }
    point.address = static_cast<std::uint16_t>(shifted);
    const std::string hint = modicon_hint(address, in, table.addressing);
    if ((address >= 40'001 || !hint.empty()) && !table.addressing_said) {
      diagnostics_.warning(at, "address " + std::to_string(address) + " is counted from 0 as it stands",
                           (hint.empty() ? "" : hint + "; ") + "if it is meant so, say addressing: zero");
    }
    return true;
  }
  return false;  // missing: reported where the table was read
}

// Type, order and bits. False: they were reported.
bool PointReader::read_shape(const PointConfig& written, const Node& node, Point& point, const Node& key) {
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
    diagnostics_.error(key, "point '" + std::string(key.text()) + "' needs the field 'type'", "like type: float32");
    return false;
  }
  if (!written.order.empty()) {
    const auto order = ByteOrder::parse(written.order);
    if (!order) return false;
    point.order = *order;
  }
  if (written.bit) {
    point.bits = BitField{.lowest = *written.bit, .count = 1};
    point.single = true;
  }
  return !written.bits.present() || read_bits(written, point);
}

bool PointReader::read_bits(const PointConfig& written, Point& point) {
  constexpr std::string_view kExpected = "expected a range of bits like 4..7, counted from 0";
  const Node& node = written.bits;
  if (node.is_broken()) return false;
  if (node.is_scalar()) {
    point.bits = BitField::parse(node.text());
    if (!point.bits) diagnostics_.error(node, std::string(kExpected));
    return point.bits.has_value();
  }
  if (!node.is_map() || node.members().empty()) {
    diagnostics_.error(node, std::string(kExpected) + ", or names for bits: {0: running, 4..7: mode}");
    return false;
  }
  bool right = true;
  for (const config::Member& member : node.members()) {
    const auto field = parse_bits(member.name());
    if (!field) {
      diagnostics_.error(member.key, "expected a bit like 3, or a range of bits like 4..7, counted from 0");
      right = false;
    } else if (!member.value.is_scalar() || member.value.text().empty()) {
      diagnostics_.error(member.value.present() ? member.value : member.key, "expected a name for the bit");
      right = false;
    } else {
      point.flags.push_back({.name = std::string(member.value.text()), .field = *field});
    }
  }
  for (std::size_t i = 0; i < point.flags.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (point.flags[i].name != point.flags[j].name) continue;
      diagnostics_.error(node, "two bits have the name '" + point.flags[i].name + "'");
      return false;
    }
  }
  return right;
}

bool PointReader::read_names(const PointConfig& written, const Node& node, Point& point) {
  bool right = true;
  for (const config::Member& member : node.find("enum").members()) {
    const auto found = written.names.find(std::string(member.name()));
    if (found == written.names.end()) continue;
    const auto code = parse_code(member.name());
    if (!code) {
      diagnostics_.error(member.key, "expected a whole number, decimal or 0x...");
      right = false;
      continue;
    }
    if (std::any_of(point.names.begin(), point.names.end(), [&](const auto& name) { return name.first == *code; })) {
      diagnostics_.error(member.key, "the number " + std::to_string(*code) + " has a name already");
      right = false;
    }
    point.names.emplace_back(*code, found->second);
  }
  return right;
}

bool PointReader::read_absent(const PointConfig& written, const TableOfPoints& table, Point& point) {
  const Node& node = written.absent;
  if (!node.present()) {
    if (table.sentinels == Sentinels::sunspec && !holds_bits(point.table)) point.absent = sunspec_absent(point.type);
    return true;
  }
  if (node.is_broken()) return false;
  const std::span<const Node> items = node.is_list() ? node.items() : std::span<const Node>(&node, 1);
  bool right = true;
  for (const Node& item : items) {
    if (item.is_broken()) return false;
    if (!item.is_scalar() || item.is_null()) {
      diagnostics_.error(item, "expected a number, nan, empty or sunspec, or a list of these");
      right = false;
    } else if (std::string fault = add_absent(point, item.text()); !fault.empty()) {
      diagnostics_.error(item, std::move(fault));
      right = false;
    }
  }
  return right;
}

std::vector<Point> PointReader::finish() {
  std::vector<Point> points;
  points.reserve(placed_.size());
  for (Placed& placed : placed_) points.push_back(placed.point);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].factor) find_factor(points, i, placed_[i]);
  }
  return points;
}

void PointReader::find_factor(std::vector<Point>& points, std::size_t index, const Placed& placed) {
  auto found = place_of_.end();
  for (const std::string& prefix : {placed.prefix, placed.outer, std::string()}) {
    found = place_of_.find(prefix + placed.scale_from);
    if (found != place_of_.end()) break;
  }
  const Node& at = placed.scale_from_node;
  if (found == place_of_.end()) {
    points[index].factor.reset();
    // A point that is there, but wrong, was reported.
    if (std::find(names_.begin(), names_.end(), placed.prefix + placed.scale_from) != names_.end()) return;
    std::vector<std::string> known;
    for (const auto& [name, place] : place_of_) known.push_back(name);
    const auto nearest = base::nearest(placed.scale_from, known);
    diagnostics_.error(at, "no point '" + placed.scale_from + "' on this device",
                       nearest ? "did you mean '" + *nearest + "'?" : std::string());
    return;
  }
  const Point& factor = points[found->second];
  const bool fits = nature_of(factor.type) == Nature::whole && size_of(factor.type) <= 2 && !factor.scale &&
                    !factor.offset && factor.count == 0 && factor.flags.empty() && factor.names.empty() &&
                    !placed_[found->second].point.factor;
  if (!fits) {
    points[index].factor.reset();
    diagnostics_.error(at, "point '" + factor.name +
                               "' cannot be a power of ten: it must be a plain integer of one "
                               "register, like type: sunssf");
    return;
  }
  points[index].factor = static_cast<std::uint32_t>(found->second);
}

}  // namespace railhead::modbus
