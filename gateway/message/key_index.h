// KeyIndex: where the keys of a large map stand. Open addressing, one allocation for all keys; keys that are equal as
// Values are the same key (numbers by value across kinds).
// Threads: read by any number while nobody adds.
#pragma once

#include <cstdint>
#include <vector>

#include "gateway/message/value.h"

namespace railhead {

class KeyIndex {
 public:
  void reserve(std::size_t keys);
  // The place of this key among `entries`, or kNone.
  [[nodiscard]] std::uint32_t find(const Value& key, const Value::Entry* entries) const;
  // REQUIRES: so long a text that its Value is shared.
  [[nodiscard]] std::uint32_t find(std::string_view key, const Value::Entry* entries) const;
  // `key` is going to stand at `place` of `entries`. False when an equal one stands there already.
  bool add(const Value& key, std::uint32_t place, const Value::Entry* entries);
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t place = kNone;
  };
  // The slot that holds the key, or the free one where it belongs.
  template <class IsKey>
  [[nodiscard]] std::size_t slot_of(std::uint32_t hash, IsKey is_key) const;
  void grow();
  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

}  // namespace railhead
