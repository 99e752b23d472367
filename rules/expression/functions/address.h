// IP addresses and networks: their texts, and what is asked of them.
// Shapes:  bytes stand in network order. An IPv6 address that stands for an IPv4 one (::ffff:0:0/96) becomes that one.
// Source:  texts RFC 4291 2.2 and 2.3, the canonical ones RFC 5952; IPv4 networks RFC 4632 3.1. What kind an address is
//          of: RFC 4291 2.4 to 2.7; for IPv4 RFC 1122 3.2.1.3, RFC 3927 (link-local), RFC 5771 (multicast).
// Threads: pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace railhead::expression {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // zero behind an IPv4 address
  std::size_t size = 4;                  // 4 or 16
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

struct IpNetwork {
  IpAddress address;  // as written: bits behind the prefix may be set
  std::size_t prefix_bits = 0;
};

// Neither takes zones (fe80::1%eth0), leading zeros in decimal numbers, or an IPv4 address written inside the IPv6
// address that stands for it (::ffff:192.0.2.1); a network is of no such IPv6 address, however it is written.
[[nodiscard]] std::optional<IpAddress> parse_address(std::string_view text);
[[nodiscard]] std::optional<IpNetwork> parse_network(std::string_view text);
[[nodiscard]] std::string address_text(const IpAddress& address);
[[nodiscard]] std::string network_text(const IpNetwork& network);

[[nodiscard]] bool is_unspecified(const IpAddress& address);
[[nodiscard]] bool is_loopback(const IpAddress& address);
[[nodiscard]] bool is_link_local_unicast(const IpAddress& address);
[[nodiscard]] bool is_link_local_multicast(const IpAddress& address);
// All that is neither one of those, nor multicast, nor IPv4's broadcast: private addresses, too.
[[nodiscard]] bool is_global_unicast(const IpAddress& address);

// The network with all bits zero behind its prefix.
[[nodiscard]] IpNetwork masked(const IpNetwork& network);
[[nodiscard]] bool holds(const IpNetwork& network, const IpAddress& address);
[[nodiscard]] bool holds(const IpNetwork& network, const IpNetwork& part);

}  // namespace railhead::expression
