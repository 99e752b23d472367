// A serial line with units on it, on the event loop of the links under test: a pseudo-terminal whose near end is a path
// like that of a USB adapter. Requests are read as 8 byte frames; `script` answers.
// Threads: one test's thread.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "adapters/modbus/rtu.h"
#include "gateway/base/assert.h"
#include "gateway/system/descriptor.h"
#include "gateway/system/event_loop.h"
#include "tests/support/process.h"

namespace railhead::modbus {

class SerialLine {
 public:
  struct Request {
    std::uint8_t unit = 0;
    std::uint8_t function = 0;
    std::uint16_t address = 0;
    std::uint16_t count = 0;
    std::string frame;
  };

  explicit SerialLine(system::EventLoop& loop) : loop_(loop) { plug(); }
  ~SerialLine() { unplug(); }
  SerialLine(const SerialLine&) = delete;
  SerialLine& operator=(const SerialLine&) = delete;

  [[nodiscard]] std::string path() const { return directory_.path() + "/ttyUSB0"; }

  // The line as the program under test has it.
  [[nodiscard]] int near() const { return near_.get(); }

  void plug() {
    far_.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    RAILHEAD_ASSERT(::grantpt(far_.get()) == 0 && ::unlockpt(far_.get()) == 0);
    std::array<char, 64> name{};
    RAILHEAD_ASSERT(::ptsname_r(far_.get(), name.data(), name.size()) == 0);
    // Held open, so that the far end does not hang up while nobody has the line.
    near_.reset(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    RAILHEAD_ASSERT(near_.valid());
    std::filesystem::create_symlink(name.data(), path());
    loop_.watch(far_.get(), system::EventLoop::kReadable, [this](std::uint32_t) { receive(); });
  }
  void unplug() {
    if (!far_.valid()) return;
    loop_.unwatch(far_.get());
    far_.reset();
    near_.reset();
    std::filesystem::remove(path());
    input_.clear();
  }

  void send(std::string_view bytes) {
    if (far_.valid()) RAILHEAD_ASSERT(::write(far_.get(), bytes.data(), bytes.size()) >= 0);
  }
  void send_later(std::string bytes, Duration delay) {
    loop_.after(delay, [this, bytes = std::move(bytes)] { send(bytes); });
  }
  // Registers hold their own address plus `shift`.
  static std::string answer(const Request& request, unsigned shift = 0) {
    std::string pdu{static_cast<char>(request.function), static_cast<char>(request.count * 2)};
    for (unsigned i = 0; i < request.count; ++i) {
      const unsigned word = request.address + i + shift;
      pdu.push_back(static_cast<char>(word >> 8));
      pdu.push_back(static_cast<char>(word));
    }
    std::string frame;
    encode_rtu(frame, request.unit, pdu);
    return frame;
  }

  std::function<void(const Request&)> script = [this](const Request& request) { send(answer(request)); };
  unsigned requests = 0;

 private:
  void receive() {
    std::array<char, 512> buffer{};
    const ssize_t got = ::read(far_.get(), buffer.data(), buffer.size());
    if (got <= 0) return;
    input_.append(buffer.data(), static_cast<std::size_t>(got));
    while (input_.size() >= 8) {
      const std::string frame = input_.substr(0, 8);
      input_.erase(0, 8);
      const auto byte = [&](std::size_t at) { return unsigned{static_cast<unsigned char>(frame[at])}; };
      RAILHEAD_ASSERT(crc16(frame) == 0);  // over a whole frame with its check sum
      ++requests;
      script({.unit = static_cast<std::uint8_t>(byte(0)),
              .function = static_cast<std::uint8_t>(byte(1)),
              .address = static_cast<std::uint16_t>(byte(2) << 8 | byte(3)),
              .count = static_cast<std::uint16_t>(byte(4) << 8 | byte(5)),
              .frame = frame});
    }
  }

  system::EventLoop& loop_;
  test::TemporaryDirectory directory_;
  system::Descriptor far_;
  system::Descriptor near_;
  std::string input_;
};

}  // namespace railhead::modbus
