#include "adapters/modbus/decode.h"

#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "gateway/base/assert.h"
#include "gateway/base/bytes.h"

namespace railhead::modbus {
namespace {

constexpr std::string_view kNotBcd = "not BCD: a digit above 9";
constexpr std::string_view kNotText = "not UTF-8 text";
constexpr std::string_view kNotNumber = "not a number";
constexpr std::string_view kTooLarge = "out of range with its offset";

// The integer that the decimal is, if it is one that fits.
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

std::uint64_t low_bits(unsigned count) { return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1; }

}  // namespace

std::optional<std::uint64_t> from_bcd(std::uint64_t raw) noexcept {
  std::uint64_t value = 0;
  for (int shift = 60; shift >= 0; shift -= 4) {
    const std::uint64_t digit = (raw >> shift) & 0xf;
    if (digit > 9) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

double from_float16(std::uint16_t raw) noexcept {
  const int exponent = (raw >> 10) & 0x1f;
  const int mantissa = raw & 0x3ff;
  double magnitude = 0;
  if (exponent == 0x1f) {
    magnitude = mantissa == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(mantissa, -24);
  } else {
    magnitude = std::ldexp(mantissa + 1024, exponent - 25);
  }
  return (raw & 0x8000) != 0 ? -magnitude : magnitude;
}

Decoder::Decoder(const Point& point) {
  RAILHEAD_ASSERT(!point.problem());
  if (holds_bits(point.table)) {
    shape_ = Shape::wire_bit;
    return;
  }
  if (point.type == Type::string) {
    shape_ = Shape::text;
    length_ = point.length;
    swapped_ = point.order.size == 2 && point.order.value_byte[0] == 1;
    return;
  }
  const std::size_t size = point.type == Type::boolean ? 2 : size_of(point.type);
  if (size == 1) {
    // One byte of a register: the other one is shifted out and masked.
    const bool high = point.order.size == 1 && point.order.value_byte[0] == 0;
    shift_ = {8, 0};
    down_ = high ? 8 : 0;
    mask_ = 0xff;
  } else {
    const ByteOrder order = point.order.size == 0 ? ByteOrder::big_endian(size) : point.order;
    wire_bytes_ = static_cast<std::uint8_t>(size);
    for (std::size_t i = 0; i < size; ++i) shift_[i] = static_cast<std::uint8_t>(8 * (size - 1 - order.value_byte[i]));
    mask_ = low_bits(static_cast<unsigned>(size * 8));
  }
  bool is_signed = false;
  switch (point.type) {
    case Type::boolean: shape_ = Shape::truth; break;
    case Type::int8:
    case Type::int16:
    case Type::int32:
    case Type::int64: is_signed = true; [[fallthrough]];
    case Type::uint8:
    case Type::uint16:
    case Type::uint32: shape_ = Shape::whole; break;
    case Type::uint64: shape_ = Shape::unsigned_whole; break;
    case Type::float16: shape_ = Shape::float16; break;
    case Type::float32: shape_ = Shape::float32; break;
    case Type::float64: shape_ = Shape::float64; break;
    case Type::bcd16:
    case Type::bcd32:
    case Type::bcd64: shape_ = Shape::bcd; break;
    case Type::string: break;
  }
  if (point.bits) {
    down_ = static_cast<std::uint8_t>(down_ + point.bits->lowest);
    mask_ = low_bits(point.bits->count);
  }
  if (is_signed) sign_ = (mask_ >> 1) + 1;
  const std::optional<std::int64_t> addend = point.offset ? whole_of(*point.offset) : 0;
  real_ = point.scale.has_value() || !addend;
  if (real_) {
    scaling_ = Scaling(point.scale.value_or(Decimal{1, 0}), point.offset.value_or(Decimal{0, 0}));
  } else {
    addend_ = *addend;
  }
  // A negative offset can make an unsigned number negative.
  wide_ = shape_ == Shape::unsigned_whole && addend_ >= 0;
  if (shape_ == Shape::float16 || shape_ == Shape::float32 || shape_ == Shape::float64) {
    scaling_ = Scaling(point.scale.value_or(Decimal{1, 0}), point.offset.value_or(Decimal{0, 0}));
    real_ = point.scale.has_value() || point.offset.has_value();
  }
}

std::uint64_t Decoder::gather(const char* from) const {
  std::uint64_t raw = 0;
  for (std::size_t i = 0; i < wire_bytes_; ++i) {
    raw |= std::uint64_t{static_cast<unsigned char>(from[i])} << shift_[i];
  }
  return (raw >> down_) & mask_;
}

Decoded Decoder::decode(std::string_view payload, std::uint32_t at) const {
  if (shape_ == Shape::wire_bit) {
    RAILHEAD_ASSERT(at / 8 < payload.size());
    return {Value::boolean(((static_cast<unsigned char>(payload[at / 8]) >> (at % 8)) & 1) != 0), {}};
  }
  const std::size_t bytes = shape_ == Shape::text ? (length_ + 1u) / 2 * 2 : wire_bytes_;
  RAILHEAD_ASSERT(std::size_t{at} * 2 + bytes <= payload.size());
  const char* from = payload.data() + std::size_t{at} * 2;
  switch (shape_) {
    case Shape::wire_bit: break;
    case Shape::truth: return {Value::boolean(gather(from) != 0), {}};
    case Shape::whole:
    case Shape::unsigned_whole: return whole(gather(from));
    case Shape::float16: return fraction(from_float16(static_cast<std::uint16_t>(gather(from))));
    case Shape::float32: return fraction(double{std::bit_cast<float>(static_cast<std::uint32_t>(gather(from)))});
    case Shape::float64: return fraction(std::bit_cast<double>(gather(from)));
    case Shape::bcd: {
      const std::optional<std::uint64_t> digits = from_bcd(gather(from));
      return digits ? whole(*digits) : Decoded{Value(), kNotBcd};
    }
    case Shape::text: return text(from);
  }
  return {Value(), kNotNumber};
}

Decoded Decoder::whole(std::uint64_t raw) const {
  if (shape_ == Shape::unsigned_whole) {
    if (real_) return {Value::real(scaling_.apply(raw)), {}};
    if (wide_) {
      if (__builtin_add_overflow(raw, static_cast<std::uint64_t>(addend_), &raw)) return {Value(), kTooLarge};
      return {Value::uinteger(raw), {}};
    }
    std::int64_t sum = 0;
    if (__builtin_add_overflow(raw, addend_, &sum)) return {Value(), kTooLarge};
    return {Value::integer(sum), {}};
  }
  // Two's complement: (raw ^ sign) - sign extends the sign.
  auto number = static_cast<std::int64_t>((raw ^ sign_) - sign_);
  if (real_) return {Value::real(scaling_.apply(number)), {}};
  if (__builtin_add_overflow(number, addend_, &number)) return {Value(), kTooLarge};
  return {Value::integer(number), {}};
}

Decoded Decoder::fraction(double raw) const {
  // Devices say "not implemented" or "not connected" with NaN; JSON could not carry it either.
  if (!std::isfinite(raw)) return {Value(), kNotNumber};
  return {Value::real(real_ ? scaling_.apply(raw) : raw), {}};
}

Decoded Decoder::text(const char* from) const {
  std::string characters(from, (length_ + 1u) / 2 * 2);
  if (swapped_) {
    for (std::size_t i = 0; i + 1 < characters.size(); i += 2) std::swap(characters[i], characters[i + 1]);
  }
  characters.resize(length_);
  std::string_view shown(characters);
  shown = shown.substr(0, shown.find('\0'));
  while (!shown.empty() && shown.back() == ' ') shown.remove_suffix(1);
  if (!base::is_utf8(shown)) return {Value(), kNotText};
  return {Value::text(shown), {}};
}

}  // namespace railhead::modbus
