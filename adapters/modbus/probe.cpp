#include "adapters/modbus/probe.h"

#include <algorithm>
#include <cmath>
#include <thread>
#include <tuple>

#include "adapters/modbus/decode.h"
#include "adapters/modbus/wire.h"

namespace railhead::modbus {
namespace {

constexpr std::uint16_t kBlock = 32;
constexpr std::uint32_t kPart = 8;
constexpr unsigned kSilencesMax = 3;

struct Shape {
  Type type;
  double cost;  // a type that many values fit by chance costs more
};
constexpr Shape kShapes[] = {
    {Type::float32, 0.0}, {Type::uint16, 1.0}, {Type::int16, 1.2},    {Type::uint32, 1.5},   {Type::int32, 1.7},
    {Type::float64, 2.0}, {Type::uint64, 3.0}, {Type::int64, 3.2},    {Type::uint48, 3.3},   {Type::int48, 3.4},
    {Type::bcd16, 3.5},   {Type::bcd32, 3.7},  {Type::bcd48, 3.8},    {Type::bcd64, 3.9},    {Type::float16, 4.0},
    {Type::uint8, 4.2},   {Type::int8, 4.3},   {Type::mod10k32, 4.5}, {Type::mod10k48, 4.6}, {Type::mod10k64, 4.7},
};

struct Order {
  std::string_view letters;
  double cost;
};
constexpr Order kOrders[] = {
    {"AB", 0},       {"BA", 1.5},       {"ABCD", 0},       {"CDAB", 0.3},     {"BADC", 1.5}, {"DCBA", 1.5},
    {"ABCDEFGH", 0}, {"GHEFCDAB", 0.5}, {"BADCFEHG", 1.5}, {"HGFEDCBA", 1.5}, {"ABCDEF", 0}, {"EFCDAB", 0.5},
    {"BADCFE", 1.5}, {"FEDCBA", 1.5},   {"B", 0},          {"A", 0.1},
};

struct Factor {
  Decimal decimal;
  double cost;
};
constexpr Factor kFactors[] = {
    {{1, 0}, 0}, {{1, -1}, 0.2}, {{1, -2}, 0.4}, {{1, -3}, 0.6}, {{1, 1}, 1.5}, {{1, 2}, 1.7}, {{1, 3}, 1.6},
};

std::string decimal_text(Decimal decimal) {
  if (decimal.exponent >= 0)
    return std::to_string(decimal.digits) + std::string(static_cast<std::size_t>(decimal.exponent), '0');
  return "0." + std::string(static_cast<std::size_t>(-decimal.exponent - 1), '0') + std::to_string(decimal.digits);
}

}  // namespace

std::vector<Candidate> rank(const std::map<Table, Registers>& read, Table table, std::uint16_t address, double expected,
                            double resolution, double within) {
  std::vector<Candidate> found;
  for (const auto& [from, registers] : read) {
    for (const int off_by : {0, -1, 1}) {
      const int at = int{address} + off_by;
      if (at < 0 || at > 65535) continue;
      for (const Shape& shape : kShapes) {
        Point point;
        point.table = from;
        point.address = static_cast<std::uint16_t>(at);
        point.type = shape.type;
        std::string payload;
        bool whole = true;
        for (unsigned i = 0; i < point.span(); ++i) {
          const auto cell = registers.find(static_cast<std::uint16_t>(at + static_cast<int>(i)));
          whole = whole && cell != registers.end();
          if (!whole) break;
          payload.push_back(static_cast<char>(cell->second >> 8));
          payload.push_back(static_cast<char>(cell->second & 0xff));
        }
        if (!whole) continue;
        for (const Order& order : kOrders) {
          if (order.letters.size() != size_of(shape.type)) continue;
          point.order = *ByteOrder::parse(order.letters);
          for (const Factor& factor : kFactors) {
            if (size_of(shape.type) == 1 && !(factor.decimal == Decimal{1, 0})) break;  // would fit anything
            point.scale = factor.decimal == Decimal{1, 0} ? std::nullopt : std::optional(factor.decimal);
            if (point.problem()) continue;
            const Decoded decoded = Decoder(point).decode(payload, 0);
            if (!decoded.good() || !decoded.value.is_number()) continue;
            const double value = decoded.value.to_real();
            const double off = std::fabs(value - expected) / std::max(std::fabs(expected), 1e-9);
            if (!(off <= within) || (expected == 0 && value != 0)) continue;
            const double cost = shape.cost + order.cost + factor.cost + (off_by != 0 ? 2.0 : 0.0) +
                                (from != table ? 1.5 : 0.0) + (std::fabs(value - expected) > resolution ? 3.0 : 0.0) +
                                off / std::max(within, 1e-12);
            found.push_back({.point = point, .value = value, .off = off, .cost = cost});
          }
        }
      }
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Candidate& left, const Candidate& right) { return left.cost < right.cost; });
  return found;
}

std::string point_line(const std::string& name, const Point& point) {
  std::string line = name + ": { " + std::string(name_of(point.table)) + ": " + std::to_string(point.address);
  if (!holds_bits(point.table)) line += ", type: " + std::string(name_of(point.type));
  const std::size_t size = size_of(point.type);
  const bool usual = size == 1 ? point.order.value_byte[0] == 1 : point.order == ByteOrder::big_endian(size);
  if (point.order.size != 0 && !usual) {
    line += ", order: ";
    for (std::size_t i = 0; i < size; ++i) line.push_back(static_cast<char>('A' + point.order.value_byte[i]));
  }
  if (point.scale) line += ", scale: " + decimal_text(*point.scale);
  return line + " }";
}

Scan scan(Conversation& conversation, const ProbeOptions& options, Table table, std::uint16_t first, std::uint16_t last,
          const Progress& progress) {
  Scan result;
  // Ranges still to ask, the lowest address at the back.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> open;
  for (std::uint32_t end = std::uint32_t{last} + 1; end > first;) {
    const std::uint32_t begin = end - first > kBlock ? first + (end - first - 1) / kBlock * kBlock : first;
    open.emplace_back(begin, end - begin);
    end = begin;
  }
  unsigned silences = 0;
  std::optional<Error> silence;
  while (!open.empty()) {
    if (result.requests >= options.requests_max) {
      result.cut_short = {Errc::full, "stopped after " + std::to_string(result.requests) + " requests (--most)"};
      break;
    }
    const auto [begin, count] = open.back();
    open.pop_back();
    if (result.requests++ > 0) std::this_thread::sleep_for(options.pause);
    if (progress) progress(std::string(name_of(table)) + " " + std::to_string(begin));
    const Result<Conversation::Answer> answer = conversation.ask({.unit = options.unit,
                                                                  .table = table,
                                                                  .address = static_cast<std::uint16_t>(begin),
                                                                  .count = static_cast<std::uint16_t>(count)});
    if (!answer) {
      if (answer.error().code == Errc::timeout && ++silences < kSilencesMax) {
        silence = answer.error();
        continue;
      }
      result.cut_short = answer.error();
      break;
    }
    silences = 0;
    if (answer->exception == 0) {
      for (std::uint32_t i = 0; i < count; ++i) {
        const unsigned cell =
            holds_bits(table) ? byte_at(answer->payload, i / 8) >> (i % 8) & 1 : word_at(answer->payload, 2 * i);
        result.registers[static_cast<std::uint16_t>(begin + i)] = static_cast<std::uint16_t>(cell);
      }
      continue;
    }
    ++result.refused[answer->exception];
    // "Illegal function": this table is not there at all.
    if (answer->exception == 1) break;
    if (count == 1 || (answer->exception != 2 && answer->exception != 3 && answer->exception != 4)) continue;
    const std::uint32_t part = count > kPart ? kPart : 1;
    for (std::uint32_t end = begin + count; end > begin;) {
      const std::uint32_t from = begin + (end - begin - 1) / part * part;
      open.emplace_back(from, end - from);
      end = from;
    }
  }
  // Few requests, and none was answered: nobody is there.
  if (!result.cut_short && result.registers.empty() && result.refused.empty()) result.cut_short = silence;
  return result;
}

Result<SunspecChain> walk_sunspec(const ReadRegisters& read) {
  SunspecSearch search;
  while (!search.over()) {
    const auto words = read(search.address(), kSunspecReads);
    if (words) {
      search.answered((*words)[0], (*words)[1]);
    } else if (words.error().code == Errc::device) {
      search.refused();
    } else {
      return fail(words.error());
    }
  }
  if (!search.outcome()) return fail(search.outcome().error());
  return search.chain();
}

std::vector<UnitFound> scan_units(Conversation& conversation, const ProbeOptions& options, std::uint8_t first,
                                  std::uint8_t last, Table table, std::uint16_t address, const Progress& progress) {
  std::vector<UnitFound> units;
  for (unsigned unit = first; unit <= last; ++unit) {
    if (unit > first) std::this_thread::sleep_for(options.pause);
    if (progress) progress("unit " + std::to_string(unit));
    UnitFound found{.unit = static_cast<std::uint8_t>(unit), .what = {}, .there = false};
    const Result<Conversation::Answer> answer =
        conversation.ask({.unit = found.unit, .table = table, .address = address, .count = 1});
    if (!answer) {
      found.what = answer.error().what;
    } else if (answer->exception == 0) {
      found.there = true;
      found.what = "answers";
    } else {
      // A gateway speaks for the units behind it: 10 and 11 say that nobody is there.
      found.there = answer->exception != 10 && answer->exception != 11;
      found.what = exception_text(answer->exception) + (found.there ? ": it is there" : "");
    }
    units.push_back(std::move(found));
    if (!answer && answer.error().code == Errc::unavailable) break;
  }
  return units;
}

}  // namespace railhead::modbus
