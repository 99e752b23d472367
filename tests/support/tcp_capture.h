// What a client sent over one TCP connection, as a capture file of raw IPv4 (link type 101) for tshark: each add() is a
// segment of its own. Threads: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace railhead::test {

class TcpCapture {
 public:
  TcpCapture(std::uint16_t client_port, std::uint16_t server_port) : port_(client_port), server_port_(server_port) {}
  void add(std::string_view payload) {
    std::string packet = "\x45";
    put_be(packet, 0, 1);
    put_be(packet, static_cast<std::uint32_t>(40 + payload.size()), 2);
    put_be(packet, 0, 4);
    put_be(packet, 0x40060000, 4);  // 64 hops, TCP, no checksum
    put_be(packet, 0x7f000001, 4);
    put_be(packet, 0x7f000002, 4);
    put_be(packet, port_, 2);
    put_be(packet, server_port_, 2);
    put_be(packet, sequence_, 4);
    put_be(packet, 1, 4);
    put_be(packet, 0x5018ffff, 4);  // 20 bytes of header, PSH and ACK
    put_be(packet, 0, 4);
    packet.append(payload);
    sequence_ += static_cast<std::uint32_t>(payload.size());
    put_le(records_, ++seconds_, 4);
    put_le(records_, 0, 4);
    put_le(records_, static_cast<std::uint32_t>(packet.size()), 4);
    put_le(records_, static_cast<std::uint32_t>(packet.size()), 4);
    records_ += packet;
  }
  [[nodiscard]] std::string bytes() const {
    std::string out;
    put_le(out, 0xa1b2c3d4, 4);
    put_le(out, 2, 2);
    put_le(out, 4, 2);
    put_le(out, 0, 4);
    put_le(out, 0, 4);
    put_le(out, 262'144, 4);
    put_le(out, 101, 4);
    return out + records_;
  }

 private:
  static void put_le(std::string& out, std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  }
  static void put_be(std::string& out, std::uint32_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  }

  const std::uint16_t port_;
  const std::uint16_t server_port_;
  std::uint32_t sequence_ = 1;
  std::uint32_t seconds_ = 0;
  std::string records_;
};

}  // namespace railhead::test
