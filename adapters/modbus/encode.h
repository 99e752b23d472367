// Encoder: the inverse of Decoder: values to registers, exactly. What decode() would not give back is refused, never
// rounded: with scale 0.1 the value 21.37 lies between two registers' values and is nobody's. (Floats take the nearest
// float of their size.)
// Errors:  Errc::invalid with what does not fit: kind, range, step.
// Threads: immutable after construction; encode() from any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/modbus/points.h"
#include "gateway/base/result.h"
#include "gateway/message/value.h"

namespace railhead::modbus {

// As it goes onto the wire: two bytes a register; of a coil or discrete input one byte, 0 or 1.
struct Encoded {
  std::string bytes;
  std::string mask;  // which bits of `bytes` are the point's; empty: all of them
};

class Encoder {
 public:
  // `point` has no problem() and no obstacle().
  explicit Encoder(const Point& point);
  // Why values of this point cannot be encoded, or nothing.
  [[nodiscard]] static std::optional<std::string> obstacle(const Point& point);

  [[nodiscard]] Result<Encoded> encode(const Value& value) const;
  // The nearest value that the registers can hold; a text is the number's digits. What the simulator shows.
  [[nodiscard]] Encoded nearest(double value) const;

 private:
  enum class Shape : std::uint8_t { wire_bit, truth, whole, float16, float32, float64, bcd, text };

  [[nodiscard]] Encoded placed(std::uint64_t raw) const;
  [[nodiscard]] Result<std::uint64_t> raw_of(const Value& value) const;
  [[nodiscard]] Result<std::uint64_t> whole(const Value& value) const;
  [[nodiscard]] Result<std::uint64_t> in_range(bool negative, std::uint64_t magnitude) const;
  [[nodiscard]] Result<std::uint64_t> fraction(double value) const;
  [[nodiscard]] Result<Encoded> text(const Value& value) const;

  Shape shape_ = Shape::whole;
  std::uint8_t wire_bytes_ = 2;
  std::array<std::uint8_t, 8> shift_{};
  std::uint8_t down_ = 0;
  unsigned width_ = 16;  // bits of the value
  bool signed_ = false;
  bool partial_ = false;  // only some bits of the registers
  bool swapped_ = false;
  std::uint16_t length_ = 0;
  std::uint64_t digits_most_ = 0;       // of BCD
  std::optional<std::int64_t> addend_;  // an offset without fraction and no scale: integers stay exact
  double scale_real_ = 1;
  double offset_real_ = 0;
  Scaling scaling_;
  std::vector<std::pair<std::int64_t, std::string>> names_;
};

}  // namespace railhead::modbus
