// ReadBuffer: bytes read and not yet taken: a whole number of packets in the middle of being delivered, and the
// beginning of one. Threads: one owner.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "gateway/base/assert.h"

namespace railhead::mqtt {

class ReadBuffer {
 public:
  static constexpr std::size_t kLeast = 4 * 1024;  // of capacity

  [[nodiscard]] std::string_view bytes() const { return {bytes_.get() + begin_, end_ - begin_}; }
  // Moves what is there to the front.
  [[nodiscard]] std::span<char> space() {
    if (begin_ > 0) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
      end_ -= std::exchange(begin_, 0);
    }
    return {bytes_.get() + end_, capacity_ - end_};
  }
  [[nodiscard]] bool full() const { return end_ - begin_ == capacity_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  void added(std::size_t count) { end_ += count; }
  void take(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) clear();
  }
  void clear() { begin_ = end_ = 0; }
  void resize(std::size_t capacity) {
    const std::size_t size = end_ - begin_;
    RAILHEAD_ASSERT(capacity >= size);
    auto moved = std::make_unique_for_overwrite<char[]>(capacity);
    if (size > 0) std::memcpy(moved.get(), bytes_.get() + begin_, size);
    bytes_ = std::move(moved);
    capacity_ = capacity;
    begin_ = 0;
    end_ = size;
  }

 private:
  std::unique_ptr<char[]> bytes_ = std::make_unique_for_overwrite<char[]>(kLeast);
  std::size_t capacity_ = kLeast;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace railhead::mqtt
