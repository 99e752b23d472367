// Points: what is to be read of a device, as the vendor's register map names it; filled from the configuration
// (config.h). Units: addresses count from 0 here, whatever the vendor counts from; a register is 16 bits; `every` is
// the tick. Byte orders: letters name the bytes of the value from the most significant (A) on, in the order in which
// the registers
//           carry them: 32 bit ABCD is big-endian, CDAB has the words swapped, BADC the bytes of each word, DCBA all.
// Threads: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/modbus/scaling.h"
#include "gateway/base/time.h"

namespace railhead::modbus {

enum class Table : std::uint8_t { coil, discrete, holding, input };
inline constexpr std::size_t kTables = 4;

[[nodiscard]] std::string_view name_of(Table table) noexcept;
[[nodiscard]] constexpr bool holds_bits(Table table) noexcept {
  return table == Table::coil || table == Table::discrete;
}

enum class Type : std::uint8_t {
  boolean,  // a coil, a discrete input, a bit of a register, or "the register is not 0"
  int8,     // one byte of a register: order B the low one (default), A the high one
  uint8,
  int16,
  uint16,
  int32,
  uint32,
  int64,
  uint64,
  float16,  // IEEE 754 binary16, 32, 64
  float32,
  float64,
  bcd16,  // 4, 8, 16 decimal digits, four bits each
  bcd32,
  bcd64,
  string,  // `length` bytes; order AB (default) or BA within each register
};

[[nodiscard]] std::string_view name_of(Type type) noexcept;
[[nodiscard]] std::optional<Type> type_named(std::string_view name) noexcept;
// Bytes of a value; 0 for boolean and string.
[[nodiscard]] std::size_t size_of(Type type) noexcept;

// A permutation: the byte of the value (0 = most significant, A) that each byte on the wire carries.
struct ByteOrder {
  std::array<std::uint8_t, 8> value_byte{};
  std::uint8_t size = 0;  // 0: not given, the type's default

  // Every permutation of the first letters is an order; nullopt for anything else ("ABBA", "abcd", "ABCE").
  [[nodiscard]] static std::optional<ByteOrder> parse(std::string_view letters) noexcept;
  [[nodiscard]] static ByteOrder big_endian(std::size_t size) noexcept;
  friend bool operator==(const ByteOrder&, const ByteOrder&) = default;
};

struct BitField {
  std::uint8_t lowest = 0;  // 0 = least significant bit of the value
  std::uint8_t count = 1;
  // "4..7" or "4-7".
  [[nodiscard]] static std::optional<BitField> parse(std::string_view text) noexcept;
  friend bool operator==(const BitField&, const BitField&) = default;
};

// Which field of a point does not fit, and why.
struct Problem {
  enum class Field : std::uint8_t { address, type, order, bits, length, scale };
  Field field = Field::type;
  std::string why;
};

struct Point {
  std::string name;
  Table table = Table::holding;
  std::uint16_t address = 0;
  Type type = Type::uint16;
  ByteOrder order;
  std::optional<BitField> bits;
  std::uint16_t length = 0;  // of a string, in bytes
  std::optional<Decimal> scale;
  std::optional<Decimal> offset;
  std::string unit;
  Duration every{};

  // Registers, or bits of a coil or discrete input, that the point occupies.
  [[nodiscard]] std::uint16_t span() const noexcept;
  // Why these fields do not fit together, or nothing: what the configuration reports at that field.
  [[nodiscard]] std::optional<Problem> problem() const;
};

}  // namespace railhead::modbus
