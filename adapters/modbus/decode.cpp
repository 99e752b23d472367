#include "adapters/modbus/decode.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "adapters/modbus/dates.h"
#include "adapters/modbus/wire.h"
#include "gateway/base/assert.h"
#include "gateway/base/bytes.h"

namespace railhead::modbus {
namespace {

constexpr std::string_view kNotBcd = "not BCD: a digit above 9";
constexpr std::string_view kNotText = "not UTF-8 text";
constexpr std::string_view kNotNumber = "not a number";
constexpr std::string_view kNotMod10k = "not mod10k: a register outside -9999..9999";
constexpr std::string_view kNotDate = "not a date, or the device says that it is not valid";
constexpr std::string_view kTooLarge = "out of range with its offset";

// Registers of signed four digit numbers.
std::optional<std::int64_t> from_mod10k(std::uint64_t raw, int registers) {
  std::int64_t value = 0;
  for (int i = registers; i-- > 0;) {
    const auto digits = static_cast<std::int16_t>(raw >> (16 * i));
    if (digits < -9999 || digits > 9999) return std::nullopt;
    value = value * 10'000 + digits;
  }
  return value;
}

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

Decoder::Decoder(const Point& point)
    : type_(point.type),
      count_(point.count),
      item_span_(point.item_span()),
      length_(point.length),
      absent_(point.absent) {
  RAILHEAD_ASSERT(!point.problem());
  if (is_sunspec(point.type)) {
    const Absent own = sunspec_absent(point.type);
    absent_.raw.insert(absent_.raw.end(), own.raw.begin(), own.raw.end());
    absent_.top_bit |= own.top_bit;
    absent_.empty |= own.empty;
  }
  has_absent_ = absent_.any();
  for (const auto& [code, name] : point.names) names_.emplace_back(code, Value::text(name));
  has_names_ = !names_.empty();
  std::sort(names_.begin(), names_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (holds_bits(point.table)) {
    shape_ = Shape::wire_bit;
    return;
  }
  const Nature nature = nature_of(point.type);
  if (nature == Nature::text || size_of(point.type) > 8) {
    shape_ = nature == Nature::text ? Shape::text : nature == Nature::date ? Shape::date_words : Shape::address;
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
  word_down_ = down_;
  word_mask_ = mask_;
  switch (nature) {
    case Nature::boolean: shape_ = Shape::truth; break;
    case Nature::whole:
      shape_ = point.single ? Shape::truth : size == 8 && !is_signed(point.type) ? Shape::unsigned_whole : Shape::whole;
      break;
    case Nature::fraction: shape_ = size == 2 ? Shape::float16 : size == 4 ? Shape::float32 : Shape::float64; break;
    case Nature::bcd: shape_ = Shape::bcd; break;
    case Nature::mod10k: shape_ = Shape::mod10k; break;
    case Nature::date: shape_ = Shape::date; break;
    case Nature::address: shape_ = Shape::address; break;
    case Nature::text: break;
  }
  if (point.bits) {
    down_ = static_cast<std::uint8_t>(down_ + point.bits->lowest);
    mask_ = low_bits(point.bits->count);
  }
  for (const NamedBits& flag : point.flags) flags_.push_back({Value::text(flag.name), flag.field});
  has_flags_ = !flags_.empty();
  if (nature == Nature::whole && is_signed(point.type)) sign_ = (mask_ >> 1) + 1;
  scale_ = point.scale.value_or(Decimal{1, 0});
  offset_ = point.offset.value_or(Decimal{0, 0});
  const std::optional<std::int64_t> addend = whole_of(offset_);
  real_ = point.scale.has_value() || point.factor.has_value() || !addend;
  if (nature == Nature::fraction) real_ = real_ || point.offset.has_value();
  scaling_ = Scaling(scale_, offset_);
  if (!real_) addend_ = *addend;
  clamped_ = point.least.has_value() || point.most.has_value();
  if (clamped_) {
    constexpr double kEnd = std::numeric_limits<double>::infinity();
    if (point.least) {
      least_real_ = to_real(*point.least);
      least_ = whole_from<std::int64_t>(*point.least);
      least_wide_ = whole_from<std::uint64_t>(*point.least);
    } else {
      least_real_ = -kEnd;
    }
    if (point.most) {
      most_real_ = to_real(*point.most);
      most_ = whole_to<std::int64_t>(*point.most);
      most_wide_ = whole_to<std::uint64_t>(*point.most);
    } else {
      most_real_ = kEnd;
    }
  }
  // A negative offset can make an unsigned number negative.
  wide_ = shape_ == Shape::unsigned_whole && addend_ >= 0;
}

Kind Decoder::kind() const noexcept {
  if (count_ != 0) return Kind::list;
  if (!flags_.empty()) return Kind::map;
  switch (shape_) {
    case Shape::wire_bit:
    case Shape::truth: return names_.empty() ? Kind::boolean : Kind::string;
    case Shape::float16:
    case Shape::float32:
    case Shape::float64: return Kind::real;
    case Shape::text:
    case Shape::address: return Kind::string;
    case Shape::date:
    case Shape::date_words: return Kind::timestamp;
    case Shape::whole:
    case Shape::unsigned_whole:
    case Shape::bcd:
    case Shape::mod10k: break;
  }
  if (real_) return Kind::real;
  if (!names_.empty()) return Kind::string;
  return wide_ ? Kind::uinteger : Kind::integer;
}

std::uint64_t Decoder::gather(const char* from) const {
  std::uint64_t raw = 0;
  for (std::size_t i = 0; i < wire_bytes_; ++i) {
    raw |= std::uint64_t{static_cast<unsigned char>(from[i])} << shift_[i];
  }
  return raw;
}

bool Decoder::is_absent(std::uint64_t raw) const {
  raw = (raw >> word_down_) & word_mask_;
  if (std::find(absent_.raw.begin(), absent_.raw.end(), raw) != absent_.raw.end()) return true;
  if (absent_.top_bit && (raw & (word_mask_ ^ word_mask_ >> 1)) != 0) return true;
  if (absent_.empty && raw == 0) return true;
  if (!absent_.not_a_number) return false;
  switch (shape_) {
    case Shape::float16: return std::isnan(from_float16(static_cast<std::uint16_t>(raw)));
    case Shape::float32: return std::isnan(std::bit_cast<float>(static_cast<std::uint32_t>(raw)));
    case Shape::float64: return std::isnan(std::bit_cast<double>(raw));
    default: return false;
  }
}

Decoded Decoder::decode(std::string_view payload, std::uint32_t at, int exponent) const {
  if (count_ == 0) return item(payload, at, exponent);
  Value::List items;
  items.reserve(count_);
  bool any = false;
  for (std::uint32_t i = 0; i < count_; ++i) {
    Decoded one = item(payload, at + i * item_span_, exponent);
    if (!one.why.empty()) return one;
    any = any || !one.absent;
    items.push_back(std::move(one.value));  // null where the device has none: the others keep their places
  }
  if (!any) return {.value = {}, .why = {}, .absent = true};
  return {Value::list(std::move(items)), {}};
}

Decoded Decoder::item(std::string_view payload, std::uint32_t at, int exponent) const {
  if (shape_ == Shape::wire_bit) {
    RAILHEAD_ASSERT(at / 8 < payload.size());
    const bool on = ((static_cast<unsigned char>(payload[at / 8]) >> (at % 8)) & 1) != 0;
    return {!has_names_ ? Value::boolean(on) : name_of_code(on ? 1 : 0), {}};
  }
  const bool is_long = shape_ == Shape::text || shape_ == Shape::date_words || type_ == Type::ipv6addr;
  const std::size_t bytes = is_long ? item_span_ * 2u : wire_bytes_;
  RAILHEAD_ASSERT(std::size_t{at} * 2 + bytes <= payload.size());
  const char* from = payload.data() + std::size_t{at} * 2;
  if (shape_ == Shape::text) return text(from);
  if (is_long) return long_value(from);
  const std::uint64_t raw = gather(from);
  if (has_absent_ && is_absent(raw)) return {.value = {}, .why = {}, .absent = true};
  if (has_flags_) return named_bits((raw >> word_down_) & word_mask_);
  return number((raw >> down_) & mask_, exponent);
}

Decoded Decoder::number(std::uint64_t raw, int exponent) const {
  switch (shape_) {
    case Shape::truth: return {!has_names_ ? Value::boolean(raw != 0) : name_of_code(raw != 0 ? 1 : 0), {}};
    case Shape::whole:
    case Shape::unsigned_whole: return whole(raw, exponent);
    case Shape::float16: return fraction(from_float16(static_cast<std::uint16_t>(raw)), exponent);
    case Shape::float32: return fraction(double{std::bit_cast<float>(static_cast<std::uint32_t>(raw))}, exponent);
    case Shape::float64: return fraction(std::bit_cast<double>(raw), exponent);
    case Shape::bcd: {
      const std::optional<std::uint64_t> digits = from_bcd(raw);
      return digits ? whole(*digits, exponent) : Decoded{Value(), kNotBcd};
    }
    case Shape::mod10k: {
      const std::optional<std::int64_t> digits = from_mod10k(raw, wire_bytes_ / 2);
      return digits ? whole(static_cast<std::uint64_t>(*digits), exponent) : Decoded{Value(), kNotMod10k};
    }
    case Shape::date: {
      const std::optional<Value> date = date_from(type_, raw);
      return date ? Decoded{*date, {}} : Decoded{Value(), kNotDate};
    }
    case Shape::address: return {Value::text(address_text(type_, raw)), {}};
    case Shape::wire_bit:
    case Shape::text:
    case Shape::date_words: break;
  }
  return {Value(), kNotNumber};
}

Decoded Decoder::whole(std::uint64_t raw, int exponent) const {
  if (shape_ == Shape::unsigned_whole) {
    if (real_) return limited(scaled(raw, exponent));
    if (has_names_) {
      return {raw >> 63 != 0 ? Value::text(std::to_string(raw)) : name_of_code(static_cast<std::int64_t>(raw)), {}};
    }
    if (wide_) {
      if (__builtin_add_overflow(raw, static_cast<std::uint64_t>(addend_), &raw)) return {Value(), kTooLarge};
      return {Value::uinteger(clamped_ ? std::max(std::min(raw, most_wide_), least_wide_) : raw), {}};
    }
    std::int64_t sum = 0;
    if (__builtin_add_overflow(raw, addend_, &sum)) return {Value(), kTooLarge};
    return limited(sum);
  }
  // Two's complement: (raw ^ sign) - sign extends the sign.
  auto number = static_cast<std::int64_t>((raw ^ sign_) - sign_);
  if (real_) return limited(scaled(number, exponent));
  if (has_names_) return {name_of_code(number), {}};
  if (__builtin_add_overflow(number, addend_, &number)) return {Value(), kTooLarge};
  return limited(number);
}

Decoded Decoder::fraction(double raw, int exponent) const {
  // Devices say "not implemented" or "not connected" with NaN; JSON could not carry it either.
  if (!std::isfinite(raw)) return {Value(), kNotNumber};
  return limited(real_ ? scaled(raw, exponent) : raw);
}

Decoded Decoder::limited(double value) const {
  return {Value::real(clamped_ ? std::clamp(value, least_real_, most_real_) : value), {}};
}

Decoded Decoder::limited(std::int64_t value) const {
  return {Value::integer(clamped_ ? std::max(std::min(value, most_), least_) : value), {}};
}

Decoded Decoder::named_bits(std::uint64_t raw) const {
  Value::Entries entries;
  entries.reserve(flags_.size());
  for (const Flag& flag : flags_) {
    const std::uint64_t bits = (raw >> flag.field.lowest) & low_bits(flag.field.count);
    Value value = flag.field.count == 1    ? Value::boolean(bits != 0)
                  : flag.field.count == 64 ? Value::uinteger(bits)
                                           : Value::integer(static_cast<std::int64_t>(bits));
    entries.emplace_back(flag.name, std::move(value));
  }
  return {Value::map(std::move(entries)), {}};
}

// A number without a name is its digits: the point is a text always.
Value Decoder::name_of_code(std::int64_t code) const {
  const auto found = std::lower_bound(names_.begin(), names_.end(), code,
                                      [](const auto& entry, std::int64_t wanted) { return entry.first < wanted; });
  if (found != names_.end() && found->first == code) return found->second;
  return Value::text(std::to_string(code));
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
  if (absent_.empty && shown.empty()) return {.value = {}, .why = {}, .absent = true};
  if (!base::is_utf8(shown)) return {Value(), kNotText};
  return {Value::text(shown), {}};
}

// What is longer than eight bytes.
Decoded Decoder::long_value(const char* from) const {
  std::string bytes(from, item_span_ * 2u);
  if (swapped_) {
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) std::swap(bytes[i], bytes[i + 1]);
  }
  if (shape_ == Shape::date_words) {
    const std::optional<Value> date = date_from_words(bytes);
    return date ? Decoded{*date, {}} : Decoded{Value(), kNotDate};
  }
  if (absent_.empty && bytes.find_first_not_of('\0') == std::string::npos)
    return {.value = {}, .why = {}, .absent = true};
  return {Value::text(ipv6_text(bytes)), {}};
}

}  // namespace railhead::modbus
