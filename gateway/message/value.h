// Value: the one dynamic value of the house: what a field device said, what an expression computes, what a body holds.
// Immutable, 16 bytes, cheap to copy: scalars and texts of up to 14 bytes live inside, the rest is shared by reference
// count. Kinds: those of CEL (cel-spec, langdef.md "Values"); `error` is an expression's failure, kept as a value.
// Errors: asking a value for another kind than its own is the program's mistake (assertion).
// Threads: one Value is not to be assigned by two threads at once; copies may be read anywhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/assert.h"
#include "gateway/base/time.h"

namespace railhead {

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
  type,   // the name of a type
  error,  // a sentence
};

// CEL's names: null_type bool int uint double string bytes google.protobuf.Timestamp google.protobuf.Duration list map
// type.
[[nodiscard]] std::string_view cel_type_name(Kind kind) noexcept;

class Value {
 public:
  using Entry = std::pair<Value, Value>;
  using List = std::vector<Value>;
  using Entries = std::vector<Entry>;

  Value() noexcept { set(Kind::null, 0); }
  Value(const Value& other) noexcept {
    std::memcpy(bytes_, other.bytes_, sizeof bytes_);
    if (is_shared()) shared()->references.fetch_add(1, std::memory_order_relaxed);
  }
  Value(Value&& other) noexcept {
    std::memcpy(bytes_, other.bytes_, sizeof bytes_);
    other.set(Kind::null, 0);
  }
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
    if (is_shared() && shared()->references.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }
  void swap(Value& other) noexcept {
    unsigned char held[sizeof bytes_];
    std::memcpy(held, bytes_, sizeof bytes_);
    std::memcpy(bytes_, other.bytes_, sizeof bytes_);
    std::memcpy(other.bytes_, held, sizeof bytes_);
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
  [[nodiscard]] static Value list(List items);
  // Keys: boolean, integer, uinteger, string. Order is kept; of two equal keys the first stays.
  [[nodiscard]] static Value map(Entries entries);

  [[nodiscard]] Kind kind() const noexcept { return static_cast<Kind>(bytes_[0]); }
  [[nodiscard]] bool is(Kind wanted) const noexcept { return kind() == wanted; }
  // Its copies share memory with it.
  [[nodiscard]] bool is_shared() const noexcept { return bytes_[1] == kShared; }
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
  // The characters of a string, bytes, type or error; valid while this Value lives and is not assigned.
  [[nodiscard]] std::string_view as_text() const {
    RAILHEAD_ASSERT(kind() == Kind::string || kind() == Kind::bytes || kind() == Kind::type || kind() == Kind::error);
    if (is_shared()) return static_cast<const SharedText*>(shared())->text();
    return {reinterpret_cast<const char*>(bytes_ + 2), bytes_[1]};
  }
  [[nodiscard]] const List& as_list() const;
  [[nodiscard]] const Entries& as_map() const;
  // Any of the three number kinds as the nearest double.
  [[nodiscard]] double to_real() const;

  // In a map, by text key or by any key (numbers compare by value across kinds, as CEL's do). nullptr if absent or no
  // map.
  [[nodiscard]] const Value* find(std::string_view key) const;
  [[nodiscard]] const Value* find(const Value& key) const;

  // CEL equality: numbers compare by value across kinds, other kinds never equal each other; NaN equals nothing;
  // lists and maps by their members (the order of a map's entries is no part of its value).
  friend bool operator==(const Value& left, const Value& right);

 private:
  static constexpr unsigned char kShared = 0xff;
  static constexpr unsigned char kFar = 0xfe;  // a timestamp whose payload counts seconds, its nanoseconds at kNanosAt
  static constexpr std::size_t kInlineMax = 14;
  static constexpr std::size_t kNanosAt = 4;
  static constexpr std::size_t kPayloadAt = 8;

  template <class T>
  static Value scalar(Kind kind, T payload) noexcept {
    static_assert(sizeof(T) == 8);
    Value value;
    value.set(kind, 0);
    std::memcpy(value.bytes_ + kPayloadAt, &payload, sizeof payload);
    return value;
  }
  static Value characters(Kind kind, std::string_view text) {
    if (text.size() > kInlineMax) return shared_characters(kind, text);
    Value value;
    value.set(kind, static_cast<unsigned char>(text.size()));
    copy_short(text, value.bytes_ + 2);
    return value;
  }
  static Value shared_characters(Kind kind, std::string_view text);
  // Why not memcpy: its length is not known, which makes it a call, and texts are most of what is read.
  static void copy_short(std::string_view from, unsigned char* to) noexcept {
    const std::size_t size = from.size();
    const auto two_of = [&](auto word) {
      std::memcpy(&word, from.data(), sizeof word);
      std::memcpy(to, &word, sizeof word);
      std::memcpy(&word, from.data() + size - sizeof word, sizeof word);
      std::memcpy(to + size - sizeof word, &word, sizeof word);
    };
    if (size >= 8) {
      two_of(std::uint64_t{});
    } else if (size >= 4) {
      two_of(std::uint32_t{});
    } else {
      for (std::size_t i = 0; i < size; ++i) to[i] = static_cast<unsigned char>(from[i]);
    }
  }

  struct Shared {
    std::atomic<std::uint32_t> references{1};
  };
  // One block: the characters stand behind it.
  struct SharedText : Shared {
    std::size_t size = 0;
    [[nodiscard]] std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), size}; }
  };
  struct SharedList;
  struct SharedMap;

  void set(Kind kind, unsigned char length) noexcept {
    bytes_[0] = static_cast<unsigned char>(kind);
    bytes_[1] = length;
  }
  [[nodiscard]] Shared* shared() const noexcept {
    Shared* pointer = nullptr;
    std::memcpy(&pointer, bytes_ + kPayloadAt, sizeof pointer);
    return pointer;
  }
  void share(Kind kind, Shared* block) noexcept {
    set(kind, kShared);
    std::memcpy(bytes_ + kPayloadAt, &block, sizeof block);
  }
  // Short texts that equal each other do so in all bytes; a short one and a long one never do.
  [[nodiscard]] bool same_bytes(const Value& other) const noexcept {
    std::uint64_t mine[2];
    std::uint64_t others[2];
    std::memcpy(mine, bytes_, sizeof mine);
    std::memcpy(others, other.bytes_, sizeof others);
    return ((mine[0] ^ others[0]) | (mine[1] ^ others[1])) == 0;
  }
  [[nodiscard]] bool is_far() const noexcept { return bytes_[1] == kFar; }
  template <class T>
  [[nodiscard]] T payload(Kind wanted) const {
    RAILHEAD_ASSERT(kind() == wanted);
    T value;
    std::memcpy(&value, bytes_ + kPayloadAt, sizeof value);
    return value;
  }
  void destroy() noexcept;
  [[nodiscard]] const Value* find_short(const Value& key) const;  // in a map without index

  // [0] kind, [1] length of inline characters or kShared, then characters from [2], or a payload or pointer at [8].
  alignas(8) unsigned char bytes_[16] = {};
};

}  // namespace railhead
