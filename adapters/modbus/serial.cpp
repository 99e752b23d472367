#include "adapters/modbus/serial.h"

#include <asm/termbits.h>  // struct termios2: rates as numbers, which <termios.h> has not
#include <fcntl.h>
#include <grp.h>
#include <linux/serial.h>
#include <modbus.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/system/descriptor.h"
#include "gateway/system/event_loop.h"

namespace railhead::modbus {
namespace {

using system::Descriptor;

struct FreeContext {
  // modbus_close() would put back the setting that the line had before, which is one that echoes.
  void operator()(modbus_t* context) const noexcept { ::modbus_free(context); }
};
using Context = std::unique_ptr<modbus_t, FreeContext>;

class SerialStream final : public system::Stream {
 public:
  SerialStream(Descriptor lock, Descriptor fd, Context context, std::string path, bool echo, SerialRole role)
      : lock_(std::move(lock)),
        fd_(std::move(fd)),
        context_(std::move(context)),
        path_(std::move(path)),
        echo_(echo),
        role_(role) {}

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
    const Result<std::size_t> sent = role_ == SerialRole::master ? request(bytes) : put(bytes);
    if (sent && echo_) echoed_.append(bytes.substr(0, *sent));
    return sent;
  }

 private:
  Result<std::size_t> request(std::string_view frame) {
    RAILHEAD_ASSERT(frame.size() > kCheckSize);
    // Nothing that came before can be an answer to it.
    if (::modbus_flush(context_.get()) != 0) return fail(system_error("flush " + path_, errno));
    echoed_.clear();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame.data());
    const int sent = ::modbus_send_raw_request(context_.get(), bytes, static_cast<int>(frame.size() - kCheckSize));
    if (sent >= 0) return frame.size();
    if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
    if (errno == EMBBADDATA) return fail(Errc::unavailable, path_ + ": the line took a part of a request only");
    return fail(system_error("write to " + path_, errno));
  }
  Result<std::size_t> put(std::string_view bytes) {
    const ssize_t sent = ::write(fd_.get(), bytes.data(), bytes.size());
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
    return fail(system_error("write to " + path_, errno));
  }

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

  static constexpr std::size_t kCheckSize = 2;  // libmodbus appends it

  const Descriptor lock_;
  const Descriptor fd_;  // of context_
  const Context context_;
  const std::string path_;
  const bool echo_;
  const SerialRole role_;
  bool opened_ = false;
  std::string echoed_;  // sent, and not come back yet
};

// Their kernel driver refuses to have parity (character majors 136 to 143, Linux admin-guide/devices.txt).
bool is_pseudo_terminal(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && major(status.st_rdev) >= 136 && major(status.st_rdev) <= 143;
}

// With what to do about it: these are the errors of the first evening.
Error open_error(const std::string& path, int error_number) {
  Error error = system_error("open " + path, error_number);
  struct stat status {};
  if (error_number == ENOENT) {
    error.what += "; is the adapter plugged in? `ls -l /dev/serial/by-id/` shows those that are";
  } else if (error_number == EACCES && ::stat(path.c_str(), &status) == 0) {
    const group* owner = ::getgrgid(status.st_gid);
    const std::string name = owner != nullptr ? owner->gr_name : std::to_string(status.st_gid);
    const bool group_may = (status.st_mode & S_IRGRP) != 0 && (status.st_mode & S_IWGRP) != 0;
    error.what += group_may ? "; group " + name + " may: `sudo usermod -a -G " + name + " USER`, and log in anew"
                            : "; only its owner may use it";
  }
  return error;
}

// The line's own descriptor for the lock: it is taken before libmodbus changes the setting of a line that may be
// another program's.
Result<Descriptor> lock(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid() && errno != EBUSY) return fail(open_error(path, errno));
  if (!fd.valid() || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Errc::unavailable, path + " is in use by another program; `fuser -v " + path + "` tells which");
  }
  if (::isatty(fd.get()) == 0) return fail(Errc::invalid, path + " is no serial line");
  return fd;
}

Result<Context> connect(const std::string& path, const SerialOptions& options) {
  const char parity = options.parity == Parity::none ? 'N' : options.parity == Parity::even ? 'E' : 'O';
  Context context(::modbus_new_rtu(path.c_str(), static_cast<int>(options.baud), parity, options.data, options.stop));
  if (context == nullptr) return fail(system_error("open " + path, errno));
  if (::modbus_connect(context.get()) != 0) return fail(system_error("open " + path, errno));
  return context;
}

bool near(std::uint32_t is, std::uint32_t asked) {
  // Drivers tell what their divider makes of a rate; a character bears some 4 %.
  return is <= asked + asked / 33 && is >= asked - asked / 33;
}

// What libmodbus leaves to wish, and the check that the line took all of it: setting succeeds when any part did
// [POSIX].
Result<void> settle(int fd, const std::string& path, const SerialOptions& options) {
  termios2 setting{};
  if (::ioctl(fd, TCGETS2, &setting) != 0) return fail(system_error("set " + path, errno));
  // A byte with wrong parity is kept as it came: the check sum tells.
  setting.c_iflag = IGNBRK;
  setting.c_cflag |= HUPCL;  // RTS does not go on sending when we have gone
  setting.c_cc[VMIN] = 1;    // 0 makes "nothing there yet" look like a line that is gone
  if (!near(setting.c_ospeed, options.baud)) {
    // libmodbus sets 9,600 for a rate that it does not know.
    setting.c_cflag = (setting.c_cflag & ~static_cast<tcflag_t>(CBAUD)) | BOTHER;
    setting.c_ispeed = setting.c_ospeed = options.baud;
  }
  if (::ioctl(fd, TCSETS2, &setting) != 0 || ::ioctl(fd, TCGETS2, &setting) != 0) {
    return fail(system_error("set " + path, errno));
  }
  tcflag_t asked = options.data == 7 ? CS7 : CS8;
  if (options.parity != Parity::none) asked |= PARENB;
  if (options.parity == Parity::odd) asked |= PARODD;
  if (options.stop == 2) asked |= CSTOPB;
  tcflag_t checked = CSIZE | PARENB | PARODD | CSTOPB;
  if (is_pseudo_terminal(fd)) checked = CSTOPB;
  if (!near(setting.c_ospeed, options.baud) || ((setting.c_cflag ^ asked) & checked) != 0) {
    return fail(Errc::invalid, path + " does not take this baud, parity or number of bits");
  }
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

Result<std::unique_ptr<system::Stream>> open_serial(const std::string& path, const SerialOptions& options,
                                                    SerialRole role) {
  Result<Descriptor> locked = lock(path);
  if (!locked) return fail(locked.error());
  Result<Context> context = connect(path, options);
  if (!context) return fail(context.error());
  Descriptor fd(::modbus_get_socket(context->get()));
  ::ioctl(fd.get(), TIOCEXCL);
  if (auto settled = settle(fd.get(), path, options); !settled) return fail(settled.error());
  if (auto set = set_rs485(fd.get(), path, options); !set) return fail(set.error());
  ask_for_low_latency(fd.get());
  ::modbus_flush(context->get());
  return std::make_unique<SerialStream>(std::move(*locked), std::move(fd), std::move(*context), path, options.echo,
                                        role);
}

}  // namespace railhead::modbus
