#include "gateway/message/value.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <new>

namespace railhead {
namespace {

// Where a text key stands in a large map: open addressing, one allocation for all keys.
class KeyIndex {
 public:
  [[nodiscard]] bool empty() const { return slots_.empty(); }
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

constexpr std::size_t kIndexAbove = 12;
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

// 0 to 63, seldom the same for the names of one document.
unsigned spread(std::string_view text) {
  if (text.empty()) return 0;
  const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t mixed =
      at(0) << 16 ^ at(text.size() / 2) << 8 ^ at(text.size() - 1) ^ static_cast<std::uint32_t>(text.size()) << 24;
  return mixed * 0x9e3779b9U >> 26;
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

struct Value::SharedList : Shared {
  List items;
};

struct Value::SharedMap : Shared {
  Entries entries;
  KeyIndex index;  // of maps of more than kIndexAbove entries; empty for others
};

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

Value Value::shared_characters(Kind kind, std::string_view text) {
  Value value;
  auto* block = new (::operator new(sizeof(SharedText) + text.size())) SharedText;
  block->size = text.size();
  std::memcpy(reinterpret_cast<char*>(block + 1), text.data(), text.size());
  value.share(kind, block);
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
  auto* block = new SharedList;
  block->items = std::move(items);
  value.share(Kind::list, block);
  return value;
}

Value Value::map(Entries entries) {
  auto* block = new SharedMap;
  Value value;
  value.share(Kind::map, block);
  if (entries.size() <= kIndexAbove) {
    std::uint64_t seen = 0;  // a bit for each short text so far: most new ones have one of their own
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const Value& key = entries[i].first;
      const bool is_short = key.is(Kind::string) && !key.is_shared();
      if (is_short) {
        const std::uint64_t bit = std::uint64_t{1} << spread(key.as_text());
        const bool is_new = (seen & bit) == 0;
        seen |= bit;
        if (is_new) continue;
      }
      const bool repeated = std::any_of(
          entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(i),
          [&](const Entry& earlier) { return is_short ? earlier.first.same_bytes(key) : earlier.first == key; });
      if (repeated) {
        entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
        --i;
      }
    }
    block->entries = std::move(entries);
    return value;
  }
  block->index.reserve(entries.size());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (kept != i) entries[kept] = std::move(entries[i]);
    const auto end = entries.begin() + static_cast<std::ptrdiff_t>(kept);
    const bool repeated =
        entries[kept].first.is(Kind::string)
            ? !block->index.add(kept, entries)
            : std::any_of(entries.begin(), end, [&](const Entry& earlier) { return earlier.first == end->first; });
    if (!repeated) ++kept;
  }
  entries.resize(kept);
  block->entries = std::move(entries);
  return value;
}

const Value::List& Value::as_list() const {
  RAILHEAD_ASSERT(kind() == Kind::list);
  return static_cast<const SharedList*>(shared())->items;
}

const Value::Entries& Value::as_map() const {
  RAILHEAD_ASSERT(kind() == Kind::map);
  return static_cast<const SharedMap*>(shared())->entries;
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
  const auto* map = static_cast<const SharedMap*>(shared());
  if (!map->index.empty()) {
    const std::uint32_t* const place = map->index.find(key, map->entries);
    return place == nullptr ? nullptr : &map->entries[*place].second;
  }
  if (key.size() <= kInlineMax) return find_short(characters(Kind::string, key));
  for (const Entry& entry : map->entries) {
    if (entry.first.is(Kind::string) && entry.first.as_text() == key) return &entry.second;
  }
  return nullptr;
}

const Value* Value::find(const Value& key) const {
  if (kind() != Kind::map) return nullptr;
  if (key.is(Kind::string)) {
    const bool scans = !key.is_shared() && static_cast<const SharedMap*>(shared())->index.empty();
    return scans ? find_short(key) : find(key.as_text());
  }
  for (const Entry& entry : as_map()) {
    if (entry.first == key) return &entry.second;
  }
  return nullptr;
}

const Value* Value::find_short(const Value& key) const {
  for (const Entry& entry : static_cast<const SharedMap*>(shared())->entries) {
    if (entry.first.same_bytes(key)) return &entry.second;
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

void Value::destroy() noexcept {
  switch (kind()) {
    case Kind::list: delete static_cast<SharedList*>(shared()); break;
    case Kind::map: delete static_cast<SharedMap*>(shared()); break;
    default: static_cast<SharedText*>(shared())->~SharedText(); ::operator delete(shared());
  }
}

}  // namespace railhead
