// A growing run of frames in memory. Unlike std::string it does not write zeros before the frame is written, and it
// grows in place where the allocator can. Threads: none of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "gateway/base/assert.h"

namespace railhead::spool {

class FrameBuffer {
 public:
  FrameBuffer() noexcept = default;
  FrameBuffer(FrameBuffer&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  FrameBuffer& operator=(FrameBuffer&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~FrameBuffer() { std::free(bytes_); }

  // Room for `count` more bytes, not yet written; the pointer is valid until the next call.
  [[nodiscard]] char* extend(std::size_t count) {
    if (capacity_ - size_ < count) {
      capacity_ = std::max(size_ + count, capacity_ + capacity_ / 2);
      bytes_ = static_cast<char*>(std::realloc(bytes_, capacity_));
      RAILHEAD_ASSERT(bytes_ != nullptr);
    }
    char* const at = bytes_ + size_;
    size_ += count;
    return at;
  }
  void clear() { size_ = 0; }
  // Holds these bytes and no others.
  void assign(std::string_view bytes) {
    clear();
    std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
  }
  [[nodiscard]] char* data() { return bytes_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::string_view view() const { return {bytes_, size_}; }

 private:
  char* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Buffers that are used again: memory that goes back to the system costs a page fault for each page when it comes
// again, which was a tenth of a commit. Bounded; large ones only, the allocator is good at small ones. Threads: none of
// its own.
class FrameBuffers {
 public:
  static constexpr std::size_t kLarge = std::size_t{32} << 10;
  static constexpr std::size_t kBytesMost = std::size_t{1} << 20;

  // The smallest that holds `bytes` and not much more, or an empty one.
  [[nodiscard]] FrameBuffer take(std::size_t bytes) {
    FrameBuffer* best = nullptr;
    for (FrameBuffer& one : idle_) {
      const bool fits = one.capacity() >= bytes && one.capacity() <= 4 * std::max(bytes, kLarge);
      if (fits && (best == nullptr || one.capacity() < best->capacity())) best = &one;
    }
    return best == nullptr ? FrameBuffer() : std::exchange(*best, FrameBuffer());
  }
  [[nodiscard]] FrameBuffer take_largest() {
    return std::exchange(*std::max_element(idle_.begin(), idle_.end(), smaller), FrameBuffer());
  }
  // In place of the smallest, if that is smaller. Beyond kBytesMost only the largest is kept.
  void give(FrameBuffer buffer) {
    if (buffer.capacity() < kLarge) return;
    FrameBuffer& least = *std::min_element(idle_.begin(), idle_.end(), smaller);
    if (buffer.capacity() > least.capacity()) least = std::move(buffer);
    std::size_t bytes = 0;
    for (const FrameBuffer& one : idle_) bytes += one.capacity();
    if (bytes <= kBytesMost) return;
    FrameBuffer largest = take_largest();
    clear();
    idle_.front() = std::move(largest);
  }
  void clear() { idle_ = {}; }
  [[nodiscard]] bool empty() const {
    return std::all_of(idle_.begin(), idle_.end(), [](const FrameBuffer& one) { return one.capacity() == 0; });
  }

 private:
  static bool smaller(const FrameBuffer& a, const FrameBuffer& b) { return a.capacity() < b.capacity(); }
  std::array<FrameBuffer, 4> idle_;
};

}  // namespace railhead::spool
