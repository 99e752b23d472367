// A broker's address: mqtt://host[:port] (1883), mqtts://host[:port] (8883); tcp:// and tls:// mean the same. Through
// WebSockets ws://host[:port]/path (80) and wss://host[:port]/path (443); the path is /mqtt if none is written.
// IPv6 addresses stand in brackets. Errors: Errc::invalid with what is wrong. Threads: pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/result.h"

namespace railhead::mqtt {

struct Url {
  std::string host;
  std::uint16_t port = 1883;
  bool tls = false;
  bool websocket = false;
  std::string path;  // of WebSockets, with its query; begins with '/'
  // "mqtts://host:8883", the same however it was written.
  [[nodiscard]] std::string text() const;
  // "host:8883", an IPv6 address in brackets.
  [[nodiscard]] std::string authority() const;
  friend bool operator==(const Url&, const Url&) = default;
};

[[nodiscard]] Result<Url> parse_url(std::string_view text);

}  // namespace railhead::mqtt
