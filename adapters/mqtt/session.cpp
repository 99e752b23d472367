#include "adapters/mqtt/session.h"

#include <algorithm>
#include <utility>

#include "adapters/mqtt/properties.h"
#include "gateway/base/assert.h"

namespace railhead::mqtt {

Session::Session(Options options, Listener& listener) : options_(std::move(options)), listener_(listener) {
  RAILHEAD_ASSERT(options_.receive_maximum > 0);
}

void Session::set_credentials(std::optional<std::string> user, std::optional<std::string> password) {
  options_.user = std::move(user);
  options_.password = std::move(password);
}

void Session::open(Version version, BootTime now) {
  RAILHEAD_ASSERT(state_ == State::closed && inbox_.empty());
  state_ = State::connecting;
  version_ = version;
  broker_reason_.reset();
  server_reference_.clear();
  broker_session_expiry_.reset();
  limits_ = {};
  aliases_.clear();  // they belong to a connection [MQTT-3.3.2-7]
  output_.clear();
  output_sent_ = 0;
  sent_total_ = 0;
  skip_ = 0;
  large_.reset();
  quota_used_ = 0;
  quota_exceeded_ = false;
  kept_.clear();
  ask_again_at_.reset();
  ask_again_after_ = kAskAgainFirst;
  keep_alive_ = std::chrono::seconds{options_.keep_alive_seconds};
  opened_at_ = received_at_ = sent_at_ = pinged_at_ = now;

  PropertyWriter properties;
  if (version == Version::v5) {
    if (options_.session_expiry_seconds != 0) {
      properties.number(PropertyId::session_expiry, options_.session_expiry_seconds);
    }
    if (options_.receive_maximum != 0xffff) properties.number(PropertyId::receive_maximum, options_.receive_maximum);
    if (options_.topic_alias_maximum != 0) {
      properties.number(PropertyId::topic_alias_maximum, options_.topic_alias_maximum);
    }
  }
  Connect connect;
  connect.version = version;
  connect.clean_start = options_.clean_start;
  connect.keep_alive_seconds = options_.keep_alive_seconds;
  connect.properties = properties.bytes();
  connect.client_id = options_.client_id;
  if (options_.user) connect.user = *options_.user;
  // 3.1.1 has no password without a user [MQTT-3.1.2-22].
  if (options_.password && (options_.user || version == Version::v5)) connect.password = *options_.password;
  encode(connect, output_);
}

void Session::close() {
  state_ = State::closed;
  waiting_.clear();
  tickets_.clear();
  leaving_.clear();
  asked_.clear();
  output_.clear();
  output_sent_ = 0;
}

tl::unexpected<Error> Session::violated(std::uint8_t code, std::string what) {
  // Nothing but DISCONNECT may follow, and a CONNECT must have been accepted before.
  if (state_ == State::connected && version_ == Version::v5) disconnect(code);
  return fail(Errc::protocol, std::move(what));
}

bool Session::in_inbox(std::uint16_t packet_id) const {
  return !inbox_ids_.empty() && (inbox_ids_[packet_id / 64] >> (packet_id % 64) & 1) != 0;
}

void Session::clear_inbox() {
  if (!inbox_ids_.empty()) {
    for (const Inbound& inbound : inbox_) inbox_ids_[inbound.packet_id / 64] = 0;
  }
  inbox_.clear();
}

bool Session::accepts() const {
  return waiting_.size() < kUnacknowledgedMax && output_.size() - output_sent_ < kOutputBytesMax;
}

Result<std::size_t> Session::receive(std::string_view bytes, BootTime now) {
  RAILHEAD_ASSERT(inbox_.empty());
  if (state_ == State::closed) return fail(Errc::stopped, "the session is closed");
  if (!bytes.empty()) received_at_ = now;
  std::size_t taken = 0;
  // What an answer would not fit any more stays where it is.
  while (inbox_.size() < kInboxItems && inbox_.size() + waiting_.size() < kUnacknowledgedMax) {
    if (skip_ > 0) {
      const std::size_t skipped = std::min<std::size_t>(skip_, bytes.size() - taken);
      skip_ -= static_cast<std::uint32_t>(skipped);
      taken += skipped;
      if (skip_ > 0) break;
    }
    const std::string_view rest = bytes.substr(taken);
    if (large_) {
      const Result<std::size_t> read = take_large(rest);
      if (!read) return read;
      if (*read == 0) break;
      taken += *read;
      continue;
    }
    Result<std::optional<FixedHeader>> header = decode_header(rest);
    if (!header) return violated(reason::kMalformed, std::move(header.error().what));
    if (!*header) break;
    const std::size_t whole = std::size_t{(*header)->header_bytes} + (*header)->remaining_length;
    if (state_ == State::connecting && (*header)->type != PacketType::connack && (*header)->type != PacketType::auth) {
      return violated(reason::kProtocolError, std::string(name_of((*header)->type)) + " before CONNACK");
    }
    if (whole > options_.packet_bytes_max) {
      Result<std::size_t> prefix = take_oversized(**header, rest);
      if (!prefix) return prefix;
      if (*prefix == 0) break;
      taken += *prefix;
      continue;
    }
    if (rest.size() < whole) break;
    const std::string_view body = rest.substr((*header)->header_bytes, (*header)->remaining_length);
    if ((*header)->type == PacketType::publish) {
      Result<Publish> publish = decode_publish(version_, (*header)->flags, body);
      if (!publish) return violated(reason::kMalformed, std::move(publish.error().what));
      Result<bool> fits = take_publish(*publish);
      if (!fits) return fail(std::move(fits.error()));
      if (!*fits) break;
    } else {
      Result<Packet> packet = decode(version_, **header, body);
      if (!packet) return violated(reason::kMalformed, std::move(packet.error().what));
      if (Result<void> handled = handle(*packet, now); !handled) return fail(std::move(handled.error()));
    }
    taken += whole;
  }
  return taken;
}

// False: the next batch must take it: its identifier is in the inbox already, and the two must be told apart; or it
// gives a new meaning to an alias that the inbox looks at.
Result<bool> Session::take_publish(const Publish& publish) {
  if (publish.qos == 2 && in_inbox(publish.packet_id)) return false;
  std::string_view topic = publish.topic;
  std::optional<std::size_t> subscription;
  std::size_t identifiers = 0;
  if (!publish.properties.empty()) {
    PropertyReader reader(publish.properties);
    for (Property property; reader.next(property);) {
      if (property.id == PropertyId::topic_alias) {
        const Result<bool> resolved = resolve_alias(property.number, topic);
        if (!resolved || !*resolved) return resolved;
      } else if (property.id == PropertyId::subscription_identifier) {
        ++identifiers;
        if (property.number <= options_.subscriptions.size()) subscription = property.number - 1;
      }
    }
  }
  if (publish.qos > 0 && ++quota_used_ > options_.receive_maximum && version_ == Version::v5 && !quota_exceeded_) {
    quota_exceeded_ = true;
    listener_.on_quota_exceeded();
  }
  if (publish.qos == 2) {
    if (inbox_ids_.empty()) inbox_ids_.resize(65'536 / 64);
    inbox_ids_[publish.packet_id / 64] |= std::uint64_t{1} << (publish.packet_id % 64);
  }
  Inbound& inbound = inbox_.emplace_back();
  inbound.publish = publish;
  inbound.publish.topic = topic;
  inbound.packet_id = publish.packet_id;
  if (identifiers == 1) inbound.subscription = subscription;
  return true;
}

Result<bool> Session::resolve_alias(std::uint32_t alias, std::string_view& topic) {
  if (alias > options_.topic_alias_maximum) {
    return violated(reason::kTopicAliasInvalid, "PUBLISH: topic alias " + std::to_string(alias) + " is above " +
                                                    std::to_string(options_.topic_alias_maximum));
  }
  if (aliases_.empty()) aliases_.resize(options_.topic_alias_maximum);
  std::string& known = aliases_[alias - 1];
  if (topic.empty()) {
    if (known.empty()) return violated(reason::kProtocolError, "PUBLISH: a topic alias that means nothing yet");
  } else if (known != topic) {
    if (!known.empty() && !inbox_.empty()) return false;
    known = topic;
  }
  topic = known;
  return true;
}

Result<void> Session::handle(const Packet& packet, BootTime now) {
  if (const auto* connack = std::get_if<Connack>(&packet)) return handle_connack(*connack, now);
  if (const auto* suback = std::get_if<Suback>(&packet)) return handle_suback(*suback, now);
  if (std::holds_alternative<Pingresp>(packet)) return {};
  if (const auto* ack = std::get_if<Ack>(&packet); ack != nullptr && ack->type == PacketType::pubrel) {
    Inbound& inbound = inbox_.emplace_back();
    inbound.kind = Inbound::Kind::release;
    inbound.packet_id = ack->packet_id;
    if (inbox_ids_.empty()) inbox_ids_.resize(65'536 / 64);
    inbox_ids_[ack->packet_id / 64] |= std::uint64_t{1} << (ack->packet_id % 64);
    return {};
  }
  if (const auto* disconnect = std::get_if<Disconnect>(&packet)) {
    if (version_ == Version::v3_1_1) return violated(0, "DISCONNECT from the broker");
    broker_reason_ = disconnect->reason;
    server_reference_ = text_of(disconnect->properties, PropertyId::server_reference);
    std::string why = "the broker disconnects us: " + reason_text(disconnect->reason);
    if (const std::string_view said = text_of(disconnect->properties, PropertyId::reason_string); !said.empty()) {
      why += ": " + std::string(said);
    }
    return fail(Errc::unavailable, std::move(why));
  }
  if (std::holds_alternative<Auth>(packet)) {
    return violated(reason::kProtocolError, "AUTH, though no enhanced authentication was asked for");
  }
  if (const auto* unsuback = std::get_if<Unsuback>(&packet)) return handle_unsuback(*unsuback);
  return violated(reason::kProtocolError, "a packet that a broker never sends");
}

Result<void> Session::handle_connack(const Connack& packet, BootTime now) {
  if (state_ != State::connecting) return violated(reason::kProtocolError, "a second CONNACK");
  if (packet.reason != 0) {
    broker_reason_ = packet.reason;
    if (version_ == Version::v3_1_1) {
      switch (packet.reason) {
        case 1: return fail(Errc::unsupported, "the broker refuses MQTT 3.1.1");
        case 2: return fail(Errc::denied, "the broker refuses the client identifier");
        case 4: return fail(Errc::denied, "bad user name or password");
        case 5: return fail(Errc::denied, "not authorized");
        default: return fail(Errc::unavailable, "the broker is not available");
      }
    }
    server_reference_ = text_of(packet.properties, PropertyId::server_reference);
    std::string why = "the broker refuses: " + reason_text(packet.reason);
    if (const std::string_view said = text_of(packet.properties, PropertyId::reason_string); !said.empty()) {
      why += ": " + std::string(said);
    }
    switch (packet.reason) {
      case reason::kUnsupportedVersion: return fail(Errc::unsupported, std::move(why));
      case reason::kClientIdInvalid:
      case reason::kBadUserOrPassword:
      case reason::kNotAuthorized:
      case reason::kBanned: return fail(Errc::denied, std::move(why));
      case reason::kBadAuthenticationMethod:
        return fail(Errc::denied, std::move(why) +
                                      " (it wants enhanced authentication; Railhead offers user and "
                                      "password, or a client certificate)");
      default: return fail(Errc::unavailable, std::move(why));
    }
  }
  if (!text_of(packet.properties, PropertyId::authentication_method).empty()) {
    return violated(reason::kProtocolError, "CONNACK: enhanced authentication, though none was asked for");
  }
  // A clean start has none [5 MQTT-3.2.2-4, 3.1.1 MQTT-3.2.2-1].
  if (packet.session_present && options_.clean_start) {
    return violated(reason::kProtocolError, "CONNACK: a session is present, though a new one was asked for");
  }
  state_ = State::connected;
  read_limits(packet.properties);
  if (const auto seconds = number_of(packet.properties, PropertyId::server_keep_alive)) {
    // [MQTT-3.1.2-21]. 0: the broker does not look after us; we still look after the broker, and may ping [5 3.1.2.10].
    if (*seconds != 0) keep_alive_ = std::chrono::seconds{*seconds};
  }
  refused_.clear();
  subscribe(packet.session_present, now);
  if (packet.session_present) unsubscribe(now);
  unwanted_.clear();
  listener_.on_connected(packet.session_present);
  for (const auto& [index, code] : refused_) listener_.on_subscribed(index, code);
  return {};
}

void Session::read_limits(std::string_view properties) {
  PropertyReader reader(properties);
  for (Property property; reader.next(property);) {
    switch (property.id) {
      case PropertyId::maximum_packet_size: limits_.packet_bytes_max = property.number; break;
      case PropertyId::wildcard_subscription_available: limits_.wildcards = property.number != 0; break;
      case PropertyId::subscription_identifier_available:
        limits_.subscription_identifiers = property.number != 0;
        break;
      case PropertyId::shared_subscription_available: limits_.shared = property.number != 0; break;
      case PropertyId::session_expiry:
        if (property.number != options_.session_expiry_seconds) broker_session_expiry_ = property.number;
        break;
      default: break;
    }
  }
}

void Session::acknowledge(PacketType type, std::uint16_t packet_id, const ports::Ticket& ticket) {
  if (state_ != State::connected) return;
  waiting_.push_back({type, packet_id});
  if (tickets_.empty() || tickets_.back().ticket != ticket) tickets_.push_back({ticket, 0});
  ++tickets_.back().count;
}

void Session::release(const ports::Ticket& durable) {
  while (!tickets_.empty() && durable.covers(tickets_.front().ticket)) {
    for (std::size_t left = tickets_.front().count; left > 0; --left) {
      const Waiting& front = waiting_.front();
      encode(version_, Ack{front.type, front.packet_id, 0, {}}, output_);
      if (front.type == PacketType::puback) {
        leaving_.push_back({sent_total_ + (output_.size() - output_sent_), front.packet_id});
      }
      if (front.type != PacketType::pubrec && quota_used_ > 0) --quota_used_;
      waiting_.pop_front();
    }
    tickets_.pop_front();
  }
}

void Session::answer(const Publish& request, std::string_view payload) {
  if (state_ != State::connected || version_ != Version::v5 || output_.size() > kOutputBytesMax / 2) return;
  const std::string_view topic = text_of(request.properties, PropertyId::response_topic);
  if (!is_topic_name(topic)) return;
  PropertyWriter properties;
  PropertyReader reader(request.properties);
  for (Property property; reader.next(property);) {
    if (property.id == PropertyId::correlation_data) properties.text(property.id, property.text);
  }
  properties.text(PropertyId::content_type, "application/json");
  Publish packet;
  packet.topic = topic;
  packet.properties = properties.bytes();
  packet.payload = payload;
  const std::size_t before = output_.size();
  encode(version_, packet, output_);
  if (limits_.packet_bytes_max != 0 && output_.size() - before > limits_.packet_bytes_max) output_.resize(before);
}

void Session::disconnect(std::uint8_t code) { encode(version_, Disconnect{code, {}}, output_); }

void Session::sent(std::size_t bytes, BootTime now) {
  RAILHEAD_ASSERT(bytes <= output_.size() - output_sent_);
  if (bytes == 0) return;
  output_sent_ += bytes;
  sent_total_ += bytes;
  sent_at_ = now;
  if (output_sent_ == output_.size()) {
    output_.clear();
    output_sent_ = 0;
    // A burst's memory is not kept for ever.
    if (output_.capacity() > 16 * 1024) output_.shrink_to_fit();
  }
  left_.clear();
  while (!leaving_.empty() && leaving_.front().end <= sent_total_) {
    left_.push_back(leaving_.front().packet_id);
    leaving_.pop_front();
  }
  if (!left_.empty()) listener_.on_acknowledged(left_);
}

Result<void> Session::tick(BootTime now, bool reading) {
  if (state_ == State::connecting && now >= opened_at_ + options_.answer_timeout) {
    return fail(Errc::timeout,
                "no CONNACK within " + std::to_string(options_.answer_timeout / std::chrono::seconds{1}) + " s");
  }
  if (state_ != State::connected) return {};
  if (!asked_.empty() && reading && now >= asked_at_ + options_.answer_timeout) {
    return fail(Errc::timeout, "no SUBACK or UNSUBACK within " +
                                   std::to_string(options_.answer_timeout / std::chrono::seconds{1}) + " s");
  }
  if (asked_.empty() && reading && ask_again_at_ && now >= *ask_again_at_) ask_again(now);
  if (keep_alive_ == Duration::zero()) return {};
  if (reading && now >= received_at_ + keep_alive_)
    return fail(Errc::timeout, "the broker is silent beyond the keep-alive");
  if (now >= std::max(pinged_at_, std::min(sent_at_, received_at_)) + keep_alive_ / 2) {
    encode(Pingreq{}, output_);
    pinged_at_ = now;
  }
  return {};
}

std::optional<BootTime> Session::next_due(bool reading) const {
  if (state_ == State::closed) return std::nullopt;
  if (state_ == State::connecting) return opened_at_ + options_.answer_timeout;
  std::optional<BootTime> due;
  const auto earlier = [&](BootTime time) {
    if (!due || time < *due) due = time;
  };
  if (!asked_.empty() && reading) earlier(asked_at_ + options_.answer_timeout);
  if (asked_.empty() && reading && ask_again_at_) earlier(*ask_again_at_);
  if (keep_alive_ > Duration::zero()) {
    if (reading) earlier(received_at_ + keep_alive_);
    earlier(std::max(pinged_at_, std::min(sent_at_, received_at_)) + keep_alive_ / 2);
  }
  return due;
}

}  // namespace railhead::mqtt
