// What a user may say of an AMQP 0-9-1 sink.
// Standard: the RabbitMQ URI specification: amqp[s]://user:password@host:port/vhost, percent-encoded; no path is the
// vhost
//           "/", an empty path ("amqp://host/") is the vhost "".
// Threads:  values; target_of() reads secrets, so it may touch files, never the network.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/amqp/connection.h"
#include "adapters/tls/options.h"
#include "gateway/base/result.h"
#include "gateway/config/fields.h"
#include "gateway/message/envelope.h"

namespace railhead::amqp {

enum class Unroutable : std::uint8_t { set_aside, hold };

struct AmqpOptions {
  config::Located<std::string> url;
  std::optional<std::string> user;
  config::Secret password;
  std::string exchange;
  bool mandatory = true;
  Unroutable unroutable = Unroutable::set_aside;
  bool persistent = true;
  std::optional<std::uint8_t> amqp_priority;
  std::uint32_t window = 1'000;
  config::ByteSize window_bytes{8 * 1024 * 1024};
  Duration heartbeat = std::chrono::seconds{20};
  Envelope envelope = Envelope::headers;
  Duration confirm_timeout = std::chrono::seconds{30};
  std::optional<tls::Options> tls;
};

[[nodiscard]] const config::Fields<AmqpOptions>& amqp_fields();
void check(const AmqpOptions& options, const config::Node& node, config::Diagnostics& diagnostics);

struct Url {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  std::string vhost = "/";
  std::optional<std::string> user;
  std::optional<std::string> password;
};
// Errors: invalid, with what is wrong.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

// Errors: as parse_url() and Secret::read().
[[nodiscard]] Result<Target> target_of(const AmqpOptions& options, std::string_view connection_name);

}  // namespace railhead::amqp
