// Descriptor: owns one file descriptor. EventFd: wakes an event loop from another thread.
#pragma once

#include <cstddef>
#include <utility>

#include "gateway/base/result.h"

namespace railhead::system {

class Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Descriptor() { reset(); }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

// As many open descriptors as the process may have: a plant's gateway needs one for each connection, and the usual 1024
// are too few. Why not for every program: what waits in select() cannot have more; nothing of ours does. Returns how
// many.
std::size_t allow_many_descriptors() noexcept;

// Counts nothing: signalled or not. Threads: signal() from any thread, clear() from the reader.
class EventFd {
 public:
  EventFd();
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  void signal() const noexcept;
  void clear() const noexcept;

 private:
  Descriptor fd_;
};

}  // namespace railhead::system
