// What a client and its server sent over one TCP connection, as a capture file of raw IPv4 (link type 101) for tshark:
// each add() is a segment of its own. Threads: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace railhead::test {

class TcpCapture {
 public:
  TcpCapture(std::uint16_t client_port, std::uint16_t server_port)
      : client_{0x7f000001, client_port}, server_{0x7f000002, server_port} {}
  void add(std::string_view payload) { add(payload, client_, server_); }
  void add_answer(std::string_view payload) { add(payload, server_, client_); }
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
  struct End {
    std::uint32_t address;
    std::uint16_t port;
    std::uint32_t sequence = 1;
  };
  void add(std::string_view payload, End& from, const End& to) {
    std::string packet = "\x45";
    put_be(packet, 0, 1);
    put_be(packet, static_cast<std::uint32_t>(40 + payload.size()), 2);
    put_be(packet, 0, 4);
    put_be(packet, 0x40060000, 4);  // 64 hops, TCP, no checksum
    put_be(packet, from.address, 4);
    put_be(packet, to.address, 4);
    put_be(packet, from.port, 2);
    put_be(packet, to.port, 2);
    put_be(packet, from.sequence, 4);
    put_be(packet, to.sequence, 4);
    put_be(packet, 0x5018ffff, 4);  // 20 bytes of header, PSH and ACK
    put_be(packet, 0, 4);
    packet.append(payload);
    from.sequence += static_cast<std::uint32_t>(payload.size());
    put_le(records_, ++seconds_, 4);
    put_le(records_, 0, 4);
    put_le(records_, static_cast<std::uint32_t>(packet.size()), 4);
    put_le(records_, static_cast<std::uint32_t>(packet.size()), 4);
    records_ += packet;
  }
  static void put_le(std::string& out, std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  }
  static void put_be(std::string& out, std::uint32_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  }

  End client_;
  End server_;
  std::uint32_t seconds_ = 0;
  std::string records_;
};

}  // namespace railhead::test
