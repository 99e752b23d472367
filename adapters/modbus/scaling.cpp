#include "adapters/modbus/scaling.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace railhead::modbus {
namespace {

constexpr std::int64_t kExactInDouble = std::int64_t{1} << 53;
constexpr std::array<double, 23> kPowers{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                         1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// digits x 10^by, or nullopt when it does not fit.
std::optional<std::int64_t> raised(std::int64_t digits, int by) {
  for (; by > 0 && digits != 0; --by) {
    if (__builtin_mul_overflow(digits, std::int64_t{10}, &digits)) return std::nullopt;
  }
  return digits;
}

// The next whole number in that direction (1 up, -1 down).
template <class Whole>
Whole rounded(Decimal limit, int direction) {
  std::int64_t digits = limit.digits;
  bool cut = false;
  for (int exponent = limit.exponent; exponent < 0; ++exponent) {
    cut = cut || digits % 10 != 0;
    digits /= 10;  // towards 0
  }
  if (cut && (limit.digits > 0) == (direction > 0)) digits += direction;
  if (digits < 0 && !std::is_signed_v<Whole>) return 0;
  auto whole = static_cast<Whole>(digits);
  for (int exponent = limit.exponent; exponent > 0 && whole != 0; --exponent) {
    if (!__builtin_mul_overflow(whole, Whole{10}, &whole)) continue;
    return digits < 0 ? std::numeric_limits<Whole>::min() : std::numeric_limits<Whole>::max();
  }
  return whole;
}

// Trailing zeros moved into the exponent.
Decimal folded(Decimal decimal) {
  if (decimal.digits == 0) return {};
  while (decimal.digits % 10 == 0) {
    decimal.digits /= 10;
    ++decimal.exponent;
  }
  return decimal;
}

// An integer of any size with a sign; little-endian limbs of nine decimal digits. Only for the rare values that a
// double division cannot round correctly.
class Whole {
 public:
  explicit Whole(std::uint64_t magnitude = 0, bool negative = false) : negative_(negative) {
    for (; magnitude != 0; magnitude /= kBase) limbs_.push_back(static_cast<std::uint32_t>(magnitude % kBase));
  }
  static Whole of(std::int64_t value) {
    return Whole(value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value), value < 0);
  }

  void multiply(std::uint32_t by) {
    std::uint64_t carry = 0;
    for (std::uint32_t& limb : limbs_) {
      carry += std::uint64_t{limb} * by;
      limb = static_cast<std::uint32_t>(carry % kBase);
      carry /= kBase;
    }
    if (carry != 0) limbs_.push_back(static_cast<std::uint32_t>(carry));
  }
  // x base^power, base at most 10.
  void raise(std::uint32_t base, int power) {
    for (; power >= 9; power -= 9) {
      std::uint32_t step = 1;
      for (int i = 0; i < 9; ++i) step *= base;
      multiply(step);
    }
    for (; power > 0; --power) multiply(base);
  }
  [[nodiscard]] Whole times(const Whole& other) const {
    Whole product;
    product.limbs_.assign(limbs_.size() + other.limbs_.size(), 0);
    for (std::size_t i = 0; i < limbs_.size(); ++i) {
      std::uint64_t carry = 0;
      for (std::size_t j = 0; j < other.limbs_.size() || carry != 0; ++j) {
        const std::uint64_t digit = j < other.limbs_.size() ? other.limbs_[j] : 0;
        carry += product.limbs_[i + j] + std::uint64_t{limbs_[i]} * digit;
        product.limbs_[i + j] = static_cast<std::uint32_t>(carry % kBase);
        carry /= kBase;
      }
    }
    product.negative_ = negative_ != other.negative_;
    product.trim();
    return product;
  }
  [[nodiscard]] Whole plus(const Whole& other) const {
    if (negative_ == other.negative_) {
      Whole sum = *this;
      sum.limbs_.resize(std::max(limbs_.size(), other.limbs_.size()) + 1, 0);
      std::uint64_t carry = 0;
      for (std::size_t i = 0; i < sum.limbs_.size(); ++i) {
        carry += std::uint64_t{sum.limbs_[i]} + (i < other.limbs_.size() ? other.limbs_[i] : 0u);
        sum.limbs_[i] = static_cast<std::uint32_t>(carry % kBase);
        carry /= kBase;
      }
      sum.trim();
      return sum;
    }
    if (magnitude_below(other)) return other.plus(*this);
    Whole difference = *this;
    std::int64_t borrow = 0;
    for (std::size_t i = 0; i < difference.limbs_.size(); ++i) {
      std::int64_t limb = std::int64_t{difference.limbs_[i]} - borrow - (i < other.limbs_.size() ? other.limbs_[i] : 0);
      borrow = limb < 0 ? 1 : 0;
      if (limb < 0) limb += kBase;
      difference.limbs_[i] = static_cast<std::uint32_t>(limb);
    }
    difference.trim();
    return difference;
  }
  // The double nearest to this x 10^exponent.
  [[nodiscard]] double to_double(int exponent) const {
    if (limbs_.empty()) return 0.0;
    std::string text = negative_ ? "-" : "";
    text += std::to_string(limbs_.back());
    for (std::size_t i = limbs_.size() - 1; i-- > 0;) {
      const std::string limb = std::to_string(limbs_[i]);
      text.append(9 - limb.size(), '0').append(limb);
    }
    text += "e" + std::to_string(exponent);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range) {
      return exponent < 0 ? 0.0 : (negative_ ? -1 : 1) * std::numeric_limits<double>::infinity();
    }
    return value;
  }

