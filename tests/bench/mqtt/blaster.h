// Blaster: the server's side of MQTT connections and nothing else: accepts a subscriber, then sends numbered messages
// with at most `window` unacknowledged, as fast as they are acknowledged or at a given rate.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace railhead::bench {

class Blaster {
 public:
  Blaster();
  ~Blaster();
  Blaster(const Blaster&) = delete;
  Blaster& operator=(const Blaster&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // From now on the messages go round over so many topics.
  void use_topics(std::uint64_t topics) { topics_ = topics; }
  // Waits for a CONNECT and a SUBSCRIBE and answers them.
  void accept_subscriber();
  // Sends `messages` and waits until each is acknowledged. Gives the seconds that took.
  double blast(std::uint64_t messages, std::size_t window);
  // One message at a time, `pause` seconds between: the seconds from PUBLISH to PUBACK of each.
  [[nodiscard]] std::vector<double> ping(std::uint64_t messages, double pause);
  // crc32c over all payloads sent so far, in order.
  [[nodiscard]] std::uint32_t checksum() const { return checksum_; }

 private:
  void send_some(std::string& buffer, std::uint64_t count);
  std::uint64_t take_pubacks(int timeout_ms);

  std::uint16_t port_ = 0;
  int listening_ = -1;
  int fd_ = -1;
  bool v5_ = false;
  std::uint64_t topics_ = 1;
  std::uint16_t next_id_ = 1;
  std::uint64_t next_number_ = 0;
  std::uint32_t checksum_ = 0;
  std::string received_;
};

// The payload of message `number`: some 200 bytes of JSON.
[[nodiscard]] std::string payload_number(std::uint64_t number);

}  // namespace railhead::bench
