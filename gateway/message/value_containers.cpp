// Value's lists and maps.
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "gateway/message/container_builder.h"
#include "gateway/message/key_index.h"
#include "gateway/message/value.h"

namespace railhead {
namespace {

// A block with room for as many parts behind its head.
template <class Block, class Part>
Block* block_with(std::size_t parts) {
  RAILHEAD_ASSERT(parts <= std::numeric_limits<std::uint32_t>::max());
  return new (::operator new(sizeof(Block) + parts * sizeof(Part))) Block;
}

// By the index where the map has one, else key by key.
template <class Map, class Key, class IsKey>
const Value* find_in(Map& map, const Key& key, IsKey is_key) {
  const Value::Entry* const entries = map.entries();
  if (map.index != nullptr) {
    const std::uint32_t place = map.index->find(key, entries);
    return place == KeyIndex::kNone ? nullptr : &entries[place].second;
  }
  const Value::Entry* const end = entries + map.count;
  const Value::Entry* const found =
      std::find_if(entries, end, [&](const Value::Entry& entry) { return is_key(entry.first); });
  return found == end ? nullptr : &found->second;
}

std::size_t more_room(std::size_t room) { return std::max<std::size_t>(4, 2 * room); }

}  // namespace

Value::ListBuilder::ListBuilder(std::size_t expected)
    : block_(expected == 0 ? nullptr : block_with<SharedList, Value>(expected)), room_(expected) {}

Value::ListBuilder::~ListBuilder() {
  if (block_ == nullptr) return;
  std::destroy_n(block_->items(), count_);
  ::operator delete(block_);
}

void Value::ListBuilder::grow() {
  const std::size_t room = more_room(room_);
  auto* const larger = block_with<SharedList, Value>(room);
  if (block_ != nullptr) {
    std::uninitialized_move_n(block_->items(), count_, larger->items());
    std::destroy_n(block_->items(), count_);
    ::operator delete(block_);
  }
  block_ = larger;
  room_ = room;
}

Value Value::ListBuilder::finish() {
  if (count_ == 0) return {head_of(Kind::list), 0};
  block_->count = static_cast<std::uint32_t>(count_);
  return share(Kind::list, std::exchange(block_, nullptr));
}

Value::MapBuilder::MapBuilder(std::size_t expected)
    : block_(expected == 0 ? nullptr : block_with<SharedMap, Entry>(expected)), room_(expected) {}

Value::MapBuilder::~MapBuilder() {
  if (block_ == nullptr) return;
  std::destroy_n(block_->entries(), count_);
  delete block_->index;
  ::operator delete(block_);
}

void Value::MapBuilder::grow() {
  const std::size_t room = more_room(room_);
  auto* const larger = block_with<SharedMap, Entry>(room);
  if (block_ != nullptr) {
    larger->index = block_->index;
    std::uninitialized_move_n(block_->entries(), count_, larger->entries());
    std::destroy_n(block_->entries(), count_);
    ::operator delete(block_);
  }
  block_ = larger;
  room_ = room;
}

bool Value::MapBuilder::is_new_among_all(const Value& key) {
  Entry* const entries = block_->entries();
  if (count_ >= kIndexAbove) {
    if (block_->index == nullptr) {
      block_->index = new KeyIndex;
      block_->index->reserve(room_);
      for (std::uint32_t i = 0; i < count_; ++i) static_cast<void>(block_->index->add(entries[i].first, i, entries));
    }
    return block_->index->add(key, static_cast<std::uint32_t>(count_), entries);
  }
  const bool is_short = key.is(Kind::string) && !key.is_shared();
  return std::none_of(entries, entries + count_, [&](const Entry& earlier) {
    return is_short ? earlier.first.same_bytes(key) : earlier.first == key;
  });
}

Value Value::MapBuilder::finish() {
  if (count_ == 0) return {head_of(Kind::map), 0};
  block_->count = static_cast<std::uint32_t>(count_);
  return share(Kind::map, std::exchange(block_, nullptr));
}

Value Value::list(List items) {
  ListBuilder builder(items.size());
  for (Value& item : items) builder.add(std::move(item));
  return builder.finish();
}

Value Value::optional(Value held) {
  // A list of one item but for its kind.
  auto* const block = block_with<SharedList, Value>(1);
  block->count = 1;
  new (block->items()) Value(std::move(held));
  return share(Kind::optional, block);
}

Value Value::map(Entries entries) {
  MapBuilder builder(entries.size());
  for (Entry& entry : entries) builder.add(std::move(entry.first), std::move(entry.second));
  return builder.finish();
}

const Value* Value::find(std::string_view key) const {
  if (key.size() <= kInlineMax) return find(text(key));
  if (kind() != Kind::map || !is_shared()) return nullptr;
  return find_in(*static_cast<SharedMap*>(shared()), key,
                 [&](const Value& one) { return one.is(Kind::string) && one.as_text() == key; });
}

const Value* Value::find(const Value& key) const {
  if (kind() != Kind::map || !is_shared()) return nullptr;
  const bool is_short = key.is(Kind::string) && !key.is_shared();
  return find_in(*static_cast<SharedMap*>(shared()), key,
                 [&](const Value& one) { return is_short ? one.same_bytes(key) : one == key; });
}

void Value::destroy() noexcept {
  switch (kind()) {
    case Kind::list:
    case Kind::optional: {
      auto* const list = static_cast<SharedList*>(shared());
      std::destroy_n(list->items(), list->count);
      break;
    }
    case Kind::map: {
      auto* const map = static_cast<SharedMap*>(shared());
      std::destroy_n(map->entries(), map->count);
      delete map->index;
      break;
    }
    default: break;
  }
  ::operator delete(shared());
}

}  // namespace railhead
