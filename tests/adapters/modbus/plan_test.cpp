#include "adapters/modbus/plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace railhead::modbus {
namespace {

using std::chrono::seconds;

Point at(Table table, unsigned address, Type type = Type::uint16, Duration every = seconds{1}) {
  Point point;
  point.name = "p" + std::to_string(address);
  point.table = table;
  point.address = static_cast<std::uint16_t>(address);
  point.type = holds_bits(table) ? Type::boolean : type;
  point.every = every;
  return point;
}

// "holding 0+10, coil 4+1"
std::string shown(const std::vector<Block>& blocks) {
  std::string text;
  for (const Block& block : blocks) {
    text += (text.empty() ? "" : ", ") + std::string(name_of(block.table)) + " " + std::to_string(block.address) + "+" +
            std::to_string(block.count);
  }
  return text;
}

std::string plan_of(const std::vector<Point>& points, PlanLimits limits = {}, std::vector<Range> forbidden = {}) {
  std::vector<std::uint32_t> all(points.size());
  std::iota(all.begin(), all.end(), 0u);
  return shown(plan_reads(points, all, limits, forbidden));
}

constexpr Table kHolding = Table::holding;

TEST_CASE("neighbours become one request, tables stay apart") {
  CHECK(plan_of({at(kHolding, 0), at(kHolding, 1), at(kHolding, 2, Type::float32)}) == "holding 0+4");
  CHECK(plan_of({at(kHolding, 5), at(Table::input, 5), at(Table::coil, 5), at(Table::discrete, 5)}) ==
        "coil 5+1, discrete 5+1, holding 5+1, input 5+1");
  CHECK(plan_of({}) == "");
}

TEST_CASE("holes are read through up to the gap, not beyond") {
  CHECK(plan_of({at(kHolding, 0), at(kHolding, 11)}) == "holding 0+12");
  CHECK(plan_of({at(kHolding, 0), at(kHolding, 12)}) == "holding 0+1, holding 12+1");
  CHECK(plan_of({at(kHolding, 0), at(kHolding, 2)}, {.gap_max = 0}) == "holding 0+1, holding 2+1");
  CHECK(plan_of({at(kHolding, 0), at(kHolding, 1)}, {.gap_max = 0}) == "holding 0+2");
  CHECK(plan_of({at(Table::coil, 0), at(Table::coil, 161)}) == "coil 0+162");
  CHECK(plan_of({at(Table::coil, 0), at(Table::coil, 162)}) == "coil 0+1, coil 162+1");
}

TEST_CASE("a request holds 125 registers or 2000 bits at most, and no value is cut") {
  std::vector<Point> points;
  for (unsigned i = 0; i < 126; ++i) points.push_back(at(kHolding, i));
  CHECK(plan_of(points) == "holding 0+125, holding 125+1");
  points.clear();
  for (unsigned i = 0; i < 63; ++i) points.push_back(at(kHolding, i * 2, Type::float32));
  CHECK(plan_of(points) == "holding 0+124, holding 124+2");
  points.clear();
  for (unsigned i = 0; i < 2001; ++i) points.push_back(at(Table::discrete, i));
  CHECK(plan_of(points) == "discrete 0+2000, discrete 2000+1");
  CHECK(plan_of({at(kHolding, 0, Type::uint64), at(kHolding, 4, Type::uint64)}, {.registers_max = 6}) ==
        "holding 0+4, holding 4+4");
}

TEST_CASE("overlapping points share the registers") {
  CHECK(plan_of({at(kHolding, 10), at(kHolding, 10), at(kHolding, 10, Type::uint32), at(kHolding, 11)}) ==
        "holding 10+2");
  CHECK(plan_of({at(kHolding, 0, Type::uint64), at(kHolding, 1), at(kHolding, 4)}) == "holding 0+5");
}

TEST_CASE("forbidden holes part the requests") {
  const Range hole{.table = kHolding, .first = 3, .count = 1};
  CHECK(plan_of({at(kHolding, 2), at(kHolding, 4)}, {}, {hole}) == "holding 2+1, holding 4+1");
  CHECK(plan_of({at(kHolding, 2), at(kHolding, 3), at(kHolding, 4)}, {}, {hole}) == "holding 2+3");
  CHECK(plan_of({at(Table::input, 2), at(Table::input, 4)}, {}, {hole}) == "input 2+3");
}

TEST_CASE("the order of the configuration does not matter") {
  std::vector<Point> points;
  for (unsigned i = 0; i < 300; i += 3) points.push_back(at(kHolding, i, Type::float32));
  const std::string expected = plan_of(points);
  const unsigned seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(points.begin(), points.end(), random);
    CHECK(plan_of(points) == expected);
  }
}

