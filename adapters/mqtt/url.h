// A broker's address: mqtt://host[:port] (1883), mqtts://host[:port] (8883); tcp:// and tls:// mean the same.
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
  // "mqtts://host:8883", the same however it was written.
  [[nodiscard]] std::string text() const;
};

[[nodiscard]] Result<Url> parse_url(std::string_view text);

}  // namespace railhead::mqtt
