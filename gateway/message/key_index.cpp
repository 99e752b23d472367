#include "gateway/message/key_index.h"

#include <cmath>
#include <functional>
#include <utility>

namespace railhead {
namespace {

constexpr std::size_t kSlotsMin = 32;

// Equal numbers have equal hashes, whatever their kinds.
std::uint64_t number_hash(const Value& number) {
  if (number.is(Kind::integer)) return static_cast<std::uint64_t>(number.as_integer());
  if (number.is(Kind::uinteger)) return number.as_uinteger();
  const double real = number.as_real();
  if (!(std::trunc(real) == real)) return 0;  // equals no whole number
  if (real >= -9223372036854775808.0 && real < 9223372036854775808.0) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(real));
  }
  return real >= 0 && real < 18446744073709551616.0 ? static_cast<std::uint64_t>(real) : 0;
}

std::uint32_t folded(std::uint64_t hash) { return static_cast<std::uint32_t>(hash ^ hash >> 32); }

std::uint32_t hash_of_long(std::string_view text) { return folded(std::hash<std::string_view>{}(text)); }

std::uint32_t hash_of(const Value& key) {
  if (key.is(Kind::string)) return key.is_shared() ? hash_of_long(key.as_text()) : folded(key.short_hash());
  if (key.is_number()) return folded(number_hash(key) * 0x9e3779b97f4a7c15U);
  return key.is(Kind::boolean) && key.as_boolean() ? 1 : 0;
}

bool are_equal(const Value& left, const Value& right) {
  if (left.is(Kind::string) && right.is(Kind::string)) return left.same_characters(right);
  return left == right;
}

}  // namespace

void KeyIndex::reserve(std::size_t keys) {
  std::size_t size = kSlotsMin;
  while (size < 2 * keys) size *= 2;
  slots_.assign(size, Slot{});
}

template <class IsKey>
std::size_t KeyIndex::slot_of(std::uint32_t hash, IsKey is_key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].place != kNone && !(slots_[at].hash == hash && is_key(slots_[at].place))) at = (at + 1) & mask;
  return at;
}

std::uint32_t KeyIndex::find(const Value& key, const Value::Entry* entries) const {
  return slots_[slot_of(hash_of(key), [&](std::uint32_t place) { return are_equal(entries[place].first, key); })].place;
}

std::uint32_t KeyIndex::find(std::string_view key, const Value::Entry* entries) const {
  const auto is_key = [&](std::uint32_t place) {
    return entries[place].first.is(Kind::string) && entries[place].first.as_text() == key;
  };
  return slots_[slot_of(hash_of_long(key), is_key)].place;
}

bool KeyIndex::add(const Value& key, std::uint32_t place, const Value::Entry* entries) {
  if (2 * used_ >= slots_.size()) grow();
  const std::uint32_t hash = hash_of(key);
  Slot& slot = slots_[slot_of(hash, [&](std::uint32_t at) { return are_equal(entries[at].first, key); })];
  if (slot.place != kNone) return false;
  slot = {hash, place};
  ++used_;
  return true;
}

void KeyIndex::grow() {
  std::vector<Slot> before = std::exchange(slots_, {});
  slots_.resize(before.empty() ? kSlotsMin : 2 * before.size());
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : before) {
    if (slot.place == kNone) continue;
    std::size_t at = slot.hash & mask;
    while (slots_[at].place != kNone) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

}  // namespace railhead
