// Scaling: value = raw x scale + offset, computed exactly and rounded once to the nearest double: 73 x 0.1 is 7.3
// (S24). Threads: immutable after construction.
#pragma once

#include <cstdint>
#include <optional>

#include "gateway/config/scalars.h"

namespace railhead::modbus {

using config::Decimal;

class Scaling {
 public:
  Scaling() : Scaling(Decimal{1, 0}, Decimal{0, 0}) {}
  Scaling(Decimal scale, Decimal offset);

  [[nodiscard]] double apply(std::int64_t raw) const;
  [[nodiscard]] double apply(std::uint64_t raw) const;
  // NaN and infinities pass.
  [[nodiscard]] double apply(double raw) const;

 private:
  [[nodiscard]] double exactly(bool negative, std::uint64_t magnitude, int binary_exponent) const;

  Decimal scale_;
  Decimal offset_;
  // value = (raw x factor_ + addend_) x 10^exponent_, when these fit (fits_).
  bool fits_ = false;
  std::int64_t factor_ = 1;
  std::int64_t addend_ = 0;
  int exponent_ = 0;
};

// The nearest double.
[[nodiscard]] double to_real(Decimal decimal);
// The least whole number that is not below `limit`, and the greatest that is not above it; at the ends of Whole what
// lies beyond them.
template <class Whole>
[[nodiscard]] Whole whole_from(Decimal limit);
template <class Whole>
[[nodiscard]] Whole whole_to(Decimal limit);
// The integer that the decimal is, if it is one that fits.
[[nodiscard]] std::optional<std::int64_t> whole_of(Decimal decimal);

}  // namespace railhead::modbus