TEST_CASE("whatever the points, each is read once and lies within its block") {
  const unsigned seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<Point> points;
    const Type types[] = {Type::int8, Type::uint16, Type::float32, Type::uint64, Type::boolean};
    for (unsigned i = 0; i < random() % 60; ++i) {
      points.push_back(at(static_cast<Table>(random() % 4), static_cast<unsigned>(random() % 400), types[random() % 5],
                          seconds{1 + static_cast<int>(random() % 3)}));
    }
    const PlanLimits limits{.registers_max = static_cast<std::uint16_t>(4 + random() % 122),
                            .bits_max = static_cast<std::uint16_t>(1 + random() % 2000),
                            .gap_max = static_cast<std::uint16_t>(random() % 40)};
    std::vector<unsigned> seen(points.size());
    Duration before{};
    for (const Group& group : plan_device(points, limits)) {
      CHECK(group.every > before);
      before = group.every;
      for (const Block& block : group.blocks) {
        CHECK(block.count <= (holds_bits(block.table) ? limits.bits_max : limits.registers_max));
        for (const std::uint32_t index : block.points) {
          ++seen[index];
          CHECK(points[index].every == group.every);
          CHECK(points[index].table == block.table);
          CHECK(points[index].address >= block.address);
          CHECK(points[index].address + points[index].span() <= block.address + block.count);
        }
      }
    }
    CHECK(std::all_of(seen.begin(), seen.end(), [](unsigned times) { return times == 1; }));
  }
}

TEST_CASE("a split narrows both halves and keeps every point") {
  std::vector<Point> points{at(kHolding, 0), at(kHolding, 4), at(kHolding, 8, Type::float32), at(kHolding, 12)};
  const Block whole{kHolding, 0, 13, {0, 1, 2, 3}};
  CHECK(whole.divisible(points));
  const auto [first, second] = split(whole, points);
  CHECK(first == Block{kHolding, 0, 5, {0, 1}});
  CHECK(second == Block{kHolding, 8, 5, {2, 3}});
  CHECK_FALSE(Block{kHolding, 8, 2, {2}}.divisible(points));
}

TEST_CASE("points over the same register are never parted") {
  std::vector<Point> points{at(kHolding, 5), at(kHolding, 5), at(kHolding, 5), at(kHolding, 6)};
  const auto [first, second] = split(Block{kHolding, 5, 2, {0, 1, 2, 3}}, points);
  CHECK(first == Block{kHolding, 5, 1, {0, 1, 2}});
  CHECK(second == Block{kHolding, 6, 1, {3}});
  CHECK_FALSE(first.divisible(points));
  points.back().address = 4;
  const auto [low, high] = split(Block{kHolding, 4, 2, {3, 0, 1, 2}}, points);
  CHECK(low == Block{kHolding, 4, 1, {3}});
  CHECK(high == Block{kHolding, 5, 1, {0, 1, 2}});
}

TEST_CASE("groups with the same tick start evenly spread") {
  std::vector<Group> groups(6);
  for (std::size_t i = 0; i < 4; ++i) groups[i].every = seconds{1};
  groups[4].every = seconds{10};
  groups[5].every = seconds{10};
  std::vector<Group*> all;
  for (Group& group : groups) all.push_back(&group);
  stagger(all);
  using std::chrono::milliseconds;
  const Duration expected[] = {milliseconds{0},   milliseconds{250}, milliseconds{500},
                               milliseconds{750}, milliseconds{0},   seconds{5}};
  for (std::size_t i = 0; i < 6; ++i) CHECK(groups[i].phase == expected[i]);
}

}  // namespace
}  // namespace railhead::modbus
