#include <array>
#include <utility>

#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/properties.h"
#include "adapters/mqtt/wire.h"
#include "gateway/base/bytes.h"

namespace railhead::mqtt {
namespace {

tl::unexpected<Error> malformed(PacketType type, std::string_view what) {
  return fail(Errc::protocol, std::string(name_of(type)) + ": " + std::string(what));
}

PropertyPlace place_of(PacketType type) { return static_cast<PropertyPlace>(type); }

// A property list with its length in front. Empty at 3.1.1.
Result<std::string_view> read_properties(Version version, WireReader& reader, PropertyPlace place) {
  if (version != Version::v5) return std::string_view{};
  const std::uint32_t length = reader.variable();
  const std::string_view list = reader.raw(length);
  if (!reader.ok()) return fail(Errc::protocol, "the property list is cut short");
  if (list.empty()) return list;
  if (Result<void> checked = check_properties(place, list); !checked) return fail(checked.error());
  return list;
}

Result<Packet> decode_connect(std::string_view body) {
  constexpr PacketType kType = PacketType::connect;
  WireReader reader(body);
  if (reader.text() != "MQTT") return malformed(kType, "unknown protocol name");
  const std::uint8_t level = reader.u8();
  if (level != 4 && level != 5) return malformed(kType, "unknown protocol level");
  Connect packet;
  packet.version = static_cast<Version>(level);
  const std::uint8_t flags = reader.u8();
  if ((flags & 1) != 0) return malformed(kType, "reserved flag");
  packet.clean_start = (flags & 2) != 0;
  packet.keep_alive_seconds = reader.u16();
  Result<std::string_view> properties = read_properties(packet.version, reader, PropertyPlace::connect);
  if (!properties) return fail(properties.error().in("CONNECT"));
  packet.properties = *properties;
  packet.client_id = reader.text();
  if (!is_text(packet.client_id)) return malformed(kType, "the client identifier is not UTF-8");
  if ((flags & 4) != 0) {
    Will will;
    will.qos = (flags >> 3) & 3;
    will.retain = (flags & 0x20) != 0;
    if (will.qos == 3) return malformed(kType, "will with QoS 3");
    properties = read_properties(packet.version, reader, PropertyPlace::will);
    if (!properties) return fail(properties.error().in("CONNECT: will"));
    will.properties = *properties;
    will.topic = reader.text();
    will.payload = reader.text();
    if (reader.ok() && !is_topic_name(will.topic)) return malformed(kType, "bad will topic");
    packet.will = will;
  } else if ((flags & 0x38) != 0) {
    return malformed(kType, "will flags without a will");
  }
  if ((flags & 0x80) != 0) packet.user = reader.text();
  if ((flags & 0x40) != 0) {
    if (packet.version == Version::v3_1_1 && !packet.user) return malformed(kType, "password without a user");
    packet.password = reader.text();
  }
  if (packet.user && !is_text(*packet.user)) return malformed(kType, "the user is not UTF-8");
  if (!reader.ok() || !reader.at_end()) return malformed(kType, "wrong length");
  return packet;
}

Result<Packet> decode_connack(Version version, std::string_view body) {
  WireReader reader(body);
  Connack packet;
  const std::uint8_t flags = reader.u8();
  packet.reason = reader.u8();
  if (!reader.ok()) return malformed(PacketType::connack, "wrong length");
  if ((flags & 0xfe) != 0) return malformed(PacketType::connack, "reserved flag");
  packet.session_present = (flags & 1) != 0;
  if (packet.session_present && packet.reason != 0) return malformed(PacketType::connack, "a session beside a refusal");
  if (version == Version::v5 && reader.at_end() && packet.reason != 0) {
    // A 3.1.1 broker refuses a version it does not know in its own form: its return code 1 says what 0x84 says.
    if (packet.reason == 1) packet.reason = reason::kUnsupportedVersion;
    return packet;
  }
  Result<std::string_view> properties = read_properties(version, reader, PropertyPlace::connack);
  if (!properties) return fail(properties.error().in("CONNACK"));
  packet.properties = *properties;
  if (!reader.at_end()) return malformed(PacketType::connack, "wrong length");
  if (version == Version::v3_1_1 && packet.reason > 5) return malformed(PacketType::connack, "reserved return code");
  return packet;
}

// The reason codes a packet may carry [5 2.4].
bool reason_allowed(PacketType type, std::uint8_t code) {
  switch (type) {
    case PacketType::puback:
    case PacketType::pubrec:
      return code == 0 || code == 0x10 || code == 0x80 || code == 0x83 || code == 0x87 || code == 0x90 ||
             code == 0x91 || code == 0x97 || code == 0x99;
    case PacketType::pubrel:
    case PacketType::pubcomp: return code == 0 || code == 0x92;
    default: return true;
  }
}

Result<Packet> decode_ack(Version version, PacketType type, std::string_view body) {
  WireReader reader(body);
  Ack packet;
  packet.type = type;
  packet.packet_id = reader.u16();
  if (!reader.ok()) return malformed(type, "wrong length");
  if (packet.packet_id == 0) return malformed(type, "packet identifier 0");
  if (version == Version::v5 && !reader.at_end()) {
    packet.reason = reader.u8();
    if (!reason_allowed(type, packet.reason)) return malformed(type, "reason code out of place");
    if (!reader.at_end()) {
      Result<std::string_view> properties = read_properties(version, reader, place_of(type));
      if (!properties) return fail(properties.error().in(name_of(type)));
      packet.properties = *properties;
    }
  }
  if (!reader.at_end()) return malformed(type, "wrong length");
  return packet;
}

Result<Packet> decode_subscribe(Version version, std::string_view body) {
  constexpr PacketType kType = PacketType::subscribe;
  WireReader reader(body);
  Subscribe packet;
  packet.packet_id = reader.u16();
  if (reader.ok() && packet.packet_id == 0) return malformed(kType, "packet identifier 0");
  Result<std::string_view> properties = read_properties(version, reader, PropertyPlace::subscribe);
  if (!properties) return fail(properties.error().in("SUBSCRIBE"));
  packet.properties = *properties;
  while (reader.ok() && !reader.at_end()) {
    Filter filter;
    filter.topic = reader.text();
    const std::uint8_t options = reader.u8();
    filter.qos = options & 3;
    if (!reader.ok()) break;
    if (!is_topic_filter(filter.topic)) return malformed(kType, "bad topic filter");
    if (filter.qos == 3) return malformed(kType, "QoS 3");
    if (version == Version::v3_1_1) {
      if ((options & 0xfc) != 0) return malformed(kType, "reserved bits");
    } else {
      filter.no_local = (options & 4) != 0;
      filter.retain_as_published = (options & 8) != 0;
      filter.retain_handling = (options >> 4) & 3;
      if ((options & 0xc0) != 0 || filter.retain_handling == 3) return malformed(kType, "reserved bits");
    }
    packet.filters.push_back(filter);
  }
  if (!reader.ok() || packet.filters.empty()) return malformed(kType, "wrong length");
  return packet;
}

Result<Packet> decode_suback(Version version, PacketType type, std::string_view body) {
  WireReader reader(body);
  const std::uint16_t packet_id = reader.u16();
  if (!reader.ok()) return malformed(type, "wrong length");
  if (packet_id == 0) return malformed(type, "packet identifier 0");
  Result<std::string_view> properties = read_properties(version, reader, place_of(type));
  if (!properties) return fail(properties.error().in(name_of(type)));
  const std::string_view reasons = reader.rest();
  if (type == PacketType::unsuback) {
    if (reasons.empty() == (version == Version::v5)) return malformed(type, "wrong length");
    return Unsuback{packet_id, *properties, reasons};
  }
  if (reasons.empty()) return malformed(type, "wrong length");
  for (const char byte : reasons) {
    const auto code = static_cast<std::uint8_t>(byte);
    if (code > 2 && (code < 0x80 || (version == Version::v3_1_1 && code != 0x80))) {
      return malformed(type, "reason code out of place");
    }
  }
  return Suback{packet_id, *properties, reasons};
}

Result<Packet> decode_unsubscribe(Version version, std::string_view body) {
  WireReader reader(body);
  Unsubscribe packet;
  packet.packet_id = reader.u16();
  if (reader.ok() && packet.packet_id == 0) return malformed(PacketType::unsubscribe, "packet identifier 0");
  Result<std::string_view> properties = read_properties(version, reader, PropertyPlace::unsubscribe);
  if (!properties) return fail(properties.error().in("UNSUBSCRIBE"));
  packet.properties = *properties;
  while (reader.ok() && !reader.at_end()) {
    packet.topics.push_back(reader.text());
    if (reader.ok() && !is_topic_filter(packet.topics.back())) {
      return malformed(PacketType::unsubscribe, "bad topic filter");
    }
  }
  if (!reader.ok() || packet.topics.empty()) return malformed(PacketType::unsubscribe, "wrong length");
  return packet;
}

// DISCONNECT and AUTH: nothing, a reason, or a reason and properties.
template <class Ended>
Result<Packet> decode_ending(Version version, PacketType type, std::string_view body) {
  if (version == Version::v3_1_1 && (type == PacketType::auth || !body.empty()))
    return malformed(type, "not in MQTT 3.1.1");
  Ended packet;
  WireReader reader(body);
  if (!reader.at_end()) packet.reason = reader.u8();
  if (!reader.at_end()) {
    Result<std::string_view> properties = read_properties(version, reader, place_of(type));
    if (!properties) return fail(properties.error().in(name_of(type)));
    packet.properties = *properties;
  }
  if (!reader.at_end()) return malformed(type, "wrong length");
  if (type == PacketType::auth && packet.reason != 0 && packet.reason != 0x18 && packet.reason != 0x19) {
    return malformed(type, "reason code out of place");
  }
  return packet;
}

}  // namespace

Result<std::optional<FixedHeader>> decode_header(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const auto first = static_cast<std::uint8_t>(bytes[0]);
  FixedHeader header;
  header.type = static_cast<PacketType>(first >> 4);
  header.flags = first & 0x0f;
  if (first >> 4 == 0) return fail(Errc::protocol, "packet type 0");
  if (header.type != PacketType::publish) {
    const bool two = header.type == PacketType::pubrel || header.type == PacketType::subscribe ||
                     header.type == PacketType::unsubscribe;
    if (header.flags != (two ? 2 : 0)) return malformed(header.type, "reserved flags");
  } else if ((header.flags & 6) == 6) {
    return malformed(header.type, "QoS 3");
  } else if ((header.flags & 0x0e) == 8) {
    return malformed(header.type, "DUP at QoS 0");
  }
  for (std::uint32_t i = 1; i <= 4; ++i) {
    if (bytes.size() <= i) return std::nullopt;
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    header.remaining_length |= std::uint32_t{byte & 0x7fu} << (7 * (i - 1));
    if ((byte & 0x80) == 0) {
      if (i > 1 && byte == 0) return malformed(header.type, "remaining length longer than needed");
      header.header_bytes = i + 1;
      return header;
    }
  }
  return malformed(header.type, "remaining length of more than four bytes");
}

Result<Publish> decode_publish(Version version, std::uint8_t flags, std::string_view body) {
  constexpr PacketType kType = PacketType::publish;
  Publish packet;
  packet.dup = (flags & 8) != 0;
  packet.qos = (flags >> 1) & 3;
  packet.retain = (flags & 1) != 0;
  WireReader reader(body);
  packet.topic = reader.text();
  if (packet.qos > 0) packet.packet_id = reader.u16();
  if (!reader.ok()) return malformed(kType, "wrong length");
  if (packet.qos > 0 && packet.packet_id == 0) return malformed(kType, "packet identifier 0");
  Result<std::string_view> properties = read_properties(version, reader, PropertyPlace::publish);
  if (!properties) return fail(properties.error().in("PUBLISH"));
  packet.properties = *properties;
  if (packet.topic.empty()) {
    if (version == Version::v3_1_1 || !number_of(packet.properties, PropertyId::topic_alias)) {
      return malformed(kType, "no topic");
    }
  } else if (!is_topic_name(packet.topic)) {
    return malformed(kType, "bad topic name");
  }
  packet.payload = reader.rest();
  return packet;
}

Result<Packet> decode(Version version, const FixedHeader& header, std::string_view body) {
  if (body.size() != header.remaining_length) return malformed(header.type, "wrong length");
  switch (header.type) {
    case PacketType::connect: return decode_connect(body);
    case PacketType::connack: return decode_connack(version, body);
    case PacketType::publish: {
      Result<Publish> publish = decode_publish(version, header.flags, body);
      if (!publish) return fail(publish.error());
      return *publish;
    }
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp: return decode_ack(version, header.type, body);
    case PacketType::subscribe: return decode_subscribe(version, body);
    case PacketType::suback:
    case PacketType::unsuback: return decode_suback(version, header.type, body);
    case PacketType::unsubscribe: return decode_unsubscribe(version, body);
    case PacketType::pingreq:
    case PacketType::pingresp:
      if (!body.empty()) return malformed(header.type, "wrong length");
      if (header.type == PacketType::pingreq) return Pingreq{};
      return Pingresp{};
    case PacketType::disconnect: return decode_ending<Disconnect>(version, header.type, body);
    case PacketType::auth: return decode_ending<Auth>(version, header.type, body);
  }
  return fail(Errc::protocol, "packet type 0");
}

}  // namespace railhead::mqtt
