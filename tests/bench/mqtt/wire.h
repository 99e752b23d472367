// Just enough MQTT to drive a benchmark, written apart from the product's codec: what a broker sends a subscriber, and
// what a subscriber answers. QoS 1, 3.1.1 and 5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace railhead::bench {

struct WirePacket {
  std::uint8_t first = 0;  // type and flags
  std::string_view body;   // behind the remaining length
  std::size_t bytes = 0;   // of the whole packet
};
// The first whole packet of `bytes`, or nothing.
[[nodiscard]] std::optional<WirePacket> first_packet(std::string_view bytes);

[[nodiscard]] std::string publish_packet(std::string_view topic, std::uint16_t id, std::string_view payload, bool v5);
[[nodiscard]] std::string connect_packet(std::string_view client_id);  // 3.1.1, persistent session
[[nodiscard]] std::string subscribe_packet(std::string_view topic);
void append_puback(std::string& out, std::uint16_t id);
// Of a PUBLISH with QoS 1, 3.1.1.
[[nodiscard]] std::uint16_t packet_id_of(const WirePacket& publish);
[[nodiscard]] std::string_view payload_of(const WirePacket& publish);

// Sockets on the loopback; they end the program when it fails.
[[nodiscard]] int listen_on_loopback(std::uint16_t& port);
[[nodiscard]] int connect_to_loopback(std::uint16_t port);
void send_all(int fd, std::string_view bytes);

}  // namespace railhead::bench
