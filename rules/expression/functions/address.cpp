#include "rules/expression/functions/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "gateway/base/text.h"

namespace railhead::expression {
namespace {

constexpr std::size_t kMappedBytes = 12;  // of ::ffff:0:0/96

bool stands_for_ipv4(const IpAddress& address) {
  if (address.size != 16 || address.bytes[10] != 0xff || address.bytes[11] != 0xff) return false;
  return std::all_of(address.bytes.begin(), address.bytes.begin() + 10, [](std::uint8_t byte) { return byte == 0; });
}

std::optional<IpAddress> read(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return {};
  text.copy(terminated.data(), text.size());
  IpAddress address;
  if (::inet_pton(AF_INET, terminated.data(), address.bytes.data()) == 1) return address;
  address = {};
  address.size = 16;
  if (::inet_pton(AF_INET6, terminated.data(), address.bytes.data()) == 1) return address;
  return {};
}

unsigned group(const IpAddress& address, std::size_t number) {
  return unsigned{address.bytes[2 * number]} << 8 | address.bytes[2 * number + 1];
}

// Of an IPv6 address: the longest run of two or more groups of zero, the first of several.
struct Run {
  std::size_t begin = 8;
  std::size_t length = 1;
};
Run longest_run_of_zeros(const IpAddress& address) {
  Run longest;
  Run now{0, 0};
  for (std::size_t i = 0; i < 8; ++i) {
    if (group(address, i) != 0) {
      now = {i + 1, 0};
    } else if (++now.length > longest.length) {
      longest = now;
    }
  }
  return longest;
}

}  // namespace

std::optional<IpAddress> parse_address(std::string_view text) {
  const auto address = read(text);
  if (!address || !stands_for_ipv4(*address)) return address;
  if (text.find('.') != std::string_view::npos) return {};
  IpAddress meant;
  std::copy(address->bytes.begin() + kMappedBytes, address->bytes.end(), meant.bytes.begin());
  return meant;
}

std::optional<IpNetwork> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view digits = text.substr(slash + 1);
  const auto bits = base::parse_uint(digits);
  const auto address = read(text.substr(0, slash));
  if (!address || stands_for_ipv4(*address) || !bits || *bits > address->size * 8) return {};
  if (digits.size() > 1 && digits.front() == '0') return {};
  return IpNetwork{*address, static_cast<std::size_t>(*bits)};
}

std::string address_text(const IpAddress& address) {
  std::string text;
  if (address.size == 4) {
    for (std::size_t i = 0; i < 4; ++i) text += (i == 0 ? "" : ".") + std::to_string(address.bytes[i]);
    return text;
  }
  // Why not inet_ntop: it writes ::1:2 as ::0.1.0.2.
  const Run zeros = longest_run_of_zeros(address);
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == zeros.begin) {
      text += "::";
      i += zeros.length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    std::array<char, 4> digits{};
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), group(address, i), 16);
    text.append(digits.data(), written.ptr);
  }
  return text;
}

std::string network_text(const IpNetwork& network) {
  return address_text(network.address) + "/" + std::to_string(network.prefix_bits);
}

bool is_unspecified(const IpAddress& address) { return address.bytes == IpAddress{}.bytes; }

bool is_loopback(const IpAddress& address) {
  if (address.size == 4) return address.bytes[0] == 127;
  IpAddress loopback;
  loopback.size = 16;
  loopback.bytes[15] = 1;
  return address == loopback;
}

bool is_link_local_unicast(const IpAddress& address) {
  if (address.size == 4) return address.bytes[0] == 169 && address.bytes[1] == 254;
  return address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

bool is_link_local_multicast(const IpAddress& address) {
  if (address.size == 4) return address.bytes[0] == 224 && address.bytes[1] == 0 && address.bytes[2] == 0;
  return address.bytes[0] == 0xff && (address.bytes[1] & 0x0f) == 2;
}

bool is_global_unicast(const IpAddress& address) {
  const bool multicast = address.size == 4 ? (address.bytes[0] & 0xf0) == 0xe0 : address.bytes[0] == 0xff;
  const bool broadcast = address.size == 4 && std::all_of(address.bytes.begin(), address.bytes.begin() + 4,
                                                          [](std::uint8_t byte) { return byte == 0xff; });
  return !multicast && !broadcast && !is_unspecified(address) && !is_loopback(address) &&
         !is_link_local_unicast(address);
}

IpNetwork masked(const IpNetwork& network) {
  IpNetwork result = network;
  for (std::size_t i = 0; i < result.address.size; ++i) {
    const std::size_t kept = std::clamp<std::size_t>(network.prefix_bits, 8 * i, 8 * i + 8) - 8 * i;
    result.address.bytes[i] &= static_cast<std::uint8_t>(0xff00u >> kept);
  }
  return result;
}

bool holds(const IpNetwork& network, const IpAddress& address) {
  return masked(network).address == masked({address, network.prefix_bits}).address;
}

bool holds(const IpNetwork& network, const IpNetwork& part) {
  return network.prefix_bits <= part.prefix_bits && holds(network, part.address);
}

}  // namespace railhead::expression
