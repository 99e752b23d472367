#include "adapters/modbus/serial.h"

#include <fcntl.h>
#include <linux/serial.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "gateway/system/descriptor.h"
#include "gateway/system/event_loop.h"

namespace railhead::modbus {
namespace {

using system::Descriptor;

speed_t speed_of(std::uint32_t baud) {
  switch (baud) {
    case 1200: return B1200;
    case 1800: return B1800;
    case 2400: return B2400;
    case 4800: return B4800;
    case 9600: return B9600;
    case 19200: return B19200;
    case 38400: return B38400;
    case 57600: return B57600;
    case 115200: return B115200;
    case 230400: return B230400;
    case 460800: return B460800;
    case 500000: return B500000;
    case 576000: return B576000;
    case 921600: return B921600;
    case 1000000: return B1000000;
    default: return B0;
  }
}

class SerialStream final : public system::Stream {
 public:
  SerialStream(Descriptor fd, std::string path, bool echo) : fd_(std::move(fd)), path_(std::move(path)), echo_(echo) {}

  int fd() const override { return fd_.get(); }
  std::uint32_t wanted() const override {
    return opened_ ? std::uint32_t{system::EventLoop::kReadable} : std::uint32_t{system::EventLoop::kWritable};
  }
  Result<Progress> handshake() override {
    opened_ = true;
    return Progress::done;
  }

  Result<std::size_t> read(std::span<char> into) override {
    for (;;) {
      const ssize_t got = ::read(fd_.get(), into.data(), into.size());
      if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
        return fail(system_error("read from " + path_, errno));
      }
      if (got == 0) return fail(Errc::unavailable, path_ + ": the line is gone");
      const std::size_t kept = without_echo(into.first(static_cast<std::size_t>(got)));
      if (kept > 0) return kept;
    }
  }

  Result<std::size_t> write(std::string_view bytes) override {
    if (!partial_) {
      // A new request: nothing that came before can be an answer to it.
      ::tcflush(fd_.get(), TCIFLUSH);
      echoed_.clear();
    }
    const ssize_t sent = ::write(fd_.get(), bytes.data(), bytes.size());
    if (sent >= 0) {
      partial_ = static_cast<std::size_t>(sent) < bytes.size();
      if (echo_) echoed_.append(bytes.substr(0, static_cast<std::size_t>(sent)));
      return static_cast<std::size_t>(sent);
    }
    if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
    return fail(system_error("write to " + path_, errno));
  }

 private:
  // Takes our own bytes off the front; from the first that differs on everything is the answer.
  std::size_t without_echo(std::span<char> bytes) {
    std::size_t same = 0;
    while (same < bytes.size() && same < echoed_.size() && bytes[same] == echoed_[same]) ++same;
    if (same < bytes.size()) {
      echoed_.clear();
    } else {
      echoed_.erase(0, same);
    }
    std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(same), bytes.end(), bytes.begin());
    return bytes.size() - same;
  }

  Descriptor fd_;
  std::string path_;
  const bool echo_;
  bool opened_ = false;
  bool partial_ = false;  // the rest of a request is still to be written
  std::string echoed_;    // sent, and not come back yet
};

// Their kernel driver refuses to have parity (character majors 136 to 143, Linux admin-guide/devices.txt).
bool is_pseudo_terminal(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && major(status.st_rdev) >= 136 && major(status.st_rdev) <= 143;
}

Result<void> configure(int fd, const std::string& path, const SerialOptions& options) {
  termios setting{};
  if (::tcgetattr(fd, &setting) != 0) return fail(system_error(path + " is no serial line", errno));
  ::cfmakeraw(&setting);
  const speed_t speed = speed_of(options.baud);
  ::cfsetispeed(&setting, speed);
  ::cfsetospeed(&setting, speed);
  setting.c_cflag &= ~static_cast<tcflag_t>(CSIZE | PARENB | PARODD | CSTOPB | CRTSCTS);
  setting.c_cflag |= CREAD | CLOCAL;
  setting.c_cflag |= options.data == 7 && !is_pseudo_terminal(fd) ? CS7 : CS8;
  // A pseudo-terminal has none.
  if (options.parity != Parity::none && !is_pseudo_terminal(fd)) setting.c_cflag |= PARENB;
  if (options.parity == Parity::odd) setting.c_cflag |= PARODD;
  if (options.stop == 2) setting.c_cflag |= CSTOPB;
  // A byte with wrong parity is kept as it came: the check sum tells.
  setting.c_iflag &= ~static_cast<tcflag_t>(INPCK | PARMRK);
  setting.c_iflag |= IGNBRK;
  setting.c_cc[VMIN] = 1;
  setting.c_cc[VTIME] = 0;
  if (::tcsetattr(fd, TCSANOW, &setting) != 0) return fail(system_error("set " + path, errno));
  // tcsetattr succeeds when any part of it did [POSIX].
  termios is{};
  if (::tcgetattr(fd, &is) != 0) return fail(system_error("set " + path, errno));
  constexpr tcflag_t kAsked = CSIZE | PARENB | PARODD | CSTOPB;
  if (::cfgetospeed(&is) != speed || ((is.c_cflag ^ setting.c_cflag) & kAsked) != 0) {
    return fail(Errc::invalid, path + " does not take this baud, parity or number of bits");
  }
  ::tcflush(fd, TCIOFLUSH);
  return {};
}

Result<void> set_rs485(int fd, const std::string& path, const SerialOptions& options) {
  if (options.rs485 == Rs485::off) return {};
  serial_rs485 setting{};
  setting.flags = SER_RS485_ENABLED;
  setting.flags |= options.rs485 == Rs485::rts_high_on_send ? SER_RS485_RTS_ON_SEND : SER_RS485_RTS_AFTER_SEND;
  setting.delay_rts_before_send = options.delay_before_ms;
  setting.delay_rts_after_send = options.delay_after_ms;
  if (::ioctl(fd, TIOCSRS485, &setting) != 0) {
    return fail(system_error(path + ": the driver has no RS-485 mode", errno));
  }
  return {};
}

// USB adapters hold received bytes back for up to 16 ms unless asked not to. Best effort.
void ask_for_low_latency(int fd) {
  serial_struct setting{};
  if (::ioctl(fd, TIOCGSERIAL, &setting) != 0) return;
  setting.flags = static_cast<int>(static_cast<unsigned>(setting.flags) | ASYNC_LOW_LATENCY);
  ::ioctl(fd, TIOCSSERIAL, &setting);
}

}  // namespace

Result<std::unique_ptr<system::Stream>> open_serial(const std::string& path, const SerialOptions& options) {
  Descriptor fd(::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) return fail(system_error("open " + path, errno));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 || ::ioctl(fd.get(), TIOCEXCL) != 0) {
    return fail(Errc::unavailable, path + " is in use by another program");
  }
  if (auto configured = configure(fd.get(), path, options); !configured) return fail(configured.error());
  if (auto set = set_rs485(fd.get(), path, options); !set) return fail(set.error());
  ask_for_low_latency(fd.get());
  return std::make_unique<SerialStream>(std::move(fd), path, options.echo);
}

}  // namespace railhead::modbus
