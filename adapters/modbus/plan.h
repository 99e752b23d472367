// Plan: which requests read which points. Points of one device, one `every` and one table are merged into as few reads
// as the limits allow, also across holes that are cheaper to read than to ask around. Pure and deterministic: the same
// points give the same plan, whatever order they are written in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "adapters/modbus/codec.h"
#include "adapters/modbus/points.h"

namespace railhead::modbus {

struct PlanLimits {
  std::uint16_t registers_max = kRegistersMax;
  std::uint16_t bits_max = kBitsMax;
  std::uint16_t gap_max = 10;  // registers of a hole that is still read through; 16 times as many bits

  friend bool operator==(const PlanLimits&, const PlanLimits&) = default;
};

// Addresses that no request may touch.
struct Range {
  Table table = Table::holding;
  std::uint16_t first = 0;
  std::uint16_t count = 1;
  std::optional<std::uint32_t> anchor{};  // as of a Point
};

// One read request and the points that it answers.
struct Block {
  Table table = Table::holding;
  std::uint16_t address = 0;
  std::uint16_t count = 0;
  std::vector<std::uint32_t> points;  // indices, by address, then index

  // False when every point needs the whole range: no split would leave anything out.
  [[nodiscard]] bool divisible(std::span<const Point> points_of_device) const;
  friend bool operator==(const Block&, const Block&) = default;
};

// All that a device reads at one tick.
struct Group {
  Duration every{};
  Duration phase{};           // of the first tick after the start
  std::vector<Block> blocks;  // by table, then address
};

// Merges the points `chosen` (indices into `points`).
[[nodiscard]] std::vector<Block> plan_reads(std::span<const Point> points, std::span<const std::uint32_t> chosen,
                                            const PlanLimits& limits, std::span<const Range> forbidden = {});

// All points of a device, grouped by `every`, the fastest first. A point that is the factor of others is read in their
// groups too.
[[nodiscard]] std::vector<Group> plan_device(std::span<const Point> points, const PlanLimits& limits,
                                             std::span<const Range> forbidden = {});

// Spreads the first ticks of groups with the same `every` evenly over it, so that not all are due at the same instant.
void stagger(std::span<Group* const> groups);

// Two blocks that answer the same points, each within its own narrower range. `block` is divisible.
[[nodiscard]] std::pair<Block, Block> split(const Block& block, std::span<const Point> points);

}  // namespace railhead::modbus
