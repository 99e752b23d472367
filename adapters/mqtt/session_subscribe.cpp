// Session: its subscriptions.
#include <algorithm>
#include <utility>

#include "adapters/mqtt/properties.h"
#include "adapters/mqtt/session.h"

namespace railhead::mqtt {

void Session::subscribe(bool session_present, BootTime now) {
  // A session that stood while this process lived has our subscriptions but those that were refused. One from an
  // earlier process may have others; a new one has none until its SUBACK, and may be there without them at the next
  // connection.
  if (!session_present) subscribed_once_ = false;
  if (!subscribed_once_) {
    not_granted_.clear();
    for (std::size_t index = 0; index < options_.subscriptions.size(); ++index) not_granted_.push_back(index);
  }
  for (const std::size_t index : not_granted_) {
    if (const auto refused = refused_unasked(options_.subscriptions[index])) refused_.emplace_back(index, *refused);
  }
  ask(session_present, now);
}

void Session::ask_again(BootTime now) {
  ask_again_at_.reset();
  ask(true, now);
}

void Session::ask(bool session_present, BootTime now) {
  // An identifier counts for all filters of a packet [5 3.8.2.1.2].
  const bool identified =
      version_ == Version::v5 && options_.subscription_identifiers && limits_.subscription_identifiers;
  const std::size_t most = identified ? 1 : kFiltersPerSubscribe;
  std::vector<std::size_t> together;
  std::size_t bytes = 0;
  for (const std::size_t index : not_granted_) {
    const Wanted& wanted = options_.subscriptions[index];
    if (refused_unasked(wanted)) continue;
    constexpr std::size_t kAround = 16;  // header, packet identifier, properties
    const std::size_t more = wanted.filter.size() + 3;
    const bool too_large = limits_.packet_bytes_max != 0 && kAround + bytes + more > limits_.packet_bytes_max;
    if (!together.empty() && (together.size() == most || too_large)) {
      send_subscribe(together, session_present);
      together.clear();
      bytes = 0;
    }
    together.push_back(index);
    bytes += more;
  }
  if (!together.empty()) send_subscribe(together, session_present);
  asked_at_ = now;
}

// What CONNACK said cannot be had is not asked for: the broker would have to end the connection.
std::optional<std::uint8_t> Session::refused_unasked(const Wanted& wanted) const {
  const bool shared = wanted.filter.rfind("$share/", 0) == 0;
  if (shared && !limits_.shared) return reason::kSharedNotSupported;
  if (!limits_.wildcards && wanted.filter.find_first_of("+#") != std::string::npos) {
    return reason::kWildcardsNotSupported;
  }
  if (limits_.packet_bytes_max != 0 && wanted.filter.size() + 16 + 3 > limits_.packet_bytes_max) {
    return reason::kPacketTooLarge;
  }
  return std::nullopt;
}

void Session::send_subscribe(const std::vector<std::size_t>& subscriptions, bool session_present) {
  Subscribe packet;
  packet.packet_id = take_packet_id();
  PropertyWriter properties;
  if (version_ == Version::v5 && options_.subscription_identifiers && limits_.subscription_identifiers) {
    properties.number(PropertyId::subscription_identifier, static_cast<std::uint32_t>(subscriptions.front() + 1));
  }
  packet.properties = properties.bytes();
  for (const std::size_t index : subscriptions) {
    const Wanted& wanted = options_.subscriptions[index];
    Filter filter;
    filter.topic = wanted.filter;
    filter.qos = wanted.qos;
    // Retained messages were already had with a standing subscription; a shared one has none [5 4.8.2].
    if (session_present) filter.retain_handling = 1;
    if (wanted.filter.rfind("$share/", 0) == 0) filter.retain_handling = 0;
    packet.filters.push_back(filter);
  }
  encode(version_, packet, output_);
  asked_.push_back({packet.packet_id, subscriptions, {}});
}

// It is not in use [MQTT-2.2.1-3]: what is asked together is fewer than 65,535 packets, and nothing more is asked
// before all of them are answered.
std::uint16_t Session::take_packet_id() {
  const std::uint16_t taken = next_packet_id_;
  next_packet_id_ = static_cast<std::uint16_t>(taken == 0xffff ? 1 : taken + 1);
  return taken;
}

void Session::unsubscribe(BootTime now) {
  // One filter a packet: this is rare, and none can be too large for a broker that took it in a SUBSCRIBE.
  for (const std::string& filter : unwanted_) {
    Unsubscribe packet;
    packet.packet_id = take_packet_id();
    packet.topics.push_back(filter);
    encode(version_, packet, output_);
    asked_.push_back({packet.packet_id, {}, {filter}});
    asked_at_ = now;
  }
}

std::optional<Session::Asked> Session::take_asked(std::uint16_t packet_id, bool unsubscribes) {
  const auto found = std::find_if(asked_.begin(), asked_.end(), [&](const Asked& asked) {
    return asked.packet_id == packet_id && asked.unwanted.empty() != unsubscribes;
  });
  if (found == asked_.end()) return std::nullopt;
  Asked asked = std::move(*found);
  asked_.erase(found);
  return asked;
}

void Session::all_answered() {
  subscribed_once_ = true;
  listener_.on_all_answered(kept_);
}

Result<void> Session::handle_unsuback(const Unsuback& packet) {
  const std::optional<Asked> asked = take_asked(packet.packet_id, true);
  if (!asked) return violated(reason::kProtocolError, "UNSUBACK with an unknown packet identifier");
  if (version_ == Version::v5 && packet.reasons.size() != asked->unwanted.size()) {
    return violated(reason::kProtocolError, "UNSUBACK of the wrong length");
  }
  for (std::size_t i = 0; i < packet.reasons.size(); ++i) {
    if (static_cast<std::uint8_t>(packet.reasons[i]) >= 0x80) kept_.push_back(asked->unwanted[i]);
  }
  if (asked_.empty()) all_answered();
  return {};
}

Result<void> Session::handle_suback(const Suback& packet, BootTime now) {
  const std::optional<Asked> asked = take_asked(packet.packet_id, false);
  if (!asked) return violated(reason::kProtocolError, "SUBACK with an unknown packet identifier");
  if (packet.reasons.size() != asked->subscriptions.size()) {
    return violated(reason::kProtocolError, "SUBACK of the wrong length");
  }
  for (std::size_t i = 0; i < asked->subscriptions.size(); ++i) {
    if (static_cast<std::uint8_t>(packet.reasons[i]) >= 0x80) {
      if (!ask_again_at_) {
        ask_again_at_ = now + ask_again_after_;
        ask_again_after_ = std::min<Duration>(2 * ask_again_after_, kAskAgainMost);
      }
    } else {
      std::erase(not_granted_, asked->subscriptions[i]);
    }
    listener_.on_subscribed(asked->subscriptions[i], static_cast<std::uint8_t>(packet.reasons[i]));
  }
  if (asked_.empty()) all_answered();
  return {};
}

}  // namespace railhead::mqtt
