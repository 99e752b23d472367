#include "tests/bench/mqtt/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "gateway/base/assert.h"

namespace railhead::bench {
namespace {

void append_length(std::string& out, std::size_t length) {
  do {
    const auto digit = static_cast<unsigned char>(length % 128);
    length /= 128;
    out += static_cast<char>(length > 0 ? digit | 128U : digit);
  } while (length > 0);
}

void append_u16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8U);
  out += static_cast<char>(value & 255U);
}

std::size_t u16(std::string_view bytes) {
  return static_cast<std::size_t>(static_cast<unsigned char>(bytes[0])) << 8U | static_cast<unsigned char>(bytes[1]);
}

std::string packet(std::uint8_t first, const std::string& body) {
  std::string out(1, static_cast<char>(first));
  append_length(out, body.size());
  return out + body;
}

}  // namespace

std::optional<WirePacket> first_packet(std::string_view bytes) {
  if (bytes.size() < 2) return std::nullopt;
  std::size_t length = 0;
  std::size_t at = 1;
  for (unsigned shift = 0;; shift += 7) {
    if (at >= bytes.size()) return std::nullopt;
    const auto digit = static_cast<unsigned char>(bytes[at++]);
    length |= static_cast<std::size_t>(digit & 127U) << shift;
    if ((digit & 128U) == 0) break;
  }
  if (bytes.size() - at < length) return std::nullopt;
  return WirePacket{static_cast<std::uint8_t>(bytes[0]), bytes.substr(at, length), at + length};
}

std::string publish_packet(std::string_view topic, std::uint16_t id, std::string_view payload, bool v5) {
  std::string body;
  append_u16(body, topic.size());
  body += topic;
  append_u16(body, id);
  if (v5) body += '\0';
  body += payload;
  return packet(0x32, body);
}

std::string connect_packet(std::string_view client_id) {
  std::string body{"\0\4MQTT\4\0\0\0", 10};  // 3.1.1, session kept, keep alive off
  append_u16(body, client_id.size());
  body += client_id;
  return packet(0x10, body);
}

std::string subscribe_packet(std::string_view topic) {
  std::string body{"\0\1", 2};
  append_u16(body, topic.size());
  body += topic;
  body += '\1';
  return packet(0x82, body);
}

void append_puback(std::string& out, std::uint16_t id) {
  out += '\x40';
  out += '\2';
  append_u16(out, id);
}

std::uint16_t packet_id_of(const WirePacket& publish) {
  return static_cast<std::uint16_t>(u16(publish.body.substr(2 + u16(publish.body))));
}

std::string_view payload_of(const WirePacket& publish) { return publish.body.substr(4 + u16(publish.body)); }

int listen_on_loopback(std::uint16_t& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  RAILHEAD_ASSERT(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(fd, 512) == 0);
  socklen_t length = sizeof address;
  RAILHEAD_ASSERT(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  port = ntohs(address.sin_port);
  return fd;
}

int connect_to_loopback(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  RAILHEAD_ASSERT(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) {
      pollfd waiting{fd, POLLOUT, 0};
      poll(&waiting, 1, 1000);
      continue;
    }
    RAILHEAD_ASSERT(sent > 0);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace railhead::bench
