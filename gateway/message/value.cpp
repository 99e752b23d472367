#include "gateway/message/value.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <new>

namespace railhead {
namespace {

struct Shared {
  std::atomic<std::uint32_t> references{1};
};
// One block: the characters stand behind it.
struct SharedText : Shared {
  std::size_t size = 0;
  [[nodiscard]] std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), size}; }
  static SharedText* make(std::string_view text) {
    auto* shared = new (::operator new(sizeof(SharedText) + text.size())) SharedText;
    shared->size = text.size();
    std::memcpy(reinterpret_cast<char*>(shared + 1), text.data(), text.size());
    return shared;
  }
  static void destroy(SharedText* shared) {
    shared->~SharedText();
    ::operator delete(shared);
  }
};
struct SharedList : Shared {
  Value::List items;
};
// Where a text key stands in a large map: open addressing, one allocation for all keys.
class KeyIndex {
 public:
  void reserve(std::size_t keys) {
    std::size_t size = 32;
    while (size < 2 * keys) size *= 2;
    slots_.assign(size, Slot{});
  }
  // The place of this key, or nullptr.
  [[nodiscard]] const std::uint32_t* find(std::string_view key, const Value::Entries& entries) const {
    const std::uint32_t hash = hash_of(key);
    for (std::size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[at];
      if (slot.place == kNone) return nullptr;
      if (slot.hash == hash && entries[slot.place].first.as_text() == key) return &slot.place;
    }
  }
  // False when an equal one stands there already.
  bool add(std::size_t place, const Value::Entries& entries) {
    const std::string_view key = entries[place].first.as_text();
    const std::uint32_t hash = hash_of(key);
    std::size_t at = hash & (slots_.size() - 1);
    for (; slots_[at].place != kNone; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].hash == hash && entries[slots_[at].place].first.as_text() == key) return false;
    }
    slots_[at] = {hash, static_cast<std::uint32_t>(place)};
    return true;
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t place = kNone;
  };
  [[nodiscard]] static std::uint32_t hash_of(std::string_view key) {
    const std::uint64_t hash = std::hash<std::string_view>{}(key);
    return static_cast<std::uint32_t>(hash ^ hash >> 32);
  }
  std::vector<Slot> slots_;
};
struct SharedMap : Shared {
  Value::Entries entries;
  KeyIndex index;  // of maps of more than kIndexAbove entries
};
constexpr std::size_t kIndexAbove = 12;
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

template <class T>
T* pointer_at(const unsigned char* bytes) {
  T* pointer = nullptr;
  std::memcpy(&pointer, bytes, sizeof pointer);
  return pointer;
}

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
  }
  return "error";
}

Value Value::characters(Kind kind, std::string_view text) {
  Value value;
  if (text.size() <= kInlineMax) {
    value.set(kind, static_cast<unsigned char>(text.size()));
    if (!text.empty()) std::memcpy(value.bytes_ + 2, text.data(), text.size());
    return value;
  }
  Shared* base = SharedText::make(text);
  std::memcpy(value.bytes_ + kPayloadAt, &base, sizeof base);
  value.set(kind, kShared);
  return value;
}

Value Value::timestamp(std::int64_t seconds, std::uint32_t nanoseconds) noexcept {
  std::int64_t count = 0;
  // Why from above: the earliest times have a negative second whose product alone would overflow.
  if (!__builtin_mul_overflow(seconds + 1, kNanosPerSecond, &count) &&
      !__builtin_add_overflow(count, std::int64_t{nanoseconds} - kNanosPerSecond, &count)) {
    return timestamp(Time{Duration{count}});
  }
  Value value = scalar(Kind::timestamp, seconds);
  value.set(Kind::timestamp, kFar);
  std::memcpy(value.bytes_ + kNanosAt, &nanoseconds, sizeof nanoseconds);
  return value;
}

std::int64_t Value::timestamp_seconds() const {
  const auto count = payload<std::int64_t>(Kind::timestamp);
  if (is_far()) return count;
  return count / kNanosPerSecond - (count % kNanosPerSecond < 0 ? 1 : 0);
}

std::uint32_t Value::timestamp_nanoseconds() const {
  const auto count = payload<std::int64_t>(Kind::timestamp);
  if (!is_far()) return static_cast<std::uint32_t>((count % kNanosPerSecond + kNanosPerSecond) % kNanosPerSecond);
  std::uint32_t nanoseconds = 0;
  std::memcpy(&nanoseconds, bytes_ + kNanosAt, sizeof nanoseconds);
  return nanoseconds;
}

Value Value::list(List items) {
  Value value;
  auto* shared = new SharedList;
  shared->items = std::move(items);
  Shared* base = shared;
  std::memcpy(value.bytes_ + kPayloadAt, &base, sizeof base);
  value.set(Kind::list, kShared);
  return value;
}

