#include "adapters/modbus/simulated_unit.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "adapters/modbus/codec.h"
#include "adapters/modbus/wire.h"

namespace railhead::modbus {
namespace {

constexpr double kFreshSeconds = 0.05;  // a value is computed anew after this

struct Habit {
  std::string_view unit;
  double middle;
  double swing;
  bool rising = false;
};

// What a quantity of this unit usually looks like.
constexpr std::array kHabits{
    Habit{"V", 230, 4},         Habit{"kV", 20, 0.2},      Habit{"mV", 500, 200},     Habit{"A", 12, 6},
    Habit{"mA", 12, 6},         Habit{"W", 1500, 900},     Habit{"kW", 15, 9},        Habit{"MW", 2, 1},
    Habit{"VA", 1600, 900},     Habit{"kVA", 16, 9},       Habit{"var", 300, 200},    Habit{"kvar", 3, 2},
    Habit{"Hz", 50, 0.03},      Habit{"°C", 45, 20},       Habit{"K", 300, 10},       Habit{"%", 50, 40},
    Habit{"bar", 3, 1},         Habit{"mbar", 1013, 10},   Habit{"hPa", 1013, 10},    Habit{"kPa", 101, 1},
    Habit{"Pa", 101'300, 900},  Habit{"1/min", 1450, 30},  Habit{"rpm", 1450, 30},    Habit{"m/s", 4, 3},
    Habit{"ppm", 600, 200},     Habit{"lx", 400, 300},     Habit{"m³/h", 12, 5},      Habit{"l/min", 20, 8},
    Habit{"Wh", 0, 1500, true}, Habit{"kWh", 0, 15, true}, Habit{"MWh", 0, 2, true},  Habit{"varh", 0, 300, true},
    Habit{"kvarh", 0, 3, true}, Habit{"m³", 0, 12, true},  Habit{"l", 0, 1200, true}, Habit{"h", 0, 1, true},
    Habit{"s", 0, 3600, true},
};
constexpr Habit kUnknown{"", 50, 40};
constexpr Habit kFactor{"", 0.93, 0.04};

// A number in [0, 1) that is the same for the same names.
double fraction_of(std::uint64_t seed, std::string_view device, std::string_view point, unsigned which) {
  std::uint64_t hash = 14695981039346656037u ^ seed ^ (std::uint64_t{which} << 56);
  for (const std::string_view text : {device, point}) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    hash = (hash ^ 0xff) * 1099511628211u;
  }
  hash ^= hash >> 32;
  return static_cast<double>(hash % 1'000'003) / 1'000'003.0;
}

std::string exception(unsigned function, unsigned code) {
  return {static_cast<char>(function | 0x80u), static_cast<char>(code)};
}

}  // namespace

void SimulatedUnit::Area::extend(std::uint32_t from, std::uint32_t end) {
  if (cells.empty()) first = from;
  if (from < first) {
    cells.insert(cells.begin(), first - from, 0);
    first = from;
  }
  if (end > first + cells.size()) cells.resize(end - first);
}

void SimulatedUnit::add(const SunspecChain& chain) {
  Area& where = area(Table::holding);
  const auto put = [&](std::uint32_t address, std::uint16_t one, std::uint16_t two) {
    where.extend(address, address + 2);
    where.cells[address - where.first] = one;
    where.cells[address + 1 - where.first] = two;
  };
  put(chain.base, 0x5375, 0x6e53);
  std::uint32_t end = std::uint32_t{chain.base} + 2;
  for (const SunspecModel& model : chain.models) {
    put(model.address, model.id, model.length);
    end = std::uint32_t{model.address} + 2 + model.length;
  }
  put(end, 0xffff, 0);
}

void SimulatedUnit::add(const std::string& device, const std::vector<Point>& points) {
  std::vector<bool> is_power(points.size());
  for (const Point& point : points) {
    if (point.factor) is_power[*point.factor] = true;
  }
  for (std::size_t number = 0; number < points.size(); ++number) {
    const Point& point = points[number];
    Area& where = area(point.table);
    const std::uint32_t first = point.address;
    const std::uint32_t end = first + point.span();
    where.extend(first, end);
    // A power of ten stays 0: the points it scales show what they are.
    if (Encoder::obstacle(point) || is_power[number] || point.type == Type::sunssf) continue;
    Moving moving{Encoder(point)};
    moving.address = point.address;
    moving.span = point.item_span();
    for (const auto& [code, name] : point.names) moving.codes.push_back(code);
    moving.is_bit = point.type == Type::boolean;
    const auto habit =
        std::find_if(kHabits.begin(), kHabits.end(), [&](const Habit& h) { return h.unit == point.unit; });
    const bool is_factor = point.unit.empty() && point.name.find("factor") != std::string::npos;
    const Habit& chosen = habit != kHabits.end() ? *habit : is_factor ? kFactor : kUnknown;
    moving.rising = chosen.rising;
    // Meters of one model are not all alike.
    moving.middle = chosen.middle * (0.97 + 0.06 * fraction_of(seed_, device, point.name, 0));
    if (chosen.middle == 230 || chosen.middle == 50) moving.middle = chosen.middle;
    if (chosen.rising) moving.middle = 100 + 9000 * fraction_of(seed_, device, point.name, 0);
    moving.swing = chosen.swing;
    moving.period = 40 + 200 * fraction_of(seed_, device, point.name, 1);
    moving.phase = 2 * std::numbers::pi * fraction_of(seed_, device, point.name, 2);
    where.span_most = std::max(where.span_most, moving.span);
    for (std::uint16_t item = 0; item < std::max<std::uint16_t>(point.count, 1); ++item) {
      where.moving.push_back(moving);
      moving.address = static_cast<std::uint16_t>(moving.address + moving.span);
      moving.phase += 0.4;
    }
  }
  for (Area& where : areas_) {
    std::stable_sort(where.moving.begin(), where.moving.end(),
                     [](const Moving& left, const Moving& right) { return left.address < right.address; });
  }
}

// Brings what a request touches up to date.
void SimulatedUnit::move(Area& area, std::uint32_t address, std::uint32_t count, double seconds) {
  const std::uint32_t from = address < area.span_most ? 0 : address - area.span_most;
  auto point = std::lower_bound(area.moving.begin(), area.moving.end(), from,
                                [](const Moving& one, std::uint32_t wanted) { return one.address < wanted; });
  for (; point != area.moving.end() && point->address < address + count; ++point) {
    if (point->held || point->address + point->span <= address) continue;
    if (point->computed >= 0 && seconds - point->computed < kFreshSeconds) continue;
    point->computed = seconds;
    const double turn = 2 * std::numbers::pi * seconds / point->period;
    double value = point->middle;
    if (!point->codes.empty()) {
      const auto at = static_cast<std::size_t>(seconds / point->period + point->phase) % point->codes.size();
      value = static_cast<double>(point->codes[at]);
    } else if (point->is_bit) {
      value = std::sin(turn + point->phase) > 0 ? 1 : 0;
    } else if (point->rising) {
      value += point->swing * seconds / 3600;
    } else {
      value += point->swing * (0.7 * std::sin(turn + point->phase) + 0.3 * std::sin(7 * turn + 2 * point->phase));
    }
    const Encoded encoded = point->encoder.nearest(value);
    std::uint16_t* cell = area.cells.data() + (point->address - area.first);
    if (encoded.bytes.size() == 1) {
      *cell = static_cast<std::uint16_t>(encoded.bytes[0] != 0);
      continue;
    }
    for (std::size_t i = 0; i + 1 < encoded.bytes.size(); i += 2, ++cell) {
      const unsigned mask = encoded.mask.empty() ? 0xffff : word_at(encoded.mask, i);
      *cell = static_cast<std::uint16_t>((*cell & ~mask) | (word_at(encoded.bytes, i) & mask));
    }
  }
}

void SimulatedUnit::hold(Area& area, std::uint32_t address, std::uint32_t count) {
  for (Moving& moving : area.moving) {
    if (moving.address < address + count && address < std::uint32_t{moving.address} + moving.span) moving.held = true;
  }
}

std::string SimulatedUnit::read(Table table, std::uint8_t function, std::string_view pdu, double seconds) {
  if (pdu.size() < 5) return exception(function, 3);
  const std::uint32_t address = word_at(pdu, 1);
  const std::uint32_t count = word_at(pdu, 3);
  const bool bits = holds_bits(table);
  if (count == 0 || count > (bits ? kBitsMax : kRegistersMax)) return exception(function, 3);
  Area& from = area(table);
  if (!from.covers(address, count)) return exception(function, 2);
  move(from, address, count, seconds);
  const std::uint16_t* cell = from.cells.data() + (address - from.first);
  std::string answer{static_cast<char>(function)};
  if (!bits) {
    answer.push_back(static_cast<char>(count * 2));
    for (std::uint32_t i = 0; i < count; ++i) put_word(answer, cell[i]);
    return answer;
  }
  answer.push_back(static_cast<char>((count + 7) / 8));
  std::string packed((count + 7) / 8, '\0');
  for (std::uint32_t i = 0; i < count; ++i) {
    if (cell[i] != 0) packed[i / 8] = static_cast<char>(static_cast<unsigned char>(packed[i / 8]) | 1u << (i % 8));
  }
  return answer + packed;
}

// Functions 15 and 16.
std::string SimulatedUnit::write_many(std::uint8_t function, std::string_view pdu, double seconds) {
  const bool bits = function == 15;
  if (pdu.size() < 6) return exception(function, 3);
  const std::uint32_t address = word_at(pdu, 1);
  const std::uint32_t count = word_at(pdu, 3);
  const std::size_t bytes = bits ? (count + 7) / 8 : count * 2;
  if (count == 0 || count > (bits ? 1968u : 123u) || byte_at(pdu, 5) != bytes || pdu.size() != 6 + bytes) {
    return exception(function, 3);
  }
  Area& to = area(bits ? Table::coil : Table::holding);
  if (!to.covers(address, count)) return exception(function, 2);
  move(to, address, count, seconds);
  hold(to, address, count);
  std::uint16_t* cell = to.cells.data() + (address - to.first);
  for (std::uint32_t i = 0; i < count; ++i) {
    cell[i] = static_cast<std::uint16_t>(bits ? byte_at(pdu, 6 + i / 8) >> (i % 8) & 1 : word_at(pdu, 6 + 2 * i));
  }
  return std::string(pdu.substr(0, 5));
}

std::string SimulatedUnit::answer(std::string_view pdu, double seconds) {
  if (pdu.empty()) return exception(0, 1);
  const auto function = static_cast<std::uint8_t>(pdu[0]);
  switch (function) {
    case 1: return read(Table::coil, function, pdu, seconds);
    case 2: return read(Table::discrete, function, pdu, seconds);
    case 3: return read(Table::holding, function, pdu, seconds);
    case 4: return read(Table::input, function, pdu, seconds);
    case 15:
    case 16: return write_many(function, pdu, seconds);
    default: break;
  }
  if (function != 5 && function != 6 && function != 22 && function != 23) return exception(function, 1);
  if (pdu.size() < 5) return exception(function, 3);
  Area& to = area(function == 5 ? Table::coil : Table::holding);
  if (function == 23) {
    // [MB 6.17]: written first, then read.
    if (pdu.size() < 10) return exception(function, 3);
    std::string write(1, '\x10');
    write += pdu.substr(5);
    const std::string written = write_many(16, write, seconds);
    if (static_cast<unsigned char>(written[0]) != 16) return exception(function, byte_at(written, 1));
    std::string answer = read(Table::holding, 3, pdu.substr(0, 5), seconds);
    answer[0] = static_cast<char>(static_cast<unsigned char>(answer[0]) == 3 ? 23 : 23 | 0x80);
    return answer;
  }
  const std::uint32_t address = word_at(pdu, 1);
  if (!to.covers(address, 1)) return exception(function, 2);
  std::uint16_t& cell = to.cells[address - to.first];
  if (function == 5) {
    const unsigned wanted = word_at(pdu, 3);
    if (wanted != 0 && wanted != 0xff00) return exception(function, 3);
    hold(to, address, 1);
    cell = wanted != 0 ? 1 : 0;
  } else if (function == 6) {
    move(to, address, 1, seconds);
    hold(to, address, 1);
    cell = static_cast<std::uint16_t>(word_at(pdu, 3));
  } else {
    if (pdu.size() < 7) return exception(function, 3);
    move(to, address, 1, seconds);
    hold(to, address, 1);
    cell = static_cast<std::uint16_t>((cell & word_at(pdu, 3)) | (word_at(pdu, 5) & ~word_at(pdu, 3)));  // [MB 6.16]
  }
  return std::string(pdu);
}

}  // namespace railhead::modbus
