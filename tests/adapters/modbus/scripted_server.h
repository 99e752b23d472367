// A Modbus TCP server that does what the test says, on the same event loop as the links under test.
// Threads: one test's thread.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/system/descriptor.h"
#include "gateway/system/event_loop.h"

namespace railhead::modbus {

class ScriptedServer {
 public:
  struct Request {
    std::uint16_t transaction = 0;
    std::uint8_t unit = 0;
    std::uint8_t function = 0;
    std::uint16_t address = 0;
    std::uint16_t count = 0;
  };
  using Peer = std::uint64_t;  // a connection; never used again
  using Script = std::function<void(Peer, const Request&)>;

  // Port 0: a free one.
  explicit ScriptedServer(system::EventLoop& loop, std::uint16_t port = 0) : loop_(loop) {
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    RAILHEAD_ASSERT(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    RAILHEAD_ASSERT(::listen(listener_.get(), 4096) == 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    loop_.watch(listener_.get(), system::EventLoop::kReadable, [this](std::uint32_t) { accept(); });
    script = [this](Peer peer, const Request& request) { send(peer, answer(request)); };
  }
  ~ScriptedServer() {
    for (const auto& [peer, connection] : peers_) loop_.unwatch(connection->fd.get());
    loop_.unwatch(listener_.get());
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  void send(Peer peer, const std::string& bytes) {
    const auto found = peers_.find(peer);
    if (found != peers_.end()) (void)::send(found->second->fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  // One byte each `gap`.
  void trickle(Peer peer, const std::string& bytes, Duration gap) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      loop_.after(gap * static_cast<std::int64_t>(i + 1),
                  [this, peer, byte = bytes.substr(i, 1)] { send(peer, byte); });
    }
  }
  void send_later(Peer peer, const std::string& bytes, Duration delay) {
    loop_.after(delay, [this, peer, bytes] { send(peer, bytes); });
  }
  void close(Peer peer) {
    const auto found = peers_.find(peer);
    if (found == peers_.end()) return;
    loop_.unwatch(found->second->fd.get());
    peers_.erase(found);
  }

  // The right answer: every register holds its own address plus `bias`.
  [[nodiscard]] std::string answer(const Request& request, unsigned bias = 0) const {
    std::string pdu{static_cast<char>(request.function), static_cast<char>(request.count * 2)};
    for (unsigned i = 0; i < request.count; ++i) {
      pdu.push_back(static_cast<char>((request.address + i + bias) >> 8));
      pdu.push_back(static_cast<char>(request.address + i + bias));
    }
    return frame(request, pdu);
  }
  [[nodiscard]] static std::string exception(const Request& request, std::uint8_t code) {
    return frame(request, {static_cast<char>(request.function | 0x80), static_cast<char>(code)});
  }
  [[nodiscard]] static std::string frame(const Request& request, const std::string& pdu) {
    std::string bytes{static_cast<char>(request.transaction >> 8), static_cast<char>(request.transaction), 0, 0, 0,
                      static_cast<char>(pdu.size() + 1),           static_cast<char>(request.unit)};
    return bytes + pdu;
  }

  Script script;
  unsigned connections = 0;
  unsigned requests = 0;

 private:
  struct Connection {
    system::Descriptor fd;
    std::string input;
  };

  void accept() {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections;
    const Peer peer = connections;
    peers_[peer] = std::make_unique<Connection>();
    peers_[peer]->fd.reset(fd);
    loop_.watch(fd, system::EventLoop::kReadable, [this, peer](std::uint32_t) { read(peer); });
  }

  void read(Peer peer) {
    Connection& connection = *peers_.at(peer);
    char buffer[4096];
    const ssize_t got = ::recv(connection.fd.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return close(peer);
    connection.input.append(buffer, static_cast<std::size_t>(got));
    while (peers_.contains(peer) && connection.input.size() >= 12) {
      const auto byte = [&](std::size_t i) {
        return static_cast<unsigned>(static_cast<unsigned char>(connection.input[i]));
      };
      const Request request{.transaction = static_cast<std::uint16_t>(byte(0) << 8 | byte(1)),
                            .unit = static_cast<std::uint8_t>(byte(6)),
                            .function = static_cast<std::uint8_t>(byte(7)),
                            .address = static_cast<std::uint16_t>(byte(8) << 8 | byte(9)),
                            .count = static_cast<std::uint16_t>(byte(10) << 8 | byte(11))};
      connection.input.erase(0, 12);
      ++requests;
      script(peer, request);
    }
  }

  system::EventLoop& loop_;
  system::Descriptor listener_;
  std::uint16_t port_ = 0;
  std::map<Peer, std::unique_ptr<Connection>> peers_;
};

}  // namespace railhead::modbus
