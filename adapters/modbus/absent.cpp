#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "adapters/modbus/points.h"
#include "gateway/base/text.h"

namespace railhead::modbus {
namespace {

std::uint64_t ones(std::size_t bytes) { return bytes >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * bytes)) - 1; }

std::optional<std::uint64_t> parse_hex(std::string_view digits) {
  if (digits.empty() || digits.size() > 16) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<unsigned>(digit);
  }
  return value;
}

bool is_hex(std::string_view text) { return text.starts_with("0x") || text.starts_with("0X"); }

// The bits of `number` as this type holds it, or nullopt when it cannot.
std::optional<std::uint64_t> bits_of(Type type, std::string_view number) {
  const std::size_t size = type == Type::boolean ? 2 : size_of(type);
  switch (nature_of(type)) {
    case Nature::fraction: {
      const auto value = base::parse_double(number);
      if (!value) return std::nullopt;
      if (type == Type::float64) return std::bit_cast<std::uint64_t>(*value);
      if (type == Type::float32) return std::bit_cast<std::uint32_t>(static_cast<float>(*value));
      return std::nullopt;
    }
    case Nature::bcd: {
      const auto value = base::parse_uint(number);
      if (!value || number.size() > size * 2) return std::nullopt;
      return parse_hex(number);
    }
    case Nature::whole:
    case Nature::boolean: {
      if (!number.starts_with('-')) {
        const auto value = base::parse_uint(number);
        const std::uint64_t most = is_signed(type) ? ones(size) >> 1 : ones(size);
        if (!value || *value > most) return std::nullopt;
        return value;
      }
      const auto value = base::parse_int(number);
      if (!value || !is_signed(type) || *value < -static_cast<std::int64_t>(ones(size) >> 1) - 1) return std::nullopt;
      return static_cast<std::uint64_t>(*value) & ones(size);
    }
    default: return std::nullopt;
  }
}

void join(Absent& to, const Absent& from) {
  to.raw.insert(to.raw.end(), from.raw.begin(), from.raw.end());
  to.not_a_number |= from.not_a_number;
  to.top_bit |= from.top_bit;
  to.empty |= from.empty;
}

}  // namespace

std::optional<std::int64_t> parse_code(std::string_view text) noexcept {
  if (!is_hex(text)) return base::parse_int(text);
  const auto value = parse_hex(text.substr(2));
  if (!value || *value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

// SunSpec Information Model Specification V1.9, 4.2 to 4.4 (data types and their "not implemented" values).
Absent sunspec_absent(Type type) {
  Absent absent;
  switch (type) {
    case Type::acc16:
    case Type::acc32:
    case Type::acc64: absent.raw = {0}; break;
    case Type::bitfield16:
    case Type::bitfield32:
    case Type::bitfield64: absent.top_bit = true; break;
    case Type::float16:
    case Type::float32:
    case Type::float64: absent.not_a_number = true; break;
    case Type::string:
    case Type::ipaddr:
    case Type::ipv6addr: absent.empty = true; break;
    case Type::eui48: absent.raw = {0x0000'ffff'ffff'ffff, 0xffff'ffff'ffff'ffff}; break;
    default: {
      if (nature_of(type) != Nature::whole) break;
      const std::uint64_t all = ones(size_of(type));
      absent.raw = {is_signed(type) ? all ^ all >> 1 : all};
    }
  }
  return absent;
}

std::string add_absent(Point& point, std::string_view written) {
  const std::string kind(name_of(point.type));
  if (written == "sunspec") {
    join(point.absent, sunspec_absent(point.type));
    return "";
  }
  if (written == "nan") {
    if (nature_of(point.type) != Nature::fraction) return "nan is a value of floats, not of " + kind;
    point.absent.not_a_number = true;
    return "";
  }
  if (written == "empty") {
    if (point.type != Type::string) return "empty is a value of strings, not of " + kind;
    point.absent.empty = true;
    return "";
  }
  const std::size_t size = point.type == Type::boolean ? 2 : size_of(point.type);
  if (size == 0 || size > 8) return "a " + kind + " has no such number; a string may be empty or sunspec";
  std::optional<std::uint64_t> raw = is_hex(written) ? parse_hex(written.substr(2)) : bits_of(point.type, written);
  if (raw && *raw > ones(size)) raw.reset();
  if (!raw) {
    return "expected a number that " + kind + " can hold, or its bits as 0x..., or sunspec";
  }
  point.absent.raw.push_back(*raw);
  return "";
}

}  // namespace railhead::modbus
