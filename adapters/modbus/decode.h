// Decoder: registers to values. Everything about a point's type, order and scale is chosen once, when the configuration
// is read; decoding only moves bytes. Results: bool -> boolean; integers and BCD -> integer (uint64: uinteger); floats,
// and everything with a scale or with an
//          offset that has a fraction -> real; string -> text without its padding.
// Errors:  not every bit pattern is a value (BCD with a digit above 9, text that is no UTF-8, a float that is no
// number):
//          then `why` says so and there is no value.
// Threads: immutable after construction; decode() from any.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "adapters/modbus/points.h"
#include "gateway/message/value.h"

namespace railhead::modbus {

struct Decoded {
  Value value;
  std::string_view why;  // empty: value is good; otherwise a text that lives for ever
  [[nodiscard]] bool good() const { return why.empty(); }
};

class Decoder {
 public:
  // `point` has no problem().
  explicit Decoder(const Point& point);

  // `payload`: what a read answered (ReadAnswer); `at`: the point's place in it, in registers or bits. It must hold the
  // whole point.
  [[nodiscard]] Decoded decode(std::string_view payload, std::uint32_t at) const;

 private:
  enum class Shape : std::uint8_t { wire_bit, truth, whole, unsigned_whole, float16, float32, float64, bcd, text };

  [[nodiscard]] std::uint64_t gather(const char* from) const;
  [[nodiscard]] Decoded whole(std::uint64_t raw) const;
  [[nodiscard]] Decoded fraction(double raw) const;
  [[nodiscard]] Decoded text(const char* from) const;

  Shape shape_ = Shape::unsigned_whole;
  std::uint8_t wire_bytes_ = 2;
  std::array<std::uint8_t, 8> shift_{};  // of each byte on the wire within the value
  std::uint64_t mask_ = ~std::uint64_t{0};
  std::uint64_t sign_ = 0;  // the sign bit after shifting and masking; 0: unsigned
  std::uint8_t down_ = 0;   // a bit field's lowest bit
  bool real_ = false;       // the result is real
  bool wide_ = false;       // uint64: the result is uinteger
  bool swapped_ = false;    // text with order BA
  std::uint16_t length_ = 0;
  std::int64_t addend_ = 0;  // an offset without fraction and without scale
  Scaling scaling_;
};

// The decimal digits in `raw`, four bits each, or nullopt.
[[nodiscard]] std::optional<std::uint64_t> from_bcd(std::uint64_t raw) noexcept;
[[nodiscard]] double from_float16(std::uint16_t raw) noexcept;

}  // namespace railhead::modbus
