// Value: the one dynamic value of the house: what a field device said, what an expression computes, what a body holds.
// Immutable, 16 bytes, cheap to copy: scalars and texts of up to 14 bytes live inside, the rest is shared by reference
// count, one block of memory each, none for empty lists and maps.
// Kinds: those of CEL (cel-spec, langdef.md "Values"); `error` is an expression's failure, kept as a value.
// Errors: asking a value for another kind than its own is the program's mistake (assertion).
// Threads: one Value is not to be assigned by two threads at once; copies may be read anywhere.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/assert.h"
#include "gateway/base/bytes.h"
#include "gateway/base/time.h"

namespace railhead {

class KeyIndex;

enum class Kind : std::uint8_t {
  null,
  boolean,
  integer,   // int64
  uinteger,  // uint64
  real,      // IEEE 754 double
  string,    // UTF-8
  bytes,
  timestamp,  // int64 ns since 1970 UTC; far ones, which the rules' language can compute, in seconds
  duration,   // int64 ns
  list,
  map,
  type,      // the name of a type
  error,     // a sentence
  optional,  // a value or none; inside an expression only, no program gives one
  address,   // an IP address: its canonical text
  network,   // an IP network likewise: 192.168.0.0/24
};

// CEL's names: null_type bool int uint double string bytes google.protobuf.Timestamp google.protobuf.Duration list map
// type optional_type net.IP net.CIDR.
[[nodiscard]] std::string_view cel_type_name(Kind kind) noexcept;

class Value {
 public:
  using Entry = std::pair<Value, Value>;
  using List = std::vector<Value>;
  using Entries = std::vector<Entry>;

