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
#include <utility>
#include <vector>

#include "adapters/modbus/scaling.h"
#include "gateway/base/time.h"
#include "gateway/message/value.h"

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
  int48,
  uint48,
  int64,
  uint64,
  float16,  // IEEE 754 binary16, 32, 64
  float32,
  float64,
  bcd16,  // 4, 8, 12, 16 decimal digits, four bits each
  bcd32,
  bcd48,
  bcd64,
  mod10k32,  // each register a signed number of four decimal digits, the first the most significant
  mod10k48,
  mod10k64,
  string,  // `length` bytes; order AB (default) or BA within each register
  // Points in time, UTC.
  unix32,      // unsigned seconds since 1970
  unix64,      // signed seconds
  unix64_ms,   // signed milliseconds
  cp56,        // IEC 60870-5-4 CP56Time2a as a 64 bit number whose first byte is 0: year, month, day, hour, minute, ms
  s7_time,     // DATE_AND_TIME: BCD year, month, day, hour, minute, second, milliseconds and day of the week
  date_bytes,  // a byte each: year since 2000, month, day, hour, minute, second
  date_words,  // a register each: year, month, day, hour, minute, second
  // SunSpec's own; each implies its "not implemented".
  acc16,
  acc32,
  acc64,
  enum16,
  enum32,
  bitfield16,
  bitfield32,
  bitfield64,
  sunssf,  // int16, the power of ten of other points
  ipaddr,
  ipv6addr,
  eui48,
};

// What the bits of a type are, apart from their number.
enum class Nature : std::uint8_t { boolean, whole, fraction, bcd, mod10k, text, date, address };

[[nodiscard]] std::string_view name_of(Type type) noexcept;
[[nodiscard]] std::optional<Type> type_named(std::string_view name) noexcept;
// Bytes of a value; 0 for boolean and string.
[[nodiscard]] std::size_t size_of(Type type) noexcept;
[[nodiscard]] Nature nature_of(Type type) noexcept;
[[nodiscard]] bool is_signed(Type type) noexcept;  // of Nature::whole
// Of SunSpec's own types, whose "not implemented" needs no `absent: sunspec`.
[[nodiscard]] bool is_sunspec(Type type) noexcept;

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

// One name of a bit field: a bit is a bool, several are a number.
struct NamedBits {
  std::string name;
  BitField field;
  friend bool operator==(const NamedBits&, const NamedBits&) = default;
};

// Bit patterns by which a device says "not implemented" or "not connected": the point is absent then, and not bad.
struct Absent {
  std::vector<std::uint64_t> raw;  // of the value, most significant byte first, before bits, scale and offset
  bool not_a_number = false;       // any NaN
  bool top_bit = false;            // of a SunSpec bit field: nothing else in it counts
  bool empty = false;              // a text without characters; an address of zeros
  [[nodiscard]] bool any() const { return !raw.empty() || not_a_number || top_bit || empty; }
  friend bool operator==(const Absent&, const Absent&) = default;
};

// How a point is written.
enum class WriteFunction : std::uint8_t {
  automatic,   // a single coil by 5, several by 15; a register by 6, several by 16; bits of a register by 22
  multiple,    // 15 and 16 also for one
  read_write,  // 23 where it is read back
};
struct WriteLimits {
  std::optional<double> min{};
  std::optional<double> max{};
  std::optional<double> step{};  // from min, or from 0
  std::vector<Value> values{};   // not empty: one of these
  WriteFunction function = WriteFunction::automatic;
  bool verify = false;  // read back
};

// Which field of a point does not fit, and why.
struct Problem {
  enum class Field : std::uint8_t { address, type, order, bits, length, scale, names, absent, count, factor, clamp };
  Field field = Field::type;
  std::string why;
};

struct Point {
  std::string name;
  Table table = Table::holding;
  std::uint16_t address = 0;            // with an anchor: counted from its model's first register
  std::optional<std::uint32_t> anchor;  // index of the device's anchor (sunspec.h) that will place it
  Type type = Type::uint16;
  ByteOrder order;
  std::optional<BitField> bits;
  bool single = false;       // `bits` is one bit, and the value a bool
  std::uint16_t length = 0;  // of a string, in bytes
  std::optional<Decimal> scale;
  std::optional<Decimal> offset;
  std::optional<Decimal> least;  // the value is limited to these, after scale and offset
  std::optional<Decimal> most;
  std::vector<NamedBits> flags;                             // not empty: the value is a map of these
  std::vector<std::pair<std::int64_t, std::string>> names;  // not empty: the value is the name of the number
  Absent absent;
  std::uint16_t count = 0;              // not 0: a list of so many, one behind the other
  std::optional<std::uint32_t> factor;  // index of the device's point whose value is the power of ten of this one
  bool hidden = false;                  // read, but no part of the reading
  std::optional<WriteLimits> write;     // it may be written
  std::string unit;
  Duration every{};

  // Registers, or bits of a coil or discrete input, that the point occupies; and that one item of it does.
  [[nodiscard]] std::uint16_t span() const noexcept;
  [[nodiscard]] std::uint16_t item_span() const noexcept;
  // Why these fields do not fit together, or nothing: what the configuration reports at that field.
  [[nodiscard]] std::optional<Problem> problem() const;
};

// What SunSpec's specification calls "not implemented" for this type.
[[nodiscard]] Absent sunspec_absent(Type type);
// Adds one bit pattern to point.absent: "0x8000" are the bits, "-32768" is the number, "nan", "empty", "sunspec".
// What is wrong with it, or "".
[[nodiscard]] std::string add_absent(Point& point, std::string_view written);
// A whole number, decimal or 0x...
[[nodiscard]] std::optional<std::int64_t> parse_code(std::string_view text) noexcept;

}  // namespace railhead::modbus