Value Value::map(Entries entries) {
  auto* shared = new SharedMap;
  Value value;
  Shared* base = shared;
  std::memcpy(value.bytes_ + kPayloadAt, &base, sizeof base);
  value.set(Kind::map, kShared);
  if (entries.size() <= kIndexAbove) {
    for (std::size_t i = 1; i < entries.size(); ++i) {
      const Value& key = entries[i].first;
      // A short text equals another one in all bytes, and no long one.
      const bool is_short = key.is(Kind::string) && !key.shared();
      const bool repeated =
          std::any_of(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(i), [&](const Entry& earlier) {
            return is_short ? std::memcmp(earlier.first.bytes_, key.bytes_, sizeof bytes_) == 0 : earlier.first == key;
          });
      if (repeated) {
        entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
        --i;
      }
    }
    shared->entries = std::move(entries);
    return value;
  }
  shared->index.reserve(entries.size());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (kept != i) entries[kept] = std::move(entries[i]);
    const auto end = entries.begin() + static_cast<std::ptrdiff_t>(kept);
    const bool repeated =
        entries[kept].first.is(Kind::string)
            ? !shared->index.add(kept, entries)
            : std::any_of(entries.begin(), end, [&](const Entry& earlier) { return earlier.first == end->first; });
    if (!repeated) ++kept;
  }
  entries.resize(kept);
  shared->entries = std::move(entries);
  return value;
}

std::string_view Value::as_text() const {
  RAILHEAD_ASSERT(kind() == Kind::string || kind() == Kind::bytes || kind() == Kind::type || kind() == Kind::error);
  if (shared()) return static_cast<const SharedText*>(pointer_at<Shared>(bytes_ + kPayloadAt))->text();
  return {reinterpret_cast<const char*>(bytes_ + 2), bytes_[1]};
}

const Value::List& Value::as_list() const {
  RAILHEAD_ASSERT(kind() == Kind::list);
  return static_cast<const SharedList*>(pointer_at<Shared>(bytes_ + kPayloadAt))->items;
}

const Value::Entries& Value::as_map() const {
  RAILHEAD_ASSERT(kind() == Kind::map);
  return static_cast<const SharedMap*>(pointer_at<Shared>(bytes_ + kPayloadAt))->entries;
}

double Value::to_real() const {
  switch (kind()) {
    case Kind::integer: return static_cast<double>(as_integer());
    case Kind::uinteger: return static_cast<double>(as_uinteger());
    default: return as_real();
  }
}

const Value* Value::find(std::string_view key) const {
  if (kind() != Kind::map) return nullptr;
  const auto* map = static_cast<const SharedMap*>(pointer_at<Shared>(bytes_ + kPayloadAt));
  if (map->entries.size() > kIndexAbove) {
    const std::uint32_t* const place = map->index.find(key, map->entries);
    return place == nullptr ? nullptr : &map->entries[*place].second;
  }
  if (key.size() <= kInlineMax) {
    const Value wanted = characters(Kind::string, key);
    for (const Entry& entry : map->entries) {
      if (std::memcmp(entry.first.bytes_, wanted.bytes_, sizeof bytes_) == 0) return &entry.second;
    }
    return nullptr;
  }
  for (const Entry& entry : map->entries) {
    if (entry.first.is(Kind::string) && entry.first.as_text() == key) return &entry.second;
  }
  return nullptr;
}

const Value* Value::find(const Value& key) const {
  if (key.is(Kind::string)) return find(key.as_text());
  if (kind() != Kind::map) return nullptr;
  for (const Entry& entry : as_map()) {
    if (entry.first == key) return &entry.second;
  }
  return nullptr;
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
    case Kind::list: return left.as_list() == right.as_list();
    case Kind::map: {
      const Value::Entries& entries = left.as_map();
      if (entries.size() != right.as_map().size()) return false;
      return std::all_of(entries.begin(), entries.end(), [&](const Value::Entry& entry) {
        const Value* other = right.find(entry.first);
        return other != nullptr && entry.second == *other;
      });
    }
    default: return left.as_text() == right.as_text();
  }
}

void Value::retain() const noexcept {
  pointer_at<Shared>(bytes_ + kPayloadAt)->references.fetch_add(1, std::memory_order_relaxed);
}

void Value::release() noexcept {
  auto* shared = pointer_at<Shared>(bytes_ + kPayloadAt);
  if (shared->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  switch (kind()) {
    case Kind::list: delete static_cast<SharedList*>(shared); break;
    case Kind::map: delete static_cast<SharedMap*>(shared); break;
    default: SharedText::destroy(static_cast<SharedText*>(shared)); break;
  }
}

}  // namespace railhead
