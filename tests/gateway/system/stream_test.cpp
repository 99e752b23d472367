#include "gateway/system/stream.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <string>

#include "gateway/system/descriptor.h"
#include "gateway/system/event_loop.h"
#include "tests/support/process.h"

namespace railhead::system {
namespace {

Address loopback(std::uint16_t port) {
  Address address;
  auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
  in->sin_family = AF_INET;
  in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  in->sin_port = htons(port);
  address.length = sizeof(sockaddr_in);
  return address;
}

struct Listener {
  explicit Listener(std::uint16_t wanted) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), port(wanted) {
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const Address address = loopback(port);
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0);
    REQUIRE(::listen(fd.get(), 1) == 0);
  }
  Descriptor accept() const { return Descriptor(::accept(fd.get(), nullptr, nullptr)); }
  Descriptor fd;
  std::uint16_t port;
};

std::unique_ptr<Stream> connected(std::uint16_t port) {
  auto stream = connect_tcp(loopback(port));
  REQUIRE(stream);
  REQUIRE(test::eventually(std::chrono::seconds{5}, [&] {
    const auto progress = (*stream)->handshake();
    REQUIRE(progress);
    return *progress == Stream::Progress::done;
  }));
  return std::move(*stream);
}

TEST_CASE("bytes go both ways; nothing there is 0, not an error") {
  const Listener listener(test::free_port());
  const auto stream = connected(listener.port);
  const Descriptor peer = listener.accept();
  std::array<char, 16> buffer{};
  CHECK(stream->read(buffer).value() == 0);
  CHECK(stream->wanted() == EventLoop::kReadable);
  CHECK(stream->write("ping").value() == 4);
  CHECK(::recv(peer.get(), buffer.data(), buffer.size(), 0) == 4);
  CHECK(::send(peer.get(), "pong", 4, 0) == 4);
  std::size_t got = 0;
  REQUIRE(test::eventually(std::chrono::seconds{5}, [&] { return (got = stream->read(buffer).value()) > 0; }));
  CHECK(std::string(buffer.data(), got) == "pong");
}

TEST_CASE("a peer that does not read makes write give less, in the end 0") {
  const Listener listener(test::free_port());
  const auto stream = connected(listener.port);
  const Descriptor peer = listener.accept();
  const std::string block(1 << 20, 'x');
  bool full = false;
  for (int i = 0; i < 100 && !full; ++i) full = stream->write(block).value() == 0;
  CHECK(full);
}

// Error paths

TEST_CASE("a peer that closed is unavailable") {
  const Listener listener(test::free_port());
  const auto stream = connected(listener.port);
  listener.accept().reset();
  std::array<char, 16> buffer{};
  REQUIRE(test::eventually(std::chrono::seconds{5}, [&] { return !stream->read(buffer); }));
  const auto got = stream->read(buffer);
  CHECK(got.error().code == Errc::unavailable);
  CHECK(got.error().what == "127.0.0.1:" + std::to_string(listener.port) + ": closed by the peer");
}

TEST_CASE("nobody listening is unavailable, told by connect or by handshake") {
  const std::uint16_t port = test::free_port();
  const auto stream = connect_tcp(loopback(port));
  Error error;
  if (!stream) {
    error = stream.error();
  } else {
    REQUIRE(test::eventually(std::chrono::seconds{5}, [&] {
      const auto progress = (*stream)->handshake();
      if (!progress) error = progress.error();
      return !progress;
    }));
  }
  CHECK(error.code == Errc::unavailable);
  CHECK(error.what.find("refused") != std::string::npos);
}

}  // namespace
}  // namespace railhead::system
