// Decimal: a factor as the vendor's manual prints it, kept as integer and power of ten, so that 73 x 0.1 is 7.3 (S24).
// Scaling: value = raw x scale + offset, computed exactly and rounded once to the nearest double.
// Threads: immutable after construction.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace railhead::modbus {

struct Decimal {
  std::int64_t digits = 0;
  int exponent = 0;  // value = digits x 10^exponent

  // "0.1", "-12.5e-3", "10": at most 18 significant digits, exponent within +-30; otherwise nullopt. Trailing zeros of
  // the digits are folded into the exponent.
  [[nodiscard]] static std::optional<Decimal> parse(std::string_view text);
  [[nodiscard]] bool is_integer() const { return exponent >= 0; }
  friend bool operator==(const Decimal&, const Decimal&) = default;
};

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

}  // namespace railhead::modbus
