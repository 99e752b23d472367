// A growing run of frames in memory. Unlike std::string it does not write zeros before the frame is written, and it
// grows in place where the allocator can. Threads: none of its own.
#pragma once

#include <algorithm>
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

  [[nodiscard]] static FrameBuffer copy_of(std::string_view bytes) {
    FrameBuffer buffer;
    std::memcpy(buffer.extend(bytes.size()), bytes.data(), bytes.size());
    return buffer;
  }

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
  [[nodiscard]] char* data() { return bytes_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::string_view view() const { return {bytes_, size_}; }

 private:
  char* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace railhead::spool