 private:
  static constexpr std::uint32_t kBase = 1'000'000'000;

  void trim() {
    while (!limbs_.empty() && limbs_.back() == 0) limbs_.pop_back();
    if (limbs_.empty()) negative_ = false;
  }
  [[nodiscard]] bool magnitude_below(const Whole& other) const {
    if (limbs_.size() != other.limbs_.size()) return limbs_.size() < other.limbs_.size();
    return std::lexicographical_compare(limbs_.rbegin(), limbs_.rend(), other.limbs_.rbegin(), other.limbs_.rend());
  }

  std::vector<std::uint32_t> limbs_;
  bool negative_ = false;
};

}  // namespace

Scaling::Scaling(Decimal scale, Decimal offset) : scale_(folded(scale)), offset_(folded(offset)) {
  scale = scale_;
  offset = offset_;
  exponent_ = offset.digits == 0 ? scale.exponent : std::min(scale.exponent, offset.exponent);
  const auto factor = raised(scale.digits, scale.exponent - exponent_);
  const auto addend = offset.digits == 0 ? 0 : raised(offset.digits, offset.exponent - exponent_);
  fits_ = factor && addend && exponent_ >= -22 && exponent_ <= 22;
  if (fits_) {
    factor_ = *factor;
    addend_ = *addend;
  }
}

double Scaling::apply(std::int64_t raw) const {
  std::int64_t whole = 0;
  if (fits_ && !__builtin_mul_overflow(raw, factor_, &whole) && !__builtin_add_overflow(whole, addend_, &whole) &&
      whole <= kExactInDouble && whole >= -kExactInDouble) {
    // Both sides are exact doubles: one operation, rounded once.
    const double exact = static_cast<double>(whole);
    return exponent_ < 0 ? exact / kPowers[static_cast<std::size_t>(-exponent_)]
                         : exact * kPowers[static_cast<std::size_t>(exponent_)];
  }
  return exactly(raw < 0, raw < 0 ? 0 - static_cast<std::uint64_t>(raw) : static_cast<std::uint64_t>(raw), 0);
}

double Scaling::apply(std::uint64_t raw) const {
  if (raw <= static_cast<std::uint64_t>(kExactInDouble)) return apply(static_cast<std::int64_t>(raw));
  return exactly(false, raw, 0);
}

double Scaling::apply(double raw) const {
  if (!std::isfinite(raw)) return raw;
  if (fits_ && addend_ == 0 && factor_ == 1) {
    return exponent_ < 0 ? raw / kPowers[static_cast<std::size_t>(-exponent_)]
                         : raw * kPowers[static_cast<std::size_t>(exponent_)];
  }
  int binary_exponent = 0;
  const double fraction = std::frexp(std::fabs(raw), &binary_exponent);
  auto magnitude = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
  binary_exponent -= 53;
  while (magnitude != 0 && (magnitude & 1) == 0) {
    magnitude >>= 1;
    ++binary_exponent;
  }
  return exactly(std::signbit(raw), magnitude, magnitude == 0 ? 0 : binary_exponent);
}

double Scaling::exactly(bool negative, std::uint64_t magnitude, int binary_exponent) const {
  // raw x 2^-n = raw x 5^n x 10^-n
  Whole product = Whole(magnitude, negative).times(Whole::of(scale_.digits));
  int exponent = scale_.exponent;
  if (binary_exponent >= 0) {
    product.raise(2, binary_exponent);
  } else {
    product.raise(5, -binary_exponent);
    exponent += binary_exponent;
  }
  if (offset_.digits == 0) return product.to_double(exponent);
  Whole offset = Whole::of(offset_.digits);
  const int common = std::min(exponent, offset_.exponent);
  product.raise(10, exponent - common);
  offset.raise(10, offset_.exponent - common);
  return product.plus(offset).to_double(common);
}

template <class Whole>
Whole whole_from(Decimal limit) {
  return rounded<Whole>(limit, 1);
}
template <class Whole>
Whole whole_to(Decimal limit) {
  return rounded<Whole>(limit, -1);
}
template std::int64_t whole_from(Decimal);
template std::uint64_t whole_from(Decimal);
template std::int64_t whole_to(Decimal);
template std::uint64_t whole_to(Decimal);

double to_real(Decimal decimal) { return Scaling(decimal, Decimal{0, 0}).apply(std::int64_t{1}); }

std::optional<std::int64_t> whole_of(Decimal decimal) {
  std::int64_t value = decimal.digits;
  for (; decimal.exponent < 0; ++decimal.exponent) {
    if (value % 10 != 0) return std::nullopt;
    value /= 10;
  }
  for (; decimal.exponent > 0 && value != 0; --decimal.exponent) {
    if (__builtin_mul_overflow(value, std::int64_t{10}, &value)) return std::nullopt;
  }
  return value;
}

}  // namespace railhead::modbus
