// The MQTT sink: records become PUBLISH packets, pipelined up to a window; the broker's PUBACK or PUBCOMP settles (at
// QoS 0 the handing over to the socket). The client library is Paho; only publisher.cpp knows it.
//
// Order:   records leave in the outlet's order; after a lost connection the lane is rewound to its first unsettled
//          record and sent again with the same identity.
// Headers: at MQTT 5 user properties (S34), the content type, the rest of the record's ttl as expiry, and of the user's
//          headers kResponseTopicHeader and kCorrelationDataHeader as the properties of these names; 3.1.1 has none of
//          them, so repeats cannot be recognised there.
// Errors:  a record that the broker refuses for good (topic, rights, size, format) is set aside; any other refusal is
//          tried again later. A record upon which the broker closes the connection, but not upon others, is found and
//          set aside too (suspects.h). A broker that answers nothing for `timeout` is left and connected to anew.
// Threads: run() has its own; confirms come on Paho's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/mqtt/suspects.h"
#include "adapters/mqtt/url.h"
#include "adapters/tls/options.h"
#include "gateway/config/scalars.h"
#include "gateway/message/envelope.h"
#include "gateway/ports/adapter.h"
#include "gateway/ports/sink.h"
#include "gateway/system/backoff.h"

namespace railhead::mqtt {

// Headers of a `send` that are no user properties.
inline constexpr std::string_view kResponseTopicHeader = "mqtt-response-topic";
inline constexpr std::string_view kCorrelationDataHeader = "mqtt-correlation-data";

struct SinkSettings {
  std::vector<Url> urls;  // tried in turn; at least one
  tls::Options tls;
  bool v5 = true;
  std::string client_id;
  std::string user;
  config::Secret password;  // read at each connect
  std::uint8_t qos = 1;
  bool retain = false;
  Envelope envelope = Envelope::headers;
  std::uint32_t window = 1000;  // records on the way at once
  Duration keep_alive = std::chrono::seconds{60};
  Duration timeout = std::chrono::seconds{30};  // connect; and the longest silence while records are on the way
  Duration drain = std::chrono::seconds{5};     // for the confirms on the way when stopping
  system::Backoff::Options backoff;
  // After a broker said that it wants to see less of us (taken over, banned, quota, ...).
  system::Backoff::Options long_backoff{std::chrono::seconds{30}, std::chrono::minutes{10}};
  Suspects::Options suspects;
};

[[nodiscard]] std::unique_ptr<ports::Sink> make_sink(SinkSettings settings, ports::Context context);

}  // namespace railhead::mqtt
