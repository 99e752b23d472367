#include "tests/bench/mqtt/blaster.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>

#include "gateway/base/assert.h"
#include "gateway/base/crc32c.h"
#include "tests/bench/mqtt/wire.h"
#include "tests/bench/support/measure.h"

namespace railhead::bench {

std::string payload_number(std::uint64_t number) {
  char text[320];
  const int length = std::snprintf(
      text, sizeof text,
      "{\"device\":\"boiler-17\",\"ts\":1795295579123,\"seq\":%llu,\"temperature\":71.45,\"humidity\":40.2,"
      "\"pressure\":2.317,\"battery\":87,\"status\":\"ok\",\"firmware\":\"2.8.1\",\"location\":{\"hall\":\"north\","
      "\"bay\":12},\"alarms\":[]}",
      static_cast<unsigned long long>(number));
  return {text, static_cast<std::size_t>(length)};
}

Blaster::Blaster() : listening_(listen_on_loopback(port_)) {}

Blaster::~Blaster() {
  if (fd_ >= 0) close(fd_);
  close(listening_);
}

void Blaster::accept_subscriber() {
  if (fd_ >= 0) close(fd_);
  received_.clear();
  pollfd waiting{listening_, POLLIN, 0};
  RAILHEAD_ASSERT(poll(&waiting, 1, 20'000) == 1);
  fd_ = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
  for (bool subscribed = false; !subscribed;) {
    char bytes[4096];
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    RAILHEAD_ASSERT(got > 0);
    received_.append(bytes, static_cast<std::size_t>(got));
    while (const auto packet = first_packet(received_)) {
      if (packet->first == 0x10) {
        v5_ = packet->body[6] == 5;
        send_all(fd_, v5_ ? std::string_view("\x20\3\0\0\0", 5) : std::string_view("\x20\2\0\0", 4));
      } else if (packet->first == 0x82) {
        std::string answer = v5_ ? std::string("\x90\4", 2) : std::string("\x90\3", 2);
        answer += packet->body.substr(0, 2);
        if (v5_) answer += '\0';
        answer += '\1';
        send_all(fd_, answer);
        subscribed = true;
      }
      received_.erase(0, packet->bytes);
    }
  }
  fcntl(fd_, F_SETFL, O_NONBLOCK);
}

void Blaster::send_some(std::string& buffer, std::uint64_t count) {
  buffer.clear();
  std::string topic;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string payload = payload_number(next_number_++);
    checksum_ = base::crc32c(payload, checksum_);
    topic = "bench/boiler-17";
    if (topics_ > 1) topic = "bench/boiler-" + std::to_string(next_number_ % topics_);
    buffer += publish_packet(topic, next_id_, payload, v5_);
    next_id_ = next_id_ == 65535 ? std::uint16_t{1} : static_cast<std::uint16_t>(next_id_ + 1);
  }
  send_all(fd_, buffer);
}

std::uint64_t Blaster::take_pubacks(int timeout_ms) {
  pollfd waiting{fd_, POLLIN, 0};
  if (poll(&waiting, 1, timeout_ms) != 1) return 0;
  char bytes[65536];
  const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
  RAILHEAD_ASSERT(got > 0 || (got < 0 && errno == EAGAIN));
  if (got > 0) received_.append(bytes, static_cast<std::size_t>(got));
  std::uint64_t acknowledged = 0;
  std::size_t at = 0;
  while (const auto packet = first_packet(std::string_view(received_).substr(at))) {
    if (packet->first == 0x40) ++acknowledged;
    if (packet->first == 0xc0) send_all(fd_, std::string_view("\xd0\0", 2));
    at += packet->bytes;
  }
  received_.erase(0, at);
  return acknowledged;
}

double Blaster::blast(std::uint64_t messages, std::size_t window) {
  std::string buffer;
  std::uint64_t sent = 0;
  std::uint64_t acknowledged = 0;
  const double begin = wall_seconds();
  while (acknowledged < messages) {
    const std::uint64_t room = window - (sent - acknowledged);
    const std::uint64_t more = std::min<std::uint64_t>(room, messages - sent);
    if (more > 0) send_some(buffer, more);
    sent += more;
    const std::uint64_t got = take_pubacks(30'000);
    RAILHEAD_ASSERT(got > 0);
    acknowledged += got;
  }
  return wall_seconds() - begin;
}

std::vector<double> Blaster::ping(std::uint64_t messages, double pause) {
  std::vector<double> seconds;
  std::string buffer;
  for (std::uint64_t i = 0; i < messages; ++i) {
    std::this_thread::sleep_for(std::chrono::duration<double>(pause));
    const double begin = wall_seconds();
    send_some(buffer, 1);
    while (take_pubacks(30'000) == 0) {
    }
    seconds.push_back(wall_seconds() - begin);
  }
  return seconds;
}

}  // namespace railhead::bench
