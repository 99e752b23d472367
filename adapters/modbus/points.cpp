#include "adapters/modbus/points.h"

#include "adapters/modbus/codec.h"
#include "gateway/base/text.h"

namespace railhead::modbus {
namespace {

struct TypeRow {
  std::string_view name;
  Type type;
  std::uint8_t size;
  Nature nature;
  bool is_signed = false;
};

constexpr std::array kTypes{
    TypeRow{"bool", Type::boolean, 0, Nature::boolean},
    TypeRow{"int8", Type::int8, 1, Nature::whole, true},
    TypeRow{"uint8", Type::uint8, 1, Nature::whole},
    TypeRow{"int16", Type::int16, 2, Nature::whole, true},
    TypeRow{"uint16", Type::uint16, 2, Nature::whole},
    TypeRow{"int32", Type::int32, 4, Nature::whole, true},
    TypeRow{"uint32", Type::uint32, 4, Nature::whole},
    TypeRow{"int48", Type::int48, 6, Nature::whole, true},
    TypeRow{"uint48", Type::uint48, 6, Nature::whole},
    TypeRow{"int64", Type::int64, 8, Nature::whole, true},
    TypeRow{"uint64", Type::uint64, 8, Nature::whole},
    TypeRow{"float16", Type::float16, 2, Nature::fraction},
    TypeRow{"float32", Type::float32, 4, Nature::fraction},
    TypeRow{"float64", Type::float64, 8, Nature::fraction},
    TypeRow{"bcd16", Type::bcd16, 2, Nature::bcd},
    TypeRow{"bcd32", Type::bcd32, 4, Nature::bcd},
    TypeRow{"bcd48", Type::bcd48, 6, Nature::bcd},
    TypeRow{"bcd64", Type::bcd64, 8, Nature::bcd},
    TypeRow{"mod10k32", Type::mod10k32, 4, Nature::mod10k},
    TypeRow{"mod10k48", Type::mod10k48, 6, Nature::mod10k},
    TypeRow{"mod10k64", Type::mod10k64, 8, Nature::mod10k},
    TypeRow{"string", Type::string, 0, Nature::text},
    TypeRow{"unix32", Type::unix32, 4, Nature::date},
    TypeRow{"unix64", Type::unix64, 8, Nature::date},
    TypeRow{"unix64_ms", Type::unix64_ms, 8, Nature::date},
    TypeRow{"cp56", Type::cp56, 8, Nature::date},
    TypeRow{"s7_time", Type::s7_time, 8, Nature::date},
    TypeRow{"date_bytes", Type::date_bytes, 6, Nature::date},
    TypeRow{"date_words", Type::date_words, 12, Nature::date},
    TypeRow{"acc16", Type::acc16, 2, Nature::whole},
    TypeRow{"acc32", Type::acc32, 4, Nature::whole},
    TypeRow{"acc64", Type::acc64, 8, Nature::whole},
    TypeRow{"enum16", Type::enum16, 2, Nature::whole},
    TypeRow{"enum32", Type::enum32, 4, Nature::whole},
    TypeRow{"bitfield16", Type::bitfield16, 2, Nature::whole},
    TypeRow{"bitfield32", Type::bitfield32, 4, Nature::whole},
    TypeRow{"bitfield64", Type::bitfield64, 8, Nature::whole},
    TypeRow{"sunssf", Type::sunssf, 2, Nature::whole, true},
    TypeRow{"ipaddr", Type::ipaddr, 4, Nature::address},
    TypeRow{"ipv6addr", Type::ipv6addr, 16, Nature::address},
    TypeRow{"eui48", Type::eui48, 8, Nature::address},
};

// The registers carry bytes in file order, two each: no order of eight letters can name them all.
bool is_long(Type type) { return size_of(type) > 8; }

}  // namespace

std::string_view name_of(Table table) noexcept {
  switch (table) {
    case Table::coil: return "coil";
    case Table::discrete: return "discrete";
    case Table::holding: return "holding";
    case Table::input: return "input";
  }
  return "?";
}

std::string_view name_of(Type type) noexcept { return kTypes[static_cast<std::size_t>(type)].name; }

std::optional<Type> type_named(std::string_view name) noexcept {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

std::size_t size_of(Type type) noexcept { return kTypes[static_cast<std::size_t>(type)].size; }

Nature nature_of(Type type) noexcept { return kTypes[static_cast<std::size_t>(type)].nature; }

bool is_signed(Type type) noexcept { return kTypes[static_cast<std::size_t>(type)].is_signed; }

bool is_sunspec(Type type) noexcept { return type >= Type::acc16; }

std::optional<ByteOrder> ByteOrder::parse(std::string_view letters) noexcept {
  if (letters.empty() || letters.size() > 8) return std::nullopt;
  ByteOrder order;
  order.size = static_cast<std::uint8_t>(letters.size());
  unsigned seen = 0;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    // A single letter may also be B: an 8 bit value is one byte of a register.
    const std::size_t most = letters.size() == 1 ? 2 : letters.size();
    if (letters[i] < 'A' || static_cast<std::size_t>(letters[i] - 'A') >= most) return std::nullopt;
    order.value_byte[i] = static_cast<std::uint8_t>(letters[i] - 'A');
    seen |= 1u << order.value_byte[i];
  }
  if (letters.size() > 1 && seen != (1u << letters.size()) - 1) return std::nullopt;
  return order;
}

ByteOrder ByteOrder::big_endian(std::size_t size) noexcept {
  ByteOrder order;
  order.size = static_cast<std::uint8_t>(size);
  for (std::size_t i = 0; i < size; ++i) order.value_byte[i] = static_cast<std::uint8_t>(i);
  return order;
}

std::optional<BitField> BitField::parse(std::string_view text) noexcept {
  std::size_t dash = text.find("..");
  std::size_t skip = 2;
  if (dash == std::string_view::npos) {
    dash = text.find('-');
    skip = 1;
  }
  if (dash == std::string_view::npos) return std::nullopt;
  const auto low = base::parse_uint(base::trim(text.substr(0, dash)));
  const auto high = base::parse_uint(base::trim(text.substr(dash + skip)));
  if (!low || !high || *low > *high || *high > 63) return std::nullopt;
  return BitField{.lowest = static_cast<std::uint8_t>(*low), .count = static_cast<std::uint8_t>(*high - *low + 1)};
}

std::uint16_t Point::item_span() const noexcept {
  if (holds_bits(table)) return 1;
  if (type == Type::string) return static_cast<std::uint16_t>((length + 1) / 2);
  return static_cast<std::uint16_t>(size_of(type) <= 2 ? 1 : size_of(type) / 2);
}

std::uint16_t Point::span() const noexcept {
  return static_cast<std::uint16_t>(item_span() * (count == 0 ? 1 : count));
}

std::optional<Problem> Point::problem() const {
  using Field = Problem::Field;
  const std::string kind(name_of(type));
  const std::string number(single ? "a single bit" : kind);
  const Nature nature = nature_of(type);
  const bool is_number = !single && (nature == Nature::whole || nature == Nature::fraction || nature == Nature::bcd ||
                                     nature == Nature::mod10k);
  if (holds_bits(table)) {
    const std::string where(name_of(table));
    if (type != Type::boolean)
      return Problem{Field::type, "a " + where + " is one bit: only type bool fits, not " + kind};
    if (order.size != 0) return Problem{Field::order, "a " + where + " is one bit and has no byte order"};
    if (bits || !flags.empty()) {
      return Problem{Field::bits, "a " + where + " is one bit already: bit and bits are for registers"};
    }
  }
  const std::uint32_t items = count == 0 ? 1 : count;
  if (items * item_span() > (holds_bits(table) ? kBitsMax : kRegistersMax)) {
    if (count == 0) return Problem{Field::length, "a string of at most 250 bytes can be read in one request"};
    return Problem{Field::count, std::to_string(count) + " of these are more than one request can read"};
  }
  if (type == Type::string) {
    if (length == 0) return Problem{Field::type, "a string needs its length in bytes"};
  } else if (length != 0) {
    return Problem{Field::length, "length is for strings; a " + kind + " has a size of its own"};
  }
  if (type == Type::string || is_long(type)) {
    if (order.size != 0 && order.size != 2) return Problem{Field::order, "the order of a " + kind + " is AB or BA"};
  } else {
    const std::size_t letters = type == Type::boolean ? 2 : size_of(type);
    if (order.size != 0 && order.size != letters) {
      return Problem{Field::order, "the order of " + kind + " has " + base::counted(letters, "letter") + ", not " +
                                       std::to_string(order.size)};
    }
  }
  if ((scale || offset) && !is_number) {
    return Problem{Field::scale, "scale and offset are for numbers, not for " + number};
  }
  if (scale && scale->digits == 0) return Problem{Field::scale, "with scale 0 every number is the same value"};
  if ((least || most) && !is_number) return Problem{Field::clamp, "clamp is for numbers, not for " + number};
  if (factor && !is_number) return Problem{Field::factor, "scale_from is for numbers, not for " + number};
  const auto width_problem = [&](const BitField& field) -> std::optional<Problem> {
    const std::size_t width = type == Type::boolean ? 16 : size_of(type) * 8;
    const unsigned end = unsigned{field.lowest} + field.count;
    if (field.count != 0 && end <= width) return std::nullopt;
    return Problem{Field::bits, "bits " + std::to_string(field.lowest) + ".." + std::to_string(end - 1) +
                                    " do not lie within the " + std::to_string(width) + " bits of " + kind};
  };
  if (bits || !flags.empty()) {
    if (nature != Nature::whole && nature != Nature::boolean) {
      return Problem{Field::bits, "bit and bits are for integers, not for " + kind};
    }
    if (bits) {
      if (auto problem = width_problem(*bits)) return problem;
      if (type == Type::boolean && bits->count != 1) return Problem{Field::bits, "a bool is a single bit"};
    }
    for (const NamedBits& flag : flags) {
      if (auto problem = width_problem(flag.field)) return problem;
    }
    if (!flags.empty() && (scale || offset || least || most || factor || !names.empty() || type == Type::boolean)) {
      return Problem{Field::bits, "bits with names stand for themselves: no scale, clamp or enum, and an integer type"};
    }
  }
  if (!names.empty()) {
    if (nature != Nature::whole && nature != Nature::boolean && nature != Nature::bcd) {
      return Problem{Field::names, "enum is for integers, not for " + kind};
    }
    if (scale || offset || least || most || factor) {
      return Problem{Field::names, "a number with names has no scale, offset or clamp"};
    }
  }
  if (absent.any() && holds_bits(table)) return Problem{Field::absent, "a single bit has no value left for absent"};
  if (least && most && to_real(*least) > to_real(*most)) {
    return Problem{Field::clamp, "the least value of clamp is above the greatest"};
  }
  if (std::uint32_t{address} + items * item_span() > 65536) {
    return Problem{Field::address, "the point reaches beyond address 65535"};
  }
  return std::nullopt;
}

}  // namespace railhead::modbus