  Value() noexcept = default;
  Value(const Value& other) noexcept : Value(other.head_, other.tail_) {
    if (is_shared()) shared()->references.fetch_add(1, std::memory_order_relaxed);
  }
  Value(Value&& other) noexcept : Value(other.head_, other.tail_) { other.head_ = head_of(Kind::null); }
  Value& operator=(const Value& other) noexcept {
    Value copy(other);
    swap(copy);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Value() {
    if (is_shared()) release();
  }
  void swap(Value& other) noexcept {
    std::swap(head_, other.head_);
    std::swap(tail_, other.tail_);
  }

  [[nodiscard]] static Value boolean(bool value) noexcept { return scalar(Kind::boolean, std::uint64_t{value}); }
  [[nodiscard]] static Value integer(std::int64_t value) noexcept { return scalar(Kind::integer, value); }
  [[nodiscard]] static Value uinteger(std::uint64_t value) noexcept { return scalar(Kind::uinteger, value); }
  [[nodiscard]] static Value real(double value) noexcept { return scalar(Kind::real, value); }
  [[nodiscard]] static Value timestamp(Time value) noexcept {
    return scalar(Kind::timestamp, std::int64_t{value.time_since_epoch().count()});
  }
  // Years 0001 to 9999, also where Time ends (1677 to 2262): seconds since 1970 and nanoseconds (0..999'999'999) after
  // them.
  [[nodiscard]] static Value timestamp(std::int64_t seconds, std::uint32_t nanoseconds) noexcept;
  [[nodiscard]] static Value duration(Duration value) noexcept {
    return scalar(Kind::duration, std::int64_t{value.count()});
  }
  [[nodiscard]] static Value text(std::string_view value) { return characters(Kind::string, value); }
  [[nodiscard]] static Value bytes(std::string_view value) { return characters(Kind::bytes, value); }
  [[nodiscard]] static Value type(std::string_view name) { return characters(Kind::type, name); }
  [[nodiscard]] static Value error(std::string_view sentence) { return characters(Kind::error, sentence); }
  // The caller sees that the text is the canonical one.
  [[nodiscard]] static Value address(std::string_view text) { return characters(Kind::address, text); }
  [[nodiscard]] static Value network(std::string_view text) { return characters(Kind::network, text); }
  [[nodiscard]] static Value list(List items);
  // Keys: boolean, integer, uinteger, string. Order is kept; of two equal keys the first stays.
  [[nodiscard]] static Value map(Entries entries);
  [[nodiscard]] static Value optional(Value held);
  [[nodiscard]] static Value none() noexcept { return {head_of(Kind::optional), 0}; }
  class ListBuilder;  // container_builder.h: item by item, without a vector
  class MapBuilder;
  // As text(), of characters behind which kReadBehind more may be read, whatever they are.
  static constexpr std::size_t kReadBehind = 16;
  [[nodiscard]] static Value text_read_behind(const char* from, std::size_t size) {
    if (size > kInlineMax) return shared_characters(Kind::string, {from, size});
    // Why not by length: the lengths of keys and texts change from one to the next, which no processor foresees.
    return short_text(Kind::string, size, base::load_le<std::uint64_t>(from) & kKept[size].low,
                      base::load_le<std::uint64_t>(from + 8) & kKept[size].high);
  }

  [[nodiscard]] Kind kind() const noexcept { return static_cast<Kind>(head_ & 0xff); }
  [[nodiscard]] bool is(Kind wanted) const noexcept { return kind() == wanted; }
  // Its copies share memory with it.
  [[nodiscard]] bool is_shared() const noexcept { return length() == kShared; }
  [[nodiscard]] bool is_number() const noexcept { return kind() >= Kind::integer && kind() <= Kind::real; }

  [[nodiscard]] bool as_boolean() const { return payload<std::uint64_t>(Kind::boolean) != 0; }
  [[nodiscard]] std::int64_t as_integer() const { return payload<std::int64_t>(Kind::integer); }
  [[nodiscard]] std::uint64_t as_uinteger() const { return payload<std::uint64_t>(Kind::uinteger); }
  [[nodiscard]] double as_real() const { return payload<double>(Kind::real); }
  // The nearest Time; timestamp_seconds() and timestamp_nanoseconds() are exact.
  [[nodiscard]] Time as_timestamp() const {
    const auto count = payload<std::int64_t>(Kind::timestamp);
    if (is_far()) return count < 0 ? Time::min() : Time::max();
    return Time{Duration{count}};
  }
  [[nodiscard]] std::int64_t timestamp_seconds() const;
  [[nodiscard]] std::uint32_t timestamp_nanoseconds() const;
  [[nodiscard]] Duration as_duration() const { return Duration{payload<std::int64_t>(Kind::duration)}; }
  // The characters of a string, bytes, type, error, address or network; valid while this Value lives and is not
  // assigned.
  [[nodiscard]] std::string_view as_text() const {
    RAILHEAD_ASSERT(kind() == Kind::string || kind() == Kind::bytes || kind() == Kind::type || kind() == Kind::error ||
                    kind() == Kind::address || kind() == Kind::network);
    if (is_shared()) return static_cast<const SharedText*>(shared())->text();
    return {reinterpret_cast<const char*>(this) + kCharactersAt, length()};
  }
  // Valid like as_text().
  [[nodiscard]] std::span<const Value> as_list() const;
  [[nodiscard]] std::span<const Entry> as_map() const;
  // What an optional holds, nullptr if that is nothing. Valid like as_text().
  [[nodiscard]] const Value* as_optional() const;
  // Any of the three number kinds as the nearest double.
  [[nodiscard]] double to_real() const;

  // In a map, by text key or by any key (numbers compare by value across kinds, as CEL's do). nullptr if absent or no
  // map.
  [[nodiscard]] const Value* find(std::string_view key) const;
  [[nodiscard]] const Value* find(const Value& key) const;
  // The same; looks first where it was found the last time, in this map or another of its shape: `place`, brought up to
  // date.
  [[nodiscard]] const Value* find_again(const Value& key, std::uint32_t& place) const;

  // Of two of a kind that has as_text(): whether their characters are the same.
  [[nodiscard]] bool same_characters(const Value& other) const {
    return same_bytes(other) || ((is_shared() && other.is_shared()) && as_text() == other.as_text());
  }

  // Of a text that is not shared.
  [[nodiscard]] std::uint64_t short_hash() const noexcept {
    return (head_ ^ tail_ * 0x9e3779b97f4a7c15U) * 0xff51afd7ed558ccdU;
  }

  // CEL equality: numbers compare by value across kinds, other kinds never equal each other; NaN equals nothing;
  // lists and maps by their members (the order of a map's entries is no part of its value).
  friend bool operator==(const Value& left, const Value& right);

 private:
  static constexpr unsigned kShared = 0xff;
  static constexpr unsigned kFar =
      0xfe;  // a timestamp whose tail counts seconds; its nanoseconds: the head's high half
  static constexpr std::size_t kInlineMax = 14;
  static constexpr std::size_t kCharactersAt = 2;

  Value(std::uint64_t head, std::uint64_t tail) noexcept : head_(head), tail_(tail) {}
  [[nodiscard]] static constexpr std::uint64_t head_of(Kind kind, std::uint64_t length = 0) noexcept {
    return static_cast<std::uint64_t>(kind) | length << 8;
  }
  [[nodiscard]] unsigned length() const noexcept { return head_ >> 8 & 0xff; }

  template <class T>
  static Value scalar(Kind kind, T payload) noexcept {
    return {head_of(kind), std::bit_cast<std::uint64_t>(payload)};
  }
  static Value characters(Kind kind, std::string_view text) {
    const std::size_t size = text.size();
    const char* const from = text.data();
    // Why not memcpy: its length is not known, which makes it a call, and texts are most of what is read. Two words
    // that overlap are all of it.
    if (size > kInlineMax) return shared_characters(kind, text);
    if (size >= 8) {
      const auto last = base::load_le<std::uint64_t>(from + size - 8);
      return short_text(kind, size, base::load_le<std::uint64_t>(from), last >> 8 * (15 - size) >> 8);
    }
    if (size >= 4) {
      const std::uint64_t last = base::load_le<std::uint32_t>(from + size - 4);
      return short_text(kind, size, base::load_le<std::uint32_t>(from) | last << 8 * (size - 4), 0);
    }
    std::uint64_t low = 0;
    for (std::size_t i = 0; i < size; ++i) low |= std::uint64_t{static_cast<unsigned char>(from[i])} << 8 * i;
    return short_text(kind, size, low, 0);
  }
  // `low`, `high`: the first eight characters and the rest, zero behind them.
  static Value short_text(Kind kind, std::size_t size, std::uint64_t low, std::uint64_t high) noexcept {
    return {head_of(kind, size) | low << 16, low >> 48 | high << 16};
  }
  static Value shared_characters(Kind kind, std::string_view text);
  struct Mask {
    std::uint64_t low;
    std::uint64_t high;
  };
  static constexpr std::array<Mask, kInlineMax + 1> kKept = [] {
    std::array<Mask, kInlineMax + 1> masks{};
    for (std::size_t i = 1; i <= kInlineMax; ++i) {
      masks[i] = masks[i - 1];
      (i <= 8 ? masks[i].low : masks[i].high) |= std::uint64_t{0xff} << 8 * ((i - 1) % 8);
    }
    return masks;
  }();

  struct Shared {
    std::atomic<std::uint32_t> references{1};
    std::uint32_t count = 0;  // of the characters, items or entries behind the block
  };
  struct SharedText : Shared {
    [[nodiscard]] std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), count}; }
  };
  struct SharedList;
  struct SharedMap;

  [[nodiscard]] Shared* shared() const noexcept {
    return reinterpret_cast<Shared*>(static_cast<std::uintptr_t>(tail_));  // NOLINT(performance-no-int-to-ptr)
  }
  static Value share(Kind kind, Shared* block) noexcept {
    return {head_of(kind, kShared), reinterpret_cast<std::uintptr_t>(block)};
  }
  // Short texts that equal each other do so in all bytes; a short one and a long one never do.
  [[nodiscard]] bool same_bytes(const Value& other) const noexcept {
    return ((head_ ^ other.head_) | (tail_ ^ other.tail_)) == 0;
  }
  // 0 to 255, seldom the same for the short texts that are the names of one document.
  [[nodiscard]] unsigned spread() const noexcept { return static_cast<unsigned>(short_hash() >> 56); }
  [[nodiscard]] bool is_far() const noexcept { return length() == kFar; }
  template <class T>
  [[nodiscard]] T payload(Kind wanted) const {
    RAILHEAD_ASSERT(kind() == wanted);
    return std::bit_cast<T>(tail_);
  }
  void release() noexcept {
    // The only reference needs no atomic subtraction: nobody else can copy it.
    Shared* const block = shared();
    if (block->references.load(std::memory_order_acquire) == 1 ||
        block->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      destroy();
    }
  }
  void destroy() noexcept;

  // Why words: bytes that were just written one by one cannot be loaded as a whole without waiting for all of them.
  // Bytes of both in memory: 0 the kind, 1 the number of characters or kShared or kFar, then the characters; or from 8
  // a payload or pointer.
  std::uint64_t head_ = head_of(Kind::null);
  std::uint64_t tail_ = 0;
};
static_assert(std::endian::native == std::endian::little);

