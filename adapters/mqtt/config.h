// What a user writes under `mqtt:` of a source and of a sink, and how it becomes settings. Never touches the network.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/mqtt/sink.h"
#include "adapters/mqtt/source.h"
#include "adapters/tls/options.h"
#include "gateway/config/fields.h"
#include "gateway/message/envelope.h"

namespace railhead::mqtt {

struct SubscriptionOptions {
  config::Located<std::string> topic;
  std::uint8_t qos = 1;
  PayloadFormat payload = PayloadFormat::json;
  std::string device;
  Compression compression = Compression::none;
  config::Node time;
  config::Node split;
};

// What source and sink have in common.
struct ConnectionOptions {
  config::Located<std::string> url;
  std::vector<std::string> further_urls;
  std::string client_id;
  std::string user;
  config::Secret password;
  Protocol version = Protocol::automatic;
  Duration keep_alive = std::chrono::seconds{60};
  std::optional<tls::Options> tls;
};

struct SourceOptions : ConnectionOptions {
  std::vector<SubscriptionOptions> subscribe;
  AckPolicy ack = AckPolicy::durable;
  Retained retained = Retained::mark;
  bool follow_redirects = false;
  bool answer_refused = false;
  config::ByteSize max_unpacked{16 * 1024 * 1024};
  Duration session_expiry = std::chrono::hours{7 * 24};
  std::uint16_t receive_maximum = 4096;
  config::ByteSize max_packet{1024 * 1024};
};

struct SinkOptions : ConnectionOptions {
  std::uint8_t qos = 1;
  bool retain = false;
  std::uint32_t in_flight = 1000;
  Envelope envelope = Envelope::headers;
  Duration timeout = std::chrono::seconds{30};
};

[[nodiscard]] const config::Fields<SourceOptions>& source_fields();
[[nodiscard]] const config::Fields<SinkOptions>& sink_fields();

// nullopt after reporting errors. `client_id` stays empty if none is written: it is made of the gateway's and the
// source's or sink's names later.
// The rows' expressions are not compiled yet: `expressions` gets a row's nodes, which may be absent.
struct RowExpressions {
  config::Node time;
  config::Node split;
};
[[nodiscard]] std::optional<SourceSettings> read_source(const config::Node& node,
                                                        std::vector<RowExpressions>& expressions,
                                                        config::Diagnostics& diagnostics);
[[nodiscard]] std::optional<SinkSettings> read_sink(const config::Node& node, config::Diagnostics& diagnostics);

}  // namespace railhead::mqtt
