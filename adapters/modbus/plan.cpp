#include "adapters/modbus/plan.h"

#include <algorithm>
#include <map>

#include "gateway/base/assert.h"

namespace railhead::modbus {
namespace {

std::uint32_t end_of(const Point& point) { return std::uint32_t{point.address} + point.span(); }

bool touches(std::span<const Range> forbidden, const Point& point, std::uint32_t first, std::uint32_t end) {
  return std::any_of(forbidden.begin(), forbidden.end(), [&](const Range& range) {
    return range.table == point.table && range.anchor == point.anchor && range.first < end &&
           first < std::uint32_t{range.first} + range.count;
  });
}

// The narrowest block over these points.
Block block_over(std::span<const Point> points, std::span<const std::uint32_t> chosen) {
  Block block;
  block.table = points[chosen.front()].table;
  std::uint32_t first = 65536;
  std::uint32_t end = 0;
  for (const std::uint32_t index : chosen) {
    first = std::min<std::uint32_t>(first, points[index].address);
    end = std::max(end, end_of(points[index]));
  }
  block.address = static_cast<std::uint16_t>(first);
  block.count = static_cast<std::uint16_t>(end - first);
  block.points.assign(chosen.begin(), chosen.end());
  return block;
}

}  // namespace

bool Block::divisible(std::span<const Point> points_of_device) const {
  return std::any_of(points.begin(), points.end(), [&](std::uint32_t index) {
    return points_of_device[index].address != address || points_of_device[index].span() != count;
  });
}

std::vector<Block> plan_reads(std::span<const Point> points, std::span<const std::uint32_t> chosen,
                              const PlanLimits& limits, std::span<const Range> forbidden) {
  std::vector<std::uint32_t> order(chosen.begin(), chosen.end());
  std::sort(order.begin(), order.end(), [&](std::uint32_t left, std::uint32_t right) {
    const Point& a = points[left];
    const Point& b = points[right];
    return std::tuple(a.anchor, a.table, a.address, end_of(a), left) <
           std::tuple(b.anchor, b.table, b.address, end_of(b), right);
  });
  std::vector<Block> blocks;
  std::uint32_t end = 0;
  for (const std::uint32_t index : order) {
    const Point& point = points[index];
    const bool bits = holds_bits(point.table);
    const std::uint32_t most = bits ? limits.bits_max : limits.registers_max;
    const std::uint32_t gap = bits ? limits.gap_max * 16u : limits.gap_max;
    // What has no common place yet is not merged.
    bool joins = !blocks.empty() && blocks.back().table == point.table && point.address <= end + gap &&
                 points[blocks.back().points.front()].anchor == point.anchor;
    if (joins) {
      const std::uint32_t first = blocks.back().address;
      const std::uint32_t joined = std::max(end, end_of(point));
      // A hole that must not be read parts the blocks; a point that itself lies there was wanted in spite of it.
      joins = joined - first <= most && (point.address <= end || !touches(forbidden, point, end, point.address));
    }
    if (!joins) {
      blocks.push_back({point.table, point.address, 0, {}});
      end = point.address;
    }
    end = std::max(end, end_of(point));
    blocks.back().count = static_cast<std::uint16_t>(end - blocks.back().address);
    blocks.back().points.push_back(index);
  }
  return blocks;
}

std::vector<Group> plan_device(std::span<const Point> points, const PlanLimits& limits,
                               std::span<const Range> forbidden) {
  std::map<Duration, std::vector<std::uint32_t>> by_tick;
  for (std::uint32_t i = 0; i < points.size(); ++i) by_tick[points[i].every].push_back(i);
  std::vector<Group> groups;
  groups.reserve(by_tick.size());
  for (const auto& [every, chosen] : by_tick) {
    // A factor is read beside what it scales: both from the same instant.
    std::vector<std::uint32_t> read = chosen;
    for (const std::uint32_t index : chosen) {
      if (points[index].factor && points[*points[index].factor].every != every) read.push_back(*points[index].factor);
    }
    std::sort(read.begin(), read.end());
    read.erase(std::unique(read.begin(), read.end()), read.end());
    groups.push_back({.every = every, .phase = {}, .blocks = plan_reads(points, read, limits, forbidden)});
  }
  return groups;
}

void stagger(std::span<Group* const> groups) {
  std::map<Duration, std::pair<std::int64_t, std::int64_t>> seen;  // every -> how many, how many placed
  for (const Group* group : groups) ++seen[group->every].first;
  for (Group* group : groups) {
    auto& [count, placed] = seen[group->every];
    // Divided first: every x placed could overflow with long ticks and many devices.
    group->phase = group->every / count * placed;
    ++placed;
  }
}

std::pair<Block, Block> split(const Block& block, std::span<const Point> points) {
  RAILHEAD_ASSERT(block.points.size() > 1);
  // Why by address and not by count alone: points over the same registers (bits of one word) stand or fall together.
  std::size_t at = block.points.size() / 2;
  const auto same = [&](std::size_t left, std::size_t right) {
    const Point& a = points[block.points[left]];
    const Point& b = points[block.points[right]];
    return a.address == b.address && a.span() == b.span();
  };
  std::size_t up = at;
  while (up < block.points.size() && same(up - 1, up)) ++up;
  std::size_t down = at;
  while (down > 0 && (down == block.points.size() || same(down - 1, down))) --down;
  at = up < block.points.size() ? up : down;
  RAILHEAD_ASSERT(at > 0 && at < block.points.size());
  const std::span<const std::uint32_t> all(block.points);
  return {block_over(points, all.first(at)), block_over(points, all.subspan(at))};
}

}  // namespace railhead::modbus