struct alignas(alignof(Value)) Value::SharedList : Shared {
  [[nodiscard]] Value* items() { return reinterpret_cast<Value*>(this + 1); }
};

struct alignas(alignof(Value)) Value::SharedMap : Shared {
  [[nodiscard]] Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
  KeyIndex* index = nullptr;  // of a map of many entries; its own
};

inline std::span<const Value> Value::as_list() const {
  RAILHEAD_ASSERT(kind() == Kind::list);
  if (!is_shared()) return {};
  auto* const block = static_cast<SharedList*>(shared());
  return {block->items(), block->count};
}

inline const Value* Value::as_optional() const {
  RAILHEAD_ASSERT(kind() == Kind::optional);
  return is_shared() ? static_cast<SharedList*>(shared())->items() : nullptr;
}

inline const Value* Value::find_again(const Value& key, std::uint32_t& place) const {
  if ((head_ & 0xffff) != head_of(Kind::map, kShared)) return nullptr;  // else an empty one, or none
  auto* const map = static_cast<SharedMap*>(shared());
  const Entry* const entries = map->entries();
  if (place < map->count && entries[place].first.same_bytes(key)) return &entries[place].second;
  const Value* const found = find(key);
  if (found != nullptr) {
    place = static_cast<std::uint32_t>((reinterpret_cast<const char*>(found) - reinterpret_cast<const char*>(entries)) /
                                       static_cast<std::ptrdiff_t>(sizeof(Entry)));
  }
  return found;
}

inline std::span<const Value::Entry> Value::as_map() const {
  RAILHEAD_ASSERT(kind() == Kind::map);
  if (!is_shared()) return {};
  auto* const block = static_cast<SharedMap*>(shared());
  return {block->entries(), block->count};
}

}  // namespace railhead
