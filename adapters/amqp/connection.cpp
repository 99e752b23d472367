#include "adapters/amqp/connection.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>

namespace railhead::amqp {
namespace {

constexpr amqp_channel_t kChannel = 1;
constexpr const char* kSystemCertificates = "/etc/ssl/certs/ca-certificates.crt";  // Debian's ca-certificates
constexpr int kFrameMax = 131'072;
constexpr std::size_t kShortStringMax = 255;
constexpr std::size_t kFramesAtOnce = 10'000;  // per receive()

amqp_bytes_t bytes_of(std::string_view text) {
  return {.len = text.size(), .bytes = const_cast<char*>(text.empty() ? "" : text.data())};
}
std::string text_of(amqp_bytes_t bytes) {
  return bytes.len == 0 ? std::string() : std::string(static_cast<const char*>(bytes.bytes), bytes.len);
}
amqp_table_entry_t entry(const char* name, amqp_field_value_t value) {
  return {.key = amqp_cstring_bytes(name), .value = value};
}
amqp_field_value_t text_value(std::string_view text) {
  amqp_field_value_t value{};
  value.kind = AMQP_FIELD_KIND_UTF8;
  value.value.bytes = bytes_of(text);
  return value;
}
timeval timeval_of(std::chrono::milliseconds time) {
  timeval value{};
  value.tv_sec = static_cast<decltype(value.tv_sec)>(time.count() / 1000);
  value.tv_usec = static_cast<decltype(value.tv_usec)>((time.count() % 1000) * 1000);
  return value;
}

// "404 NOT_FOUND - no exchange 'x' in vhost '/'": the broker's own words.
Error closed(std::uint16_t code, amqp_bytes_t text) {
  const bool denied = code == AMQP_ACCESS_REFUSED || code == AMQP_NOT_ALLOWED;
  return {denied ? Errc::denied : Errc::unavailable, std::to_string(code) + " " + text_of(text)};
}

Error error_of(const amqp_rpc_reply_t& reply) {
  switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL: return {};
    case AMQP_RESPONSE_NONE: return {Errc::unavailable, "closed by the peer"};
    case AMQP_RESPONSE_LIBRARY_EXCEPTION: return {Errc::unavailable, amqp_error_string2(reply.library_error)};
    case AMQP_RESPONSE_SERVER_EXCEPTION:
      if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const auto* close = static_cast<const amqp_connection_close_t*>(reply.reply.decoded);
        return closed(close->reply_code, close->reply_text);
      }
      if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const auto* close = static_cast<const amqp_channel_close_t*>(reply.reply.decoded);
        return closed(close->reply_code, close->reply_text);
      }
      return {Errc::unavailable, "unexpected answer of the broker"};
  }
  return {Errc::unavailable, "unexpected answer of the broker"};
}

