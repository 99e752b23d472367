// A broker whose every step the test writes: accepts one client at a time on a loopback port and speaks raw packets.
// Every wait is bounded; an unfulfilled one fails the test case. Threads: the test's.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <variant>

#include "adapters/mqtt/packet.h"
#include "gateway/system/descriptor.h"

namespace railhead::mqtt {

class ScriptedBroker {
 public:
  static constexpr int kWaitMs = 10'000;

  ScriptedBroker() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] std::string url() const { return "mqtt://" + authority(); }
  [[nodiscard]] std::string authority() const { return "127.0.0.1:" + std::to_string(port_); }

  // Waits for a client and reads its CONNECT, which decides the version spoken.
  Connect accept() {
    accept_only();
    version_ = Version::v5;
    const Packet packet = read();
    REQUIRE(std::holds_alternative<Connect>(packet));
    version_ = std::get<Connect>(packet).version;
    return std::get<Connect>(packet);
  }
  void accept_only() {
    close();
    REQUIRE(wait(listener_.get(), kWaitMs));
    client_.reset(::accept(listener_.get(), nullptr, nullptr));
    REQUIRE(client_.valid());
  }
  // accept, CONNACK, SUBSCRIBE, SUBACK.
  void welcome(bool session_present = false, bool subscribes = true) {
    accept();
    send(Connack{session_present, 0, {}});
    if (!subscribes) return;
    const Packet packet = read();
    REQUIRE(std::holds_alternative<Subscribe>(packet));
    const auto& subscribe = std::get<Subscribe>(packet);
    std::string granted;
    for (const Filter& filter : subscribe.filters) granted += static_cast<char>(filter.qos);
    send(Suback{subscribe.packet_id, {}, granted});
  }

  template <class P>
  void send(const P& packet) {
    std::string bytes;
    encode(version_, packet, bytes);
    send_raw(bytes);
  }
  void send_raw(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      REQUIRE(sent > 0);
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // Sends until the peer's and our buffers are full; gives how much went.
  std::size_t send_what_fits(std::string_view bytes) {
    std::size_t total = 0;
    while (total < bytes.size()) {
      const ssize_t sent =
          ::send(client_.get(), bytes.data() + total, bytes.size() - total, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent <= 0) break;
      total += static_cast<std::size_t>(sent);
    }
    return total;
  }

  // The next packet; its texts live until the next call.
  Packet read(int wait_ms = kWaitMs) {
    buffer_.erase(0, taken_);
    taken_ = 0;
    for (;;) {
      const Result<std::optional<FixedHeader>> header = decode_header(buffer_);
      REQUIRE(header);
      if (*header && buffer_.size() >= (*header)->header_bytes + (*header)->remaining_length) {
        taken_ = (*header)->header_bytes + (*header)->remaining_length;
        Result<Packet> packet = decode(
            version_, **header, std::string_view(buffer_).substr((*header)->header_bytes, (*header)->remaining_length));
        REQUIRE_MESSAGE(packet, packet.error().what);
        return *packet;
      }
      REQUIRE_MESSAGE(wait(client_.get(), wait_ms), "the client sent nothing");
      char bytes[4096];
      const ssize_t got = ::recv(client_.get(), bytes, sizeof bytes, 0);
      REQUIRE_MESSAGE(got > 0, "the client closed the connection");
      buffer_.append(bytes, static_cast<std::size_t>(got));
    }
  }
  // Whatever comes first, thrown away.
  void read_some() {
    char bytes[4096];
    REQUIRE_MESSAGE(wait(client_.get(), kWaitMs), "the client sent nothing");
    REQUIRE(::recv(client_.get(), bytes, sizeof bytes, 0) > 0);
  }
  // Pings between are passed over.
  Ack read_ack(PacketType type) {
    Packet packet = read();
    while (std::holds_alternative<Pingreq>(packet)) packet = read();
    REQUIRE(std::holds_alternative<Ack>(packet));
    REQUIRE(std::get<Ack>(packet).type == type);
    return std::get<Ack>(packet);
  }
  // True when the client sends nothing for so long.
  bool silent(int wait_ms) { return buffer_.size() == taken_ && !wait(client_.get(), wait_ms); }
  // The client ended its side (shutdown), within the bound.
  bool is_shut(int wait_ms = 50) {
    pollfd entry{client_.get(), POLLRDHUP, 0};
    return ::poll(&entry, 1, wait_ms) == 1 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  }
  // After everything was read: the end came by a FIN, not by a reset.
  bool ended_in_order() {
    char byte = 0;
    return wait(client_.get(), kWaitMs) && ::recv(client_.get(), &byte, 1, 0) == 0;
  }
  // True when no client connects for so long.
  bool nobody_comes(int wait_ms) { return !wait(listener_.get(), wait_ms); }
  // True when the client closes within the bound; what it sent before is thrown away.
  bool closed() {
    char bytes[4096];
    while (wait(client_.get(), kWaitMs)) {
      if (::recv(client_.get(), bytes, sizeof bytes, 0) <= 0) return true;
    }
    return false;
  }
  // As close(), but by a reset: so a bad line or a dead host ends.
  void reset() {
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(client_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close();
  }
  void close() {
    client_.reset();
    buffer_.clear();
    taken_ = 0;
  }
  [[nodiscard]] Version version() const { return version_; }

 private:
  static bool wait(int fd, int wait_ms) {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, wait_ms) == 1;
  }
  system::Descriptor listener_;
  system::Descriptor client_;
  std::uint16_t port_ = 0;
  Version version_ = Version::v5;
  std::string buffer_;
  std::size_t taken_ = 0;
};

}  // namespace railhead::mqtt
