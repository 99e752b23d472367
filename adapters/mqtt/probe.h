// probe: listens to a broker's topics for a while and tells what is there (survey.h). Nothing is kept: a session of its
// own name that ends with the connection, QoS 0.
// Errors:  invalid: the password or the TLS files, before anything is tried; else what the source says: denied,
//          unavailable, ... if nothing could be heard at all.
// Threads: listens on one of its own; `progress` is called on the caller's about four times a second.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "adapters/mqtt/source.h"
#include "adapters/mqtt/survey.h"
#include "gateway/base/result.h"

namespace railhead::mqtt {

struct ProbeSettings {
  Url url;
  std::string filter;  // plain MQTT: plant/#
  Duration listen = std::chrono::seconds{10};
  std::string user;
  config::Secret password;
  tls::Options tls;
};

struct Probed {
  Survey survey;
  Duration listened{};  // since the connection stood
};

[[nodiscard]] Result<void> probe(const ProbeSettings& settings, Probed& out,
                                 const std::function<void(std::uint64_t messages)>& progress);

}  // namespace railhead::mqtt
