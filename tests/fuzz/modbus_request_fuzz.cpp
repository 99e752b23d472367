// Fuzz target: what a master sends the simulated field, also as RTU frames with noise between them, and what a device
// answers a write. The simulator's unit takes any PDU; the answer to every kind of written step is judged; a chain of
// SunSpec models is followed.
//
// Rooms: adapters/modbus
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/modbus/rtu.h"
#include "adapters/modbus/simulated_unit.h"
#include "adapters/modbus/sunspec.h"
#include "adapters/modbus/write.h"
#include "gateway/base/assert.h"

namespace {

using namespace railhead::modbus;
using railhead::Value;

Point point_of(Table table, std::uint16_t address, Type type, WriteFunction function) {
  Point point;
  point.name = "p" + std::to_string(address);
  point.table = table;
  point.address = address;
  point.type = type;
  point.write = WriteLimits{.function = function, .verify = true};
  return point;
}

const std::vector<Point>& points() {
  static const std::vector<Point> kPoints = [] {
    std::vector<Point> all{point_of(Table::coil, 3, Type::boolean, WriteFunction::automatic),
                           point_of(Table::coil, 4, Type::boolean, WriteFunction::multiple),
                           point_of(Table::holding, 9, Type::uint16, WriteFunction::automatic),
                           point_of(Table::holding, 10, Type::float64, WriteFunction::automatic),
                           point_of(Table::holding, 20, Type::uint32, WriteFunction::read_write),
                           point_of(Table::holding, 30, Type::uint16, WriteFunction::automatic)};
    all.back().bits = BitField{.lowest = 4, .count = 3};
    return all;
  }();
  return kPoints;
}

void judge_answers(std::uint8_t which, std::string_view bytes) {
  const Point& point = points()[which % points().size()];
  const Value value = point.type == Type::boolean   ? Value::boolean(true)
                      : point.type == Type::float64 ? Value::real(1.5)
                                                    : Value::integer(5);
  const Assignment assignment{.point = &point, .value = value};
  const auto steps = plan_writes(std::span(&assignment, 1), true);
  RAILHEAD_ASSERT(steps);
  for (const WriteStep& step : *steps) {
    std::string payload;
    const auto fault = check_answer(step, bytes, &payload);
    if (!fault && step.reads()) RAILHEAD_ASSERT(payload.size() == step.expected.size());
    // With the function right, the rest is tried far more often.
    (void)check_answer(step, step.pdu.substr(0, 1) + std::string(bytes), &payload);
  }
}

void walk_chain(std::string_view bytes) {
  SunspecSearch search;
  for (std::size_t at = 0; at + 4 < bytes.size() && !search.over(); at += 5) {
    const auto word = [&](std::size_t i) {
      return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at + i]) << 8 |
                                        static_cast<unsigned char>(bytes[at + i + 1]));
    };
    if ((bytes[at] & 7) == 7) {
      search.refused();
    } else if ((bytes[at] & 7) == 6) {
      search.answered(0x5375, 0x6e53);
    } else {
      search.answered(word(1), word(3));
    }
  }
  std::vector<Point> anchored = points();
  for (Point& point : anchored) point.anchor = 0;
  const Anchor anchor{.model = "m", .ids = {103}, .instance = 1};
  const Range range{.table = Table::holding, .first = 30, .count = 10, .anchor = 0};
  const PlacedPoints placed = place_points(anchored, std::span(&range, 1), std::span(&anchor, 1), search.chain());
  RAILHEAD_ASSERT(placed.points.size() == anchored.size() && placed.where.size() == anchored.size());
  for (const Point& point : placed.points) RAILHEAD_ASSERT(point.address + point.span() <= 65536u);
}

// As the simulator reads a serial line. The bytes as they are, and with some of them as frames whose check sum is
// right.
void find_requests(std::string_view bytes) {
  std::string line;
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::string_view part = rest.substr(0, 1 + static_cast<unsigned char>(rest[0]) % 40);
    rest.remove_prefix(part.size());
    if ((part[0] & 1) != 0) {
      line += part;
    } else {
      encode_rtu(line, 1, part.substr(1));
    }
  }
  for (std::string_view rest : {bytes, std::string_view(line)}) {
    while (const auto frame = first_rtu_request(rest)) {
      RAILHEAD_ASSERT(frame->size <= rest.size() && frame->skipped + frame->pdu.size() + 3 == frame->size);
      RAILHEAD_ASSERT(frame->pdu.size() <= kPduMax);
      rest.remove_prefix(frame->size);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  judge_answers(data[0], bytes);
  walk_chain(bytes);
  find_requests(bytes);
  SimulatedUnit unit(data[0]);
  unit.add("d", points());
  unit.add(chain_for({}, {}));
  // Several requests, each behind its length.
  double seconds = 0;
  for (std::string_view rest = bytes; rest.size() > 1;) {
    const std::size_t length = std::min<std::size_t>(static_cast<unsigned char>(rest[0]), rest.size() - 1);
    const std::string answer = unit.answer(rest.substr(1, length), seconds += 0.5);
    RAILHEAD_ASSERT(!answer.empty() && answer.size() <= 253);
    rest.remove_prefix(1 + length);
  }
  return 0;
}
