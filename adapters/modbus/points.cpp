#include "adapters/modbus/points.h"

#include "adapters/modbus/codec.h"
#include "gateway/base/text.h"

namespace railhead::modbus {
namespace {

struct TypeRow {
  std::string_view name;
  Type type;
  std::uint8_t size;
};

constexpr std::array kTypes{
    TypeRow{"bool", Type::boolean, 0},    TypeRow{"int8", Type::int8, 1},       TypeRow{"uint8", Type::uint8, 1},
    TypeRow{"int16", Type::int16, 2},     TypeRow{"uint16", Type::uint16, 2},   TypeRow{"int32", Type::int32, 4},
    TypeRow{"uint32", Type::uint32, 4},   TypeRow{"int64", Type::int64, 8},     TypeRow{"uint64", Type::uint64, 8},
    TypeRow{"float16", Type::float16, 2}, TypeRow{"float32", Type::float32, 4}, TypeRow{"float64", Type::float64, 8},
    TypeRow{"bcd16", Type::bcd16, 2},     TypeRow{"bcd32", Type::bcd32, 4},     TypeRow{"bcd64", Type::bcd64, 8},
    TypeRow{"string", Type::string, 0},
};

bool is_fraction(Type type) { return type == Type::float16 || type == Type::float32 || type == Type::float64; }

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

std::uint16_t Point::span() const noexcept {
  if (holds_bits(table)) return 1;
  if (type == Type::string) return static_cast<std::uint16_t>((length + 1) / 2);
  return static_cast<std::uint16_t>(size_of(type) <= 2 ? 1 : size_of(type) / 2);
}

std::optional<Problem> Point::problem() const {
  using Field = Problem::Field;
  const std::string kind(name_of(type));
  if (holds_bits(table)) {
    const std::string where(name_of(table));
    if (type != Type::boolean)
      return Problem{Field::type, "a " + where + " is one bit: only type bool fits, not " + kind};
    if (order.size != 0) return Problem{Field::order, "a " + where + " is one bit and has no byte order"};
    if (bits) return Problem{Field::bits, "a " + where + " is one bit already: bit and bits are for registers"};
  }
  if (type == Type::string) {
    if (length == 0) return Problem{Field::type, "a string needs its length in bytes"};
    if (span() > kRegistersMax) {
      return Problem{Field::length, "a string of at most 250 bytes can be read in one request"};
    }
    if (order.size != 0 && order.size != 2) return Problem{Field::order, "the order of a string is AB or BA"};
  } else if (length != 0) {
    return Problem{Field::length, "length is for strings; a " + kind + " has a size of its own"};
  }
  const std::size_t letters = type == Type::boolean ? 2 : size_of(type);
  if (type != Type::string && order.size != 0 && order.size != letters) {
    return Problem{Field::order, "the order of " + kind + " has " + std::to_string(letters) +
                                     (letters == 1 ? " letter" : " letters") + ", not " + std::to_string(order.size)};
  }
  if ((scale || offset) && (type == Type::boolean || type == Type::string)) {
    return Problem{Field::scale, "scale and offset are for numbers, not for " + kind};
  }
  if (bits) {
    if (type == Type::string || is_fraction(type) || type == Type::bcd16 || type == Type::bcd32 ||
        type == Type::bcd64) {
      return Problem{Field::bits, "bit and bits are for integers, not for " + kind};
    }
    const std::size_t width = type == Type::boolean ? 16 : size_of(type) * 8;
    const unsigned end = unsigned{bits->lowest} + bits->count;
    if (bits->count == 0 || end > width) {
      return Problem{Field::bits, "bits " + std::to_string(bits->lowest) + ".." + std::to_string(end - 1) +
                                      " do not lie within the " + std::to_string(width) + " bits of " + kind};
    }
    if (type == Type::boolean && bits->count != 1) return Problem{Field::bits, "a bool is a single bit"};
  }
  if (std::uint32_t{address} + span() > 65536) {
    return Problem{Field::address, "the point reaches beyond address 65535"};
  }
  return std::nullopt;
}

}  // namespace railhead::modbus
