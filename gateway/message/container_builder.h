// Lists and maps item by item, straight into the one block of memory that their Value will share.
// Threads: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "gateway/message/value.h"

namespace railhead {

class Value::ListBuilder {
 public:
  // Room for as many; more may come.
  explicit ListBuilder(std::size_t expected);
  ~ListBuilder();
  ListBuilder(const ListBuilder&) = delete;
  ListBuilder& operator=(const ListBuilder&) = delete;

  void add(Value item) {
    if (count_ == room_) grow();
    new (block_->items() + count_++) Value(std::move(item));
  }
  // Once.
  [[nodiscard]] Value finish();

 private:
  void grow();
  SharedList* block_ = nullptr;
  std::size_t room_ = 0;
  std::size_t count_ = 0;
};

class Value::MapBuilder {
 public:
  explicit MapBuilder(std::size_t expected);
  ~MapBuilder();
  MapBuilder(const MapBuilder&) = delete;
  MapBuilder& operator=(const MapBuilder&) = delete;

  // False, and nothing is added, when the key is there already.
  bool add(Value key, Value member) {
    return add_made([&] { return std::move(key); }, [&] { return std::move(member); });
  }
  // The same, made where they will stand.
  template <class Key, class Member>
  bool add_made(Key make_key, Member make_member) {
    if (count_ == room_) grow();
    auto* const entry = new (block_->entries() + count_) Entry(Made<Key>{make_key}, Made<Member>{make_member});
    if (!is_new(entry->first)) {
      std::destroy_at(entry);
      return false;
    }
    ++count_;
    return true;
  }
  [[nodiscard]] Value finish();

 private:
  template <class Make>
  struct Made {
    Make& make;
    // NOLINTNEXTLINE(google-explicit-constructor)
    operator Value() const { return make(); }
  };

  void grow();
  [[nodiscard]] bool is_new(const Value& key) {
    if (count_ < kIndexAbove && key.is(Kind::string) && !key.is_shared()) {
      const unsigned at = key.spread();
      const std::uint64_t bit = std::uint64_t{1} << (at % 64);
      std::uint64_t& seen = seen_[at / 64];
      if ((seen & bit) == 0) {
        seen |= bit;
        return true;
      }
    }
    return is_new_among_all(key);
  }
  [[nodiscard]] bool is_new_among_all(const Value& key);

  static constexpr std::size_t kIndexAbove = 16;  // entries; up to here looking at each is as fast
  SharedMap* block_ = nullptr;
  std::size_t room_ = 0;
  std::size_t count_ = 0;
  std::array<std::uint64_t, 4> seen_{};  // a bit for each short text so far: most new ones have one of their own
};

}  // namespace railhead
