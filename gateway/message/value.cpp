#include "gateway/message/value.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

namespace railhead {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

bool numbers_equal(const Value& left, const Value& right) {
  const auto exact = [](double number, auto integer) {
    using Integer = decltype(integer);
    constexpr double low = std::is_signed_v<Integer> ? -9223372036854775808.0 : 0.0;
    constexpr double high = std::is_signed_v<Integer> ? 9223372036854775808.0 : 18446744073709551616.0;
    return number >= low && number < high && std::trunc(number) == number && static_cast<Integer>(number) == integer;
  };
  const Kind a = left.kind();
  const Kind b = right.kind();
  if (a == b) {
    if (a == Kind::integer) return left.as_integer() == right.as_integer();
    if (a == Kind::uinteger) return left.as_uinteger() == right.as_uinteger();
    return left.as_real() == right.as_real();
  }
  if (b < a) return numbers_equal(right, left);
  if (a == Kind::integer && b == Kind::uinteger) {
    return left.as_integer() >= 0 && static_cast<std::uint64_t>(left.as_integer()) == right.as_uinteger();
  }
  if (a == Kind::integer) return exact(right.as_real(), left.as_integer());
  return exact(right.as_real(), left.as_uinteger());
}

}  // namespace

std::string_view cel_type_name(Kind kind) noexcept {
  switch (kind) {
    case Kind::null: return "null_type";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::uinteger: return "uint";
    case Kind::real: return "double";
    case Kind::string: return "string";
    case Kind::bytes: return "bytes";
    case Kind::timestamp: return "google.protobuf.Timestamp";
    case Kind::duration: return "google.protobuf.Duration";
    case Kind::list: return "list";
    case Kind::map: return "map";
    case Kind::type: return "type";
    case Kind::error: return "error";
    case Kind::optional: return "optional_type";
    case Kind::address: return "net.IP";
    case Kind::network: return "net.CIDR";
  }
  return "error";
}

Value Value::shared_characters(Kind kind, std::string_view text) {
  RAILHEAD_ASSERT(text.size() <= std::numeric_limits<std::uint32_t>::max());
  auto* block = new (::operator new(sizeof(SharedText) + text.size())) SharedText;
  block->count = static_cast<std::uint32_t>(text.size());
  std::memcpy(reinterpret_cast<char*>(block + 1), text.data(), text.size());
  return share(kind, block);
}

Value Value::timestamp(std::int64_t seconds, std::uint32_t nanoseconds) noexcept {
  std::int64_t count = 0;
  // Why from above: the earliest times have a negative second whose product alone would overflow.
  if (!__builtin_mul_overflow(seconds + 1, kNanosPerSecond, &count) &&
      !__builtin_add_overflow(count, std::int64_t{nanoseconds} - kNanosPerSecond, &count)) {
    return timestamp(Time{Duration{count}});
  }
  return {head_of(Kind::timestamp, kFar) | std::uint64_t{nanoseconds} << 32, static_cast<std::uint64_t>(seconds)};
}

std::int64_t Value::timestamp_seconds() const {
  const auto count = payload<std::int64_t>(Kind::timestamp);
  if (is_far()) return count;
  return count / kNanosPerSecond - (count % kNanosPerSecond < 0 ? 1 : 0);
}

std::uint32_t Value::timestamp_nanoseconds() const {
  const auto count = payload<std::int64_t>(Kind::timestamp);
  if (!is_far()) return static_cast<std::uint32_t>((count % kNanosPerSecond + kNanosPerSecond) % kNanosPerSecond);
  return static_cast<std::uint32_t>(head_ >> 32);
}

double Value::to_real() const {
  switch (kind()) {
    case Kind::integer: return static_cast<double>(as_integer());
    case Kind::uinteger: return static_cast<double>(as_uinteger());
    default: return as_real();
  }
}

bool operator==(const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) return numbers_equal(left, right);
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::null: return true;
    case Kind::boolean: return left.as_boolean() == right.as_boolean();
    case Kind::timestamp:
      return left.timestamp_seconds() == right.timestamp_seconds() &&
             left.timestamp_nanoseconds() == right.timestamp_nanoseconds();
    case Kind::duration: return left.as_duration() == right.as_duration();
    case Kind::list: return std::ranges::equal(left.as_list(), right.as_list());
    case Kind::map: {
      const auto entries = left.as_map();
      if (entries.size() != right.as_map().size()) return false;
      return std::all_of(entries.begin(), entries.end(), [&](const Value::Entry& entry) {
        const Value* other = right.find(entry.first);
        return other != nullptr && entry.second == *other;
      });
    }
    case Kind::optional: {
      const Value* const a = left.as_optional();
      const Value* const b = right.as_optional();
      return a == nullptr || b == nullptr ? a == b : *a == *b;
    }
    default: return left.as_text() == right.as_text();
  }
}

}  // namespace railhead
