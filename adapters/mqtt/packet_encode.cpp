#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/wire.h"

namespace railhead::mqtt {
namespace {

void put_header(std::string& out, PacketType type, unsigned flags, std::size_t remaining_length) {
  RAILHEAD_ASSERT(remaining_length <= kVariableMax);
  put_u8(out, static_cast<std::uint8_t>((static_cast<unsigned>(type) << 4) | flags));
  put_variable(out, static_cast<std::uint32_t>(remaining_length));
}

std::size_t properties_bytes(Version version, std::string_view list) {
  return version == Version::v5 ? variable_bytes(list.size()) + list.size() : 0;
}

void put_properties(std::string& out, Version version, std::string_view list) {
  if (version != Version::v5) return;
  put_variable(out, static_cast<std::uint32_t>(list.size()));
  out.append(list);
}

// DISCONNECT and AUTH leave out what is nothing.
void put_ending(std::string& out, PacketType type, std::uint8_t reason, std::string_view properties) {
  if (reason == 0 && properties.empty()) return put_header(out, type, 0, 0);
  if (properties.empty()) {
    put_header(out, type, 0, 1);
    return put_u8(out, reason);
  }
  put_header(out, type, 0, 1 + properties_bytes(Version::v5, properties));
  put_u8(out, reason);
  put_properties(out, Version::v5, properties);
}

}  // namespace

void encode(const Connect& packet, std::string& out) {
  std::size_t size = 10 + properties_bytes(packet.version, packet.properties) + 2 + packet.client_id.size();
  unsigned flags = packet.clean_start ? 2u : 0u;
  if (packet.will) {
    flags |= 4u | (static_cast<unsigned>(packet.will->qos) << 3) | (packet.will->retain ? 0x20u : 0u);
    size += properties_bytes(packet.version, packet.will->properties) + 4 + packet.will->topic.size() +
            packet.will->payload.size();
  }
  if (packet.user) {
    flags |= 0x80;
    size += 2 + packet.user->size();
  }
  if (packet.password) {
    flags |= 0x40;
    size += 2 + packet.password->size();
  }
  put_header(out, PacketType::connect, 0, size);
  put_text(out, "MQTT");
  put_u8(out, static_cast<std::uint8_t>(packet.version));
  put_u8(out, static_cast<std::uint8_t>(flags));
  put_u16(out, packet.keep_alive_seconds);
  put_properties(out, packet.version, packet.properties);
  put_text(out, packet.client_id);
  if (packet.will) {
    put_properties(out, packet.version, packet.will->properties);
    put_text(out, packet.will->topic);
    put_text(out, packet.will->payload);
  }
  if (packet.user) put_text(out, *packet.user);
  if (packet.password) put_text(out, *packet.password);
}

void encode(Version version, const Connack& packet, std::string& out) {
  put_header(out, PacketType::connack, 0, 2 + properties_bytes(version, packet.properties));
  put_u8(out, packet.session_present ? 1 : 0);
  put_u8(out, packet.reason);
  put_properties(out, version, packet.properties);
}

void encode(Version version, const Publish& packet, std::string& out) {
  const unsigned flags = (packet.dup ? 8u : 0u) | (static_cast<unsigned>(packet.qos) << 1) | (packet.retain ? 1u : 0u);
  put_header(out, PacketType::publish, flags,
             2 + packet.topic.size() + (packet.qos > 0 ? 2 : 0) + properties_bytes(version, packet.properties) +
                 packet.payload.size());
  put_text(out, packet.topic);
  if (packet.qos > 0) put_u16(out, packet.packet_id);
  put_properties(out, version, packet.properties);
  out.append(packet.payload);
}

void encode(Version version, const Ack& packet, std::string& out) {
  const unsigned flags = packet.type == PacketType::pubrel ? 2 : 0;
  if (packet.reason == 0 && packet.properties.empty()) {  // one for each message
    const char bytes[4] = {static_cast<char>((static_cast<unsigned>(packet.type) << 4) | flags), 2,
                           static_cast<char>(packet.packet_id >> 8), static_cast<char>(packet.packet_id & 0xff)};
    out.append(bytes, sizeof bytes);
    return;
  }
  const bool with_properties = version == Version::v5 && !packet.properties.empty();
  const bool with_reason = version == Version::v5 && (packet.reason != 0 || with_properties);
  put_header(out, packet.type, flags,
             2u + (with_reason ? 1u : 0u) + (with_properties ? properties_bytes(version, packet.properties) : 0u));
  put_u16(out, packet.packet_id);
  if (with_reason) put_u8(out, packet.reason);
  if (with_properties) put_properties(out, version, packet.properties);
}

void encode(Version version, const Subscribe& packet, std::string& out) {
  std::size_t size = 2 + properties_bytes(version, packet.properties);
  for (const Filter& filter : packet.filters) size += 3 + filter.topic.size();
  put_header(out, PacketType::subscribe, 2, size);
  put_u16(out, packet.packet_id);
  put_properties(out, version, packet.properties);
  for (const Filter& filter : packet.filters) {
    put_text(out, filter.topic);
    unsigned options = filter.qos;
    if (version == Version::v5) {
      options |= (filter.no_local ? 4u : 0u) | (filter.retain_as_published ? 8u : 0u) |
                 (static_cast<unsigned>(filter.retain_handling) << 4);
    }
    put_u8(out, static_cast<std::uint8_t>(options));
  }
}

void encode(Version version, const Suback& packet, std::string& out) {
  put_header(out, PacketType::suback, 0, 2 + properties_bytes(version, packet.properties) + packet.reasons.size());
  put_u16(out, packet.packet_id);
  put_properties(out, version, packet.properties);
  out.append(packet.reasons);
}

void encode(Version version, const Unsubscribe& packet, std::string& out) {
  std::size_t size = 2 + properties_bytes(version, packet.properties);
  for (const std::string_view topic : packet.topics) size += 2 + topic.size();
  put_header(out, PacketType::unsubscribe, 2, size);
  put_u16(out, packet.packet_id);
  put_properties(out, version, packet.properties);
  for (const std::string_view topic : packet.topics) put_text(out, topic);
}

void encode(Version version, const Unsuback& packet, std::string& out) {
  put_header(out, PacketType::unsuback, 0, 2 + properties_bytes(version, packet.properties) + packet.reasons.size());
  put_u16(out, packet.packet_id);
  put_properties(out, version, packet.properties);
  out.append(packet.reasons);
}

void encode(const Pingreq&, std::string& out) { put_header(out, PacketType::pingreq, 0, 0); }
void encode(const Pingresp&, std::string& out) { put_header(out, PacketType::pingresp, 0, 0); }

void encode(Version version, const Disconnect& packet, std::string& out) {
  if (version == Version::v3_1_1) return put_header(out, PacketType::disconnect, 0, 0);
  put_ending(out, PacketType::disconnect, packet.reason, packet.properties);
}

void encode(const Auth& packet, std::string& out) {
  put_ending(out, PacketType::auth, packet.reason, packet.properties);
}

}  // namespace railhead::mqtt