void keep_alive(int fd) {
  const int on = 1;
  const int idle_s = 30;
  const int every_s = 10;
  const int count = 3;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

struct Connection::State {
  amqp_connection_state_t connection = nullptr;
  Listener* listener = nullptr;
  // A basic.return that is still coming: method, header, body frames.
  bool returning = false;
  std::string return_reason;
  std::string return_id;
  std::uint64_t return_left = 0;
  bool return_has_header = false;
  bool has_more = false;

  ~State() {
    if (connection != nullptr) amqp_destroy_connection(connection);
  }

  Result<void> connect(const Target& target) {
    connection = amqp_new_connection();
    if (connection == nullptr) return fail(Errc::unavailable, "out of memory");
    amqp_socket_t* socket = nullptr;
    if (target.tls) {
      socket = amqp_ssl_socket_new(connection);
      if (socket == nullptr) return fail(Errc::unavailable, "cannot set up TLS");
      if (Result<void> ready = prepare_tls(socket, target); !ready) return ready;
    } else {
      socket = amqp_tcp_socket_new(connection);
      if (socket == nullptr) return fail(Errc::unavailable, "out of memory");
    }
    const timeval patience = timeval_of(target.timeout);
    if (const int status = amqp_socket_open_noblock(socket, target.host.c_str(), target.port, &patience);
        status != AMQP_STATUS_OK) {
      return fail(Errc::unavailable, target.host + ":" + std::to_string(target.port) + ": " + open_fault(status));
    }
    keep_alive(amqp_get_sockfd(connection));
    amqp_set_handshake_timeout(connection, &patience);
    amqp_set_rpc_timeout(connection, &patience);
    return log_in(target);
  }

  static std::string open_fault(int status) {
    std::string text = amqp_error_string2(status);
    if (status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED) {
      text += " (the certificate must name the host as the url does; numeric addresses are not compared)";
    }
    return text;
  }

  static Result<void> prepare_tls(amqp_socket_t* socket, const Target& target) {
    amqp_ssl_socket_set_verify_peer(socket, target.verify ? 1 : 0);
    amqp_ssl_socket_set_verify_hostname(socket, target.verify ? 1 : 0);
    const std::string ca = target.ca.empty() ? kSystemCertificates : target.ca;
    if (amqp_ssl_socket_set_cacert(socket, ca.c_str()) != AMQP_STATUS_OK && target.verify) {
      return fail(Errc::unavailable, "cannot read certificates from " + ca);
    }
    if (!target.key_password.empty()) amqp_ssl_socket_set_key_passwd(socket, target.key_password.c_str());
    if (!target.cert.empty() &&
        amqp_ssl_socket_set_key(socket, target.cert.c_str(), target.key.c_str()) != AMQP_STATUS_OK) {
      return fail(Errc::unavailable, "cannot read certificate " + target.cert + " with key " + target.key);
    }
    return {};
  }

  Result<void> log_in(const Target& target) {
    amqp_field_value_t yes{};
    yes.kind = AMQP_FIELD_KIND_BOOLEAN;
    yes.value.boolean = 1;
    // Without connection.blocked the broker's alarm would be mere silence.
    std::array<amqp_table_entry_t, 4> capabilities{entry("connection.blocked", yes), entry("publisher_confirms", yes),
                                                   entry("basic.nack", yes),
                                                   entry("authentication_failure_close", yes)};
    amqp_field_value_t capability_table{};
    capability_table.kind = AMQP_FIELD_KIND_TABLE;
    capability_table.value.table = {.num_entries = static_cast<int>(capabilities.size()),
                                    .entries = capabilities.data()};
    std::array<amqp_table_entry_t, 3> properties{entry("product", text_value("railhead")),
                                                 entry("connection_name", text_value(target.connection_name)),
                                                 entry("capabilities", capability_table)};
    const amqp_table_t table{.num_entries = static_cast<int>(properties.size()), .entries = properties.data()};
    amqp_rpc_reply_t reply = amqp_login_with_properties(
        connection, target.vhost.c_str(), 0, kFrameMax, static_cast<int>(target.heartbeat.count()), &table,
        AMQP_SASL_METHOD_PLAIN, target.user.c_str(), target.password.c_str());
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
      Error error = error_of(reply);
      // Why: without a close frame (older brokers) a wrong password looks like a lost connection.
      return fail(error.in("log in as '" + target.user + "'"));
    }
    amqp_channel_open(connection, kChannel);
    if (Result<void> opened = check("open a channel"); !opened) return opened;
    amqp_confirm_select(connection, kChannel);
    if (Result<void> selected = check("select publisher confirms"); !selected) return selected;
    if (!target.exchange.empty()) {
      // Passive: asks whether it is there, so that a wrong name is known before the first record is lost on it.
      amqp_exchange_declare(connection, kChannel, bytes_of(target.exchange), amqp_cstring_bytes("direct"), 1, 0, 0, 0,
                            amqp_empty_table);
      if (Result<void> there = check("exchange '" + target.exchange + "'"); !there) return there;
    }
    return {};
  }

  Result<void> check(std::string_view what) const {
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return {};
    return fail(error_of(reply).in(what));
  }

  Result<void> handle(const amqp_frame_t& frame) {
    switch (frame.frame_type) {
      case AMQP_FRAME_METHOD: return method(frame.payload.method);
      case AMQP_FRAME_HEADER:
        if (returning) {
          const auto* properties = static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
          if ((properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0) return_id = text_of(properties->message_id);
          return_left = frame.payload.properties.body_size;
          return_has_header = true;
          finish_return();
        }
        return {};
      case AMQP_FRAME_BODY:
        if (returning && return_has_header) {
          return_left -= std::min<std::uint64_t>(return_left, frame.payload.body_fragment.len);
          finish_return();
        }
        return {};
      default: return {};
    }
  }

  void finish_return() {
    if (return_left > 0) return;
    returning = false;
    listener->on_return(return_id, std::move(return_reason));
  }

  Result<void> method(const amqp_method_t& method) {
    switch (method.id) {
      case AMQP_BASIC_ACK_METHOD: {
        const auto* ack = static_cast<const amqp_basic_ack_t*>(method.decoded);
        listener->on_ack(ack->delivery_tag, ack->multiple != 0);
        return {};
      }
      case AMQP_BASIC_NACK_METHOD: {
        const auto* nack = static_cast<const amqp_basic_nack_t*>(method.decoded);
        listener->on_nack(nack->delivery_tag, nack->multiple != 0);
        return {};
      }
      case AMQP_BASIC_RETURN_METHOD: {
        const auto* back = static_cast<const amqp_basic_return_t*>(method.decoded);
        returning = true;
        return_has_header = false;
        return_id.clear();
        return_reason = std::to_string(back->reply_code) + " " + text_of(back->reply_text) + ": exchange '" +
                        text_of(back->exchange) + "', routing key '" + text_of(back->routing_key) + "'";
        return {};
      }
      case AMQP_CONNECTION_BLOCKED_METHOD: {
        const auto* blocked = static_cast<const amqp_connection_blocked_t*>(method.decoded);
        listener->on_blocked(text_of(blocked->reason));
        return {};
      }
      case AMQP_CONNECTION_UNBLOCKED_METHOD: listener->on_unblocked(); return {};
      case AMQP_CHANNEL_CLOSE_METHOD: {
        const auto* close = static_cast<const amqp_channel_close_t*>(method.decoded);
        return fail(closed(close->reply_code, close->reply_text).in("the broker closed the channel"));
      }
      case AMQP_CONNECTION_CLOSE_METHOD: {
        const auto* close = static_cast<const amqp_connection_close_t*>(method.decoded);
        return fail(closed(close->reply_code, close->reply_text).in("the broker closed the connection"));
      }
      default: return {};
    }
  }
};

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open(const Target& target, Listener& listener) {
  auto state = std::make_unique<State>();
  state->listener = &listener;
  if (Result<void> connected = state->connect(target); !connected) return fail(connected.error());
  return std::unique_ptr<Connection>(new Connection(std::move(state)));
}

bool Connection::has_more() const {
  // publish() may read, too.
  return state_->has_more || amqp_frames_enqueued(state_->connection) != 0 ||
         amqp_data_in_buffer(state_->connection) != 0;
}

std::chrono::seconds Connection::heartbeat() const {
  return std::chrono::seconds{amqp_get_heartbeat(state_->connection)};
}

int Connection::fd() const { return amqp_get_sockfd(state_->connection); }

Result<void> Connection::publish(const Publication& publication) {
  if (publication.routing_key.size() > kShortStringMax) return fail(Errc::refused, "routing key longer than 255 bytes");
  if (publication.message_id.size() > kShortStringMax) return fail(Errc::refused, "message-id longer than 255 bytes");
  if (publication.content_type.size() > kShortStringMax)
    return fail(Errc::refused, "content type longer than 255 bytes");
  amqp_basic_properties_t properties{};
  std::vector<amqp_table_entry_t> headers;
  std::size_t header_bytes = 0;
  if (publication.headers != nullptr) {
    headers.reserve(publication.headers->size());
    for (const Header& header : *publication.headers) {
      if (header.name.size() > kShortStringMax) return fail(Errc::refused, "a header's name is longer than 255 bytes");
      header_bytes += header.name.size() + header.value.size() + 8;
      headers.push_back({.key = bytes_of(header.name), .value = text_value(header.value)});
    }
  }
  // A content header is one frame, which must hold all properties.
  if (header_bytes > kFrameMax - 2'048) return fail(Errc::refused, "headers larger than a frame");
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                      AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
  properties.content_type = bytes_of(publication.content_type);
  properties.headers = {.num_entries = static_cast<int>(headers.size()), .entries = headers.data()};
  properties.delivery_mode = publication.persistent ? AMQP_DELIVERY_PERSISTENT : AMQP_DELIVERY_NONPERSISTENT;
  properties.message_id = bytes_of(publication.message_id);
  properties.timestamp = static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, std::chrono::floor<std::chrono::seconds>(publication.time).time_since_epoch().count()));
  if (publication.priority) {
    properties._flags |= AMQP_BASIC_PRIORITY_FLAG;
    properties.priority = *publication.priority;
  }
  const int status = amqp_basic_publish(state_->connection, kChannel, bytes_of(publication.exchange),
                                        bytes_of(publication.routing_key), publication.mandatory ? 1 : 0, 0,
                                        &properties, bytes_of(publication.body));
  if (status != AMQP_STATUS_OK) return fail(Errc::unavailable, std::string("publish: ") + amqp_error_string2(status));
  return {};
}

Result<void> Connection::receive() {
  const timeval no_wait{};
  state_->has_more = false;
  for (std::size_t count = 0; count < kFramesAtOnce; ++count) {
    amqp_maybe_release_buffers(state_->connection);
    amqp_frame_t frame{};
    const int status = amqp_simple_wait_frame_noblock(state_->connection, &frame, &no_wait);
    if (status == AMQP_STATUS_TIMEOUT) return {};
    if (status != AMQP_STATUS_OK) return fail(Errc::unavailable, amqp_error_string2(status));
    if (Result<void> handled = state_->handle(frame); !handled) return handled;
  }
  state_->has_more = true;
  return {};
}

void Connection::close(std::chrono::milliseconds at_most) {
  const timeval patience = timeval_of(at_most);
  amqp_set_rpc_timeout(state_->connection, &patience);
  static_cast<void>(amqp_connection_close(state_->connection, AMQP_REPLY_SUCCESS));
}

}  // namespace railhead::amqp
