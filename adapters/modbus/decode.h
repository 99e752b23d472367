// Decoder: registers to values. Everything about a point's type, order and scale is chosen once, when the configuration
// is read; decoding only moves bytes.
// Results: bool -> boolean; integers, BCD and mod10k -> integer (uint64: uinteger); floats, and everything with a
//          scale, a factor or an offset that has a fraction -> real; string and addresses -> text; dates -> timestamp;
//          named bits -> map of bools and integers; a number with names -> text; `count` -> list of any of these.
// Absent:  what the device says by a bit pattern of its own ("not implemented") is neither a value nor bad.
// Errors:  not every bit pattern is a value (BCD with a digit above 9, text that is no UTF-8, a float that is no
// number,
//          a 31st of June): then `why` says so and there is no value.
// Threads: immutable after construction; decode() from any.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/modbus/points.h"
#include "adapters/modbus/scaling.h"
#include "gateway/message/value.h"

namespace railhead::modbus {

struct Decoded {
  Value value;
  std::string_view why;  // empty: value is good; otherwise a text that lives for ever
  bool absent = false;   // the device does not have it: no value, and nothing wrong
  [[nodiscard]] bool good() const { return why.empty() && !absent; }
};

class Decoder {
 public:
  // `point` has no problem().
  explicit Decoder(const Point& point);

  // `payload`: what a read answered (ReadAnswer); `at`: the point's place in it, in registers or bits. It must hold the
  // whole point. `exponent`: the power of ten that the point's factor holds; 0 for points without one.
  [[nodiscard]] Decoded decode(std::string_view payload, std::uint32_t at, int exponent = 0) const;
  // Of every good value.
  [[nodiscard]] Kind kind() const noexcept;

 private:
  enum class Shape : std::uint8_t {
    wire_bit,
    truth,
    whole,
    unsigned_whole,
    float16,
    float32,
    float64,
    bcd,
    mod10k,
    text,
    date,
    date_words,
    address
  };

  [[nodiscard]] Decoded item(std::string_view payload, std::uint32_t at, int exponent) const;
  [[nodiscard]] std::uint64_t gather(const char* from) const;
  [[nodiscard]] bool is_absent(std::uint64_t raw) const;
  [[nodiscard]] Decoded number(std::uint64_t raw, int exponent) const;
  [[nodiscard]] Decoded whole(std::uint64_t raw, int exponent) const;
  [[nodiscard]] Decoded fraction(double raw, int exponent) const;
  [[nodiscard]] Decoded limited(double value) const;
  [[nodiscard]] Decoded limited(std::int64_t value) const;
  [[nodiscard]] Decoded named_bits(std::uint64_t raw) const;
  [[nodiscard]] Value name_of_code(std::int64_t code) const;
  [[nodiscard]] Decoded text(const char* from) const;
  [[nodiscard]] Decoded long_value(const char* from) const;
  template <class Raw>
  [[nodiscard]] double scaled(Raw raw, int exponent) const {
    if (exponent == 0) return scaling_.apply(raw);
    return Scaling({scale_.digits, scale_.exponent + exponent}, offset_).apply(raw);
  }

  struct Flag {
    Value name;
    BitField field;
  };

  // What every value needs, side by side.
  Shape shape_ = Shape::unsigned_whole;
  Type type_ = Type::uint16;
  std::uint8_t wire_bytes_ = 2;
  std::uint8_t down_ = 0;  // a bit field's lowest bit
  bool real_ = false;      // the result is real
  bool wide_ = false;      // uint64: the result is uinteger
  bool has_absent_ = false;
  bool clamped_ = false;
  std::array<std::uint8_t, 8> shift_{};  // of each byte on the wire within the value
  std::uint64_t mask_ = ~std::uint64_t{0};
  std::uint64_t sign_ = 0;   // the sign bit after shifting and masking; 0: unsigned
  std::int64_t addend_ = 0;  // an offset without fraction and without scale
  std::uint16_t count_ = 0;  // 0: one, no list
  std::uint16_t item_span_ = 1;
  std::uint16_t length_ = 0;  // of a text
  bool swapped_ = false;      // text with order BA
  bool has_flags_ = false;
  bool has_names_ = false;
  // Of some only.
  Scaling scaling_;
  Decimal scale_{1, 0};
  Decimal offset_{0, 0};
  // Of the whole value, before the bits are taken out.
  std::uint8_t word_down_ = 0;
  std::uint64_t word_mask_ = ~std::uint64_t{0};
  Absent absent_;
  std::vector<Flag> flags_;
  std::vector<std::pair<std::int64_t, Value>> names_;  // by number
  // An integer stays one: its limits are the whole numbers within.
  double least_real_ = 0;
  double most_real_ = 0;
  std::int64_t least_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t most_ = std::numeric_limits<std::int64_t>::max();
  std::uint64_t least_wide_ = 0;
  std::uint64_t most_wide_ = std::numeric_limits<std::uint64_t>::max();
};

// The decimal digits in `raw`, four bits each, or nullopt.
[[nodiscard]] std::optional<std::uint64_t> from_bcd(std::uint64_t raw) noexcept;
[[nodiscard]] double from_float16(std::uint16_t raw) noexcept;

}  // namespace railhead::modbus
