#include "adapters/modbus/encode.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "adapters/modbus/wire.h"
#include "gateway/base/assert.h"
#include "gateway/message/json.h"

namespace railhead::modbus {
namespace {

// Rounded to nearest, ties to even; beyond the largest: infinity.
std::uint16_t to_float16(double value) {
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (magnitude >= 65520) return static_cast<std::uint16_t>(sign | 0x7c00);
  if (magnitude == 0) return sign;  // frexp has no exponent for it
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude = f x 2^exponent, f in [0.5, 1)
  const int unit = std::max(exponent - 11, -24);
  const auto mantissa = static_cast<unsigned>(std::nearbyint(std::ldexp(magnitude, -unit)));
  // A mantissa that rounded up to 2048 carries into the exponent by itself; subnormals have exponent 0.
  const unsigned biased = unit == -24 ? 0 : static_cast<unsigned>(unit + 24);
  return static_cast<std::uint16_t>(sign | ((biased << 10) + mantissa));
}

std::string shown(double value) { return to_json(Value::real(value)); }

}  // namespace

std::optional<std::string> Encoder::obstacle(const Point& point) {
  switch (nature_of(point.type)) {
    case Nature::boolean:
    case Nature::whole:
    case Nature::fraction:
    case Nature::bcd:
    case Nature::text: break;
    case Nature::mod10k:
    case Nature::date:
    case Nature::address: return "values of type " + std::string(name_of(point.type)) + " cannot be encoded";
  }
  if (size_of(point.type) > 8) return "values of type " + std::string(name_of(point.type)) + " cannot be encoded";
  return std::nullopt;
}

Encoder::Encoder(const Point& point) {
  RAILHEAD_ASSERT(!point.problem() && !obstacle(point));
  names_ = point.names;
  if (holds_bits(point.table)) {
    shape_ = Shape::wire_bit;
    return;
  }
  if (nature_of(point.type) == Nature::text) {
    shape_ = Shape::text;
    length_ = point.length;
    swapped_ = point.order.size == 2 && point.order.value_byte[0] == 1;
    return;
  }
  const std::size_t size = point.type == Type::boolean ? 2 : size_of(point.type);
  width_ = static_cast<unsigned>(size * 8);
  if (size == 1) {
    const bool high = point.order.size == 1 && point.order.value_byte[0] == 0;
    shift_ = {8, 0};
    down_ = high ? 8 : 0;
    partial_ = true;
  } else {
    const ByteOrder order = point.order.size == 0 ? ByteOrder::big_endian(size) : point.order;
    wire_bytes_ = static_cast<std::uint8_t>(size);
    for (std::size_t i = 0; i < size; ++i) shift_[i] = static_cast<std::uint8_t>(8 * (size - 1 - order.value_byte[i]));
  }
  switch (nature_of(point.type)) {
    case Nature::boolean: shape_ = Shape::truth; break;
    case Nature::whole:
      signed_ = is_signed(point.type);
      if (point.single) shape_ = Shape::truth;
      break;
    case Nature::fraction: shape_ = size == 2 ? Shape::float16 : size == 4 ? Shape::float32 : Shape::float64; break;
    case Nature::bcd: shape_ = Shape::bcd; break;
    default: break;
  }
  if (point.bits) {
    down_ = static_cast<std::uint8_t>(down_ + point.bits->lowest);
    width_ = point.bits->count;
    partial_ = true;
  }
  if (shape_ == Shape::bcd) {
    digits_most_ = 1;
    for (std::size_t i = 0; i < size * 2; ++i) digits_most_ *= 10;
    --digits_most_;
  }
  const Decimal scale = point.scale.value_or(Decimal{1, 0});
  const Decimal offset = point.offset.value_or(Decimal{0, 0});
  if (!point.scale) addend_ = whole_of(offset);
  scaling_ = Scaling(scale, offset);
  scale_real_ = to_real(scale);
  offset_real_ = to_real(offset);
}

Result<Encoded> Encoder::encode(const Value& value) const {
  if (shape_ == Shape::text) return text(value);
  const Result<std::uint64_t> raw = raw_of(value);
  if (!raw) return fail(raw.error());
  return placed(*raw);
}

Encoded Encoder::nearest(double value) const {
  if (shape_ == Shape::text) {
    return *text(Value::text(std::to_string(static_cast<std::int64_t>(value)).substr(0, length_)));
  }
  if (shape_ == Shape::wire_bit || shape_ == Shape::truth) return placed(value != 0 ? 1 : 0);
  if (shape_ != Shape::whole && shape_ != Shape::bcd) return placed(fraction(value).value_or(0));
  const double least = signed_ && shape_ == Shape::whole ? -std::ldexp(1, static_cast<int>(width_) - 1) : 0;
  const double most = shape_ == Shape::bcd ? static_cast<double>(digits_most_)
                                           : std::ldexp(1, static_cast<int>(width_) - (signed_ ? 1 : 0)) - 1;
  const double raw = std::nearbyint(std::clamp((value - offset_real_) / scale_real_, least, std::min(most, 0x1p62)));
  return placed(in_range(raw < 0, static_cast<std::uint64_t>(std::fabs(raw))).value_or(0));
}

Encoded Encoder::placed(std::uint64_t raw) const {
  if (shape_ == Shape::wire_bit) return Encoded{.bytes = std::string(1, static_cast<char>(raw)), .mask = {}};
  Encoded encoded;
  const std::uint64_t word = raw << down_;
  const std::uint64_t mask = low_bits(width_) << down_;
  for (std::size_t i = 0; i < wire_bytes_; ++i) {
    encoded.bytes.push_back(static_cast<char>(word >> shift_[i] & 0xff));
    if (partial_) encoded.mask.push_back(static_cast<char>(mask >> shift_[i] & 0xff));
  }
  return encoded;
}

Result<std::uint64_t> Encoder::raw_of(const Value& value) const {
  if (!names_.empty() && value.is(Kind::string)) {
    const auto named =
        std::find_if(names_.begin(), names_.end(), [&](const auto& one) { return one.second == value.as_text(); });
    if (named == names_.end()) {
      std::string known;
      for (const auto& [code, name] : names_) known += (known.empty() ? "" : ", ") + name;
      return fail(Errc::invalid, "no value is named " + to_json(value) + ": there are " + known);
    }
    return raw_of(Value::integer(named->first));
  }
  switch (shape_) {
    case Shape::wire_bit:
    case Shape::truth:
      if (value.is(Kind::boolean)) return std::uint64_t{value.as_boolean()};
      if (value == Value::integer(0) || value == Value::integer(1)) return std::uint64_t{value == Value::integer(1)};
      return fail(Errc::invalid, "expected true or false, not " + to_json(value));
    case Shape::whole:
    case Shape::bcd: return whole(value);
    case Shape::float16:
    case Shape::float32:
    case Shape::float64:
      if (!value.is_number()) return fail(Errc::invalid, "expected a number, not " + to_json(value));
      return fraction(value.to_real());
    case Shape::text: break;
  }
  return fail(Errc::invalid, "cannot be encoded");
}

Result<std::uint64_t> Encoder::whole(const Value& value) const {
  if (!value.is_number()) return fail(Errc::invalid, "expected a number, not " + to_json(value));
  if (addend_ && !value.is(Kind::real)) {
    // 65 bits: sign and magnitude.
    const bool negative = value.is(Kind::integer) && value.as_integer() < 0;
    const std::uint64_t magnitude = value.is(Kind::uinteger) ? value.as_uinteger()
                                    : negative               ? 0 - static_cast<std::uint64_t>(value.as_integer())
                                                             : static_cast<std::uint64_t>(value.as_integer());
    const bool less = *addend_ > 0;
    const std::uint64_t by = less ? static_cast<std::uint64_t>(*addend_) : 0 - static_cast<std::uint64_t>(*addend_);
    if (negative == less) {  // away from 0
      std::uint64_t sum = 0;
      if (__builtin_add_overflow(magnitude, by, &sum)) return fail(Errc::invalid, to_json(value) + " is out of range");
      return in_range(negative, sum);
    }
    return magnitude >= by ? in_range(negative, magnitude - by) : in_range(!negative, by - magnitude);
  }
  const double wanted = value.to_real();
  const double guess = std::nearbyint((wanted - offset_real_) / scale_real_);
  if (!std::isfinite(guess) || std::fabs(guess) >= 0x1p64) {
    return fail(Errc::invalid, shown(wanted) + " is out of range");
  }
  // The guess is off by one at most where the double tells neighbours apart; what counts is what decoding gives back.
  for (const double step : {0.0, 1.0, -1.0}) {
    const double candidate = guess + step;
    const bool negative = candidate < 0;
    if (std::fabs(candidate) >= 0x1p64) continue;
    const auto magnitude = static_cast<std::uint64_t>(std::fabs(candidate));
    if (negative && magnitude > std::uint64_t{1} << 63) continue;
    const double back = negative ? scaling_.apply(static_cast<std::int64_t>(0 - magnitude)) : scaling_.apply(magnitude);
    if (back == wanted) return in_range(negative, magnitude);
  }
  const double below = std::floor((wanted - offset_real_) / scale_real_);
  if (std::fabs(below) > 0x1p62) return fail(Errc::invalid, shown(wanted) + " is out of range");
  return fail(Errc::invalid, shown(wanted) + " lies between two values that the register can hold: " +
                                 shown(scaling_.apply(static_cast<std::int64_t>(below))) + " and " +
                                 shown(scaling_.apply(static_cast<std::int64_t>(below) + 1)));
}

Result<std::uint64_t> Encoder::in_range(bool negative, std::uint64_t magnitude) const {
  const auto too_large = [&] {
    return fail(Errc::invalid, "the register's number would be " + std::string(negative ? "-" : "") +
                                   std::to_string(magnitude) + ": out of range");
  };
  if (magnitude == 0) negative = false;
  if (shape_ == Shape::bcd) {
    if (negative || magnitude > digits_most_) return too_large();
    std::uint64_t raw = 0;
    for (unsigned shift = 0; magnitude > 0; shift += 4, magnitude /= 10) raw |= magnitude % 10 << shift;
    return raw;
  }
  if (!signed_) {
    if (negative || magnitude > low_bits(width_)) return too_large();
    return magnitude;
  }
  const std::uint64_t most = low_bits(width_) >> 1;
  if (magnitude > (negative ? most + 1 : most)) return too_large();
  return (negative ? 0 - magnitude : magnitude) & low_bits(width_);
}

Result<std::uint64_t> Encoder::fraction(double value) const {
  const double raw = (value - offset_real_) / scale_real_;
  const auto out_of_range = [&] { return fail(Errc::invalid, shown(value) + " is out of range"); };
  if (!std::isfinite(raw)) return out_of_range();
  if (shape_ == Shape::float64) return std::bit_cast<std::uint64_t>(raw);
  if (shape_ == Shape::float32) {
    if (std::fabs(raw) > double{std::numeric_limits<float>::max()}) return out_of_range();
    return std::uint64_t{std::bit_cast<std::uint32_t>(static_cast<float>(raw))};
  }
  const std::uint16_t half = to_float16(raw);
  if ((half & 0x7fff) == 0x7c00) return out_of_range();
  return std::uint64_t{half};
}

Result<Encoded> Encoder::text(const Value& value) const {
  if (!value.is(Kind::string)) return fail(Errc::invalid, "expected a text, not " + to_json(value));
  Encoded encoded{.bytes = std::string(value.as_text()), .mask = {}};
  if (encoded.bytes.size() > length_) {
    return fail(Errc::invalid, "a text of " + std::to_string(encoded.bytes.size()) + " bytes does not fit into " +
                                   std::to_string(length_));
  }
  encoded.bytes.resize((length_ + 1u) / 2 * 2, '\0');
  if (swapped_) {
    for (std::size_t i = 0; i + 1 < encoded.bytes.size(); i += 2) std::swap(encoded.bytes[i], encoded.bytes[i + 1]);
  }
  return encoded;
}

}  // namespace railhead::modbus
