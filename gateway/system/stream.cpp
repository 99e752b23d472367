#include "gateway/system/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "gateway/system/descriptor.h"
#include "gateway/system/event_loop.h"

namespace railhead::system {
namespace {

class TcpStream final : public Stream {
 public:
  TcpStream(Descriptor fd, std::string peer) : fd_(std::move(fd)), peer_(std::move(peer)) {}

  int fd() const override { return fd_.get(); }
  std::uint32_t wanted() const override { return connected_ ? EventLoop::kReadable : EventLoop::kWritable; }

  Result<Progress> handshake() override {
    if (connected_) return Progress::done;
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return fail(system_error("connect to " + peer_, error));
    sockaddr_storage peer{};
    size = sizeof peer;
    if (::getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) return Progress::pending;
    connected_ = true;
    return Progress::done;
  }

  Result<std::size_t> read(std::span<char> into) override {
    const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), 0);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) {
      if (!broken_) closed_by_peer_ = true;
      return fail(Errc::unavailable, peer_ + ": closed by the peer");
    }
    if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
    return broken("read from ", errno);
  }

  Result<std::size_t> write(std::string_view bytes) override {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
    return broken("write to ", errno);
  }
  bool closed_by_peer() const override { return closed_by_peer_; }

 private:
  // Linux tells a reset behind the peer's end (EPIPE) from one without it (ECONNRESET), the first time.
  tl::unexpected<Error> broken(const char* what, int error_number) {
    if (!broken_ && error_number == EPIPE) closed_by_peer_ = true;
    broken_ = true;
    return fail(system_error(what + peer_, error_number));
  }

  Descriptor fd_;
  std::string peer_;
  bool connected_ = false;
  bool broken_ = false;
  bool closed_by_peer_ = false;
};

}  // namespace

Result<std::unique_ptr<Stream>> connect_tcp(const Address& address) {
  Descriptor fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail(system_error("socket", errno));
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 &&
      errno != EINPROGRESS) {
    return fail(system_error("connect to " + address.text(), errno));
  }
  return std::make_unique<TcpStream>(std::move(fd), address.text());
}

}  // namespace railhead::system
