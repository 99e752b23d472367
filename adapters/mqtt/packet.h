// MQTT packets, 3.1.1 and 5: bytes <-> structs. No I/O, no clock, no state.
// Standards: OASIS MQTT 3.1.1 [3.1.1 n] and MQTT 5.0 [5 n]; statements are cited as [MQTT-n].
// Shapes:    decoded texts are views into the given bytes. `properties` is a checked list (properties.h), empty
// at 3.1.1.
//            A remaining length is at most 268,435,455 and never written longer than needed.
// Errors:    Errc::protocol for anything the standards call malformed: reserved bits, lengths, text that is not UTF-8,
//            wildcards in a topic name, QoS 3, identifier 0, reason codes out of place. Short input is not an error.
// Threads:   pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/base/result.h"

namespace railhead::mqtt {

enum class Version : std::uint8_t { v3_1_1 = 4, v5 = 5 };

enum class PacketType : std::uint8_t {
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  pubrec = 5,
  pubrel = 6,
  pubcomp = 7,
  subscribe = 8,
  suback = 9,
  unsubscribe = 10,
  unsuback = 11,
  pingreq = 12,
  pingresp = 13,
  disconnect = 14,
  auth = 15,
};
[[nodiscard]] std::string_view name_of(PacketType type) noexcept;

// Reason codes of MQTT 5 that are acted upon [5 2.4]; any other is only printed.
namespace reason {
inline constexpr std::uint8_t kSuccess = 0x00;
inline constexpr std::uint8_t kUnspecified = 0x80;
inline constexpr std::uint8_t kMalformed = 0x81;
inline constexpr std::uint8_t kProtocolError = 0x82;
inline constexpr std::uint8_t kImplementationSpecific = 0x83;
inline constexpr std::uint8_t kUnsupportedVersion = 0x84;
inline constexpr std::uint8_t kClientIdInvalid = 0x85;
inline constexpr std::uint8_t kBadUserOrPassword = 0x86;
inline constexpr std::uint8_t kNotAuthorized = 0x87;
inline constexpr std::uint8_t kServerUnavailable = 0x88;
inline constexpr std::uint8_t kServerBusy = 0x89;
inline constexpr std::uint8_t kBanned = 0x8a;
inline constexpr std::uint8_t kServerShuttingDown = 0x8b;
inline constexpr std::uint8_t kBadAuthenticationMethod = 0x8c;
inline constexpr std::uint8_t kSessionTakenOver = 0x8e;
inline constexpr std::uint8_t kTopicNameInvalid = 0x90;
inline constexpr std::uint8_t kPacketIdNotFound = 0x92;
inline constexpr std::uint8_t kTopicAliasInvalid = 0x94;
inline constexpr std::uint8_t kPacketTooLarge = 0x95;
inline constexpr std::uint8_t kMessageRateTooHigh = 0x96;
inline constexpr std::uint8_t kQuotaExceeded = 0x97;
inline constexpr std::uint8_t kAdministrativeAction = 0x98;
inline constexpr std::uint8_t kPayloadFormatInvalid = 0x99;
inline constexpr std::uint8_t kRetainNotSupported = 0x9a;
inline constexpr std::uint8_t kQosNotSupported = 0x9b;
inline constexpr std::uint8_t kUseAnotherServer = 0x9c;
inline constexpr std::uint8_t kServerMoved = 0x9d;
inline constexpr std::uint8_t kSharedNotSupported = 0x9e;
inline constexpr std::uint8_t kConnectionRateExceeded = 0x9f;
inline constexpr std::uint8_t kWildcardsNotSupported = 0xa2;
}  // namespace reason
// "not authorized (0x87)"
[[nodiscard]] std::string reason_text(std::uint8_t code);

struct Will {
  std::uint8_t qos = 0;
  bool retain = false;
  std::string_view properties;
  std::string_view topic;
  std::string_view payload;
};
struct Connect {
  Version version = Version::v5;
  bool clean_start = false;
  std::uint16_t keep_alive_seconds = 0;
  std::string_view properties;
  std::string_view client_id;
  std::optional<Will> will;
  std::optional<std::string_view> user;
  std::optional<std::string_view> password;
};
struct Connack {
  bool session_present = false;
  std::uint8_t reason = 0;  // at 3.1.1 the return code 0..5
  std::string_view properties;
};
struct Publish {
  bool dup = false;
  std::uint8_t qos = 0;
  bool retain = false;
  std::uint16_t packet_id = 0;  // 0 at QoS 0
  std::string_view topic;       // empty at MQTT 5 with a topic alias
  std::string_view properties;
  std::string_view payload;
};
// PUBACK, PUBREC, PUBREL, PUBCOMP.
struct Ack {
  PacketType type = PacketType::puback;
  std::uint16_t packet_id = 0;
  std::uint8_t reason = 0;
  std::string_view properties;
};
struct Filter {
  std::string_view topic;
  std::uint8_t qos = 0;
  // MQTT 5 [5 3.8.3.1]
  bool no_local = false;
  bool retain_as_published = false;
  std::uint8_t retain_handling = 0;  // 0 send, 1 send if new, 2 do not
};
struct Subscribe {
  std::uint16_t packet_id = 0;
  std::string_view properties;
  std::vector<Filter> filters;
};
struct Suback {
  std::uint16_t packet_id = 0;
  std::string_view properties;
  std::string_view reasons;  // a byte per filter: granted QoS, or from 0x80 a failure
};
struct Unsubscribe {
  std::uint16_t packet_id = 0;
  std::string_view properties;
  std::vector<std::string_view> topics;
};
struct Unsuback {
  std::uint16_t packet_id = 0;
  std::string_view properties;
  std::string_view reasons;  // empty at 3.1.1
};
struct Pingreq {};
struct Pingresp {};
struct Disconnect {
  std::uint8_t reason = 0;
  std::string_view properties;
};
struct Auth {
  std::uint8_t reason = 0;
  std::string_view properties;
};
using Packet = std::variant<Connect, Connack, Publish, Ack, Subscribe, Suback, Unsubscribe, Unsuback, Pingreq, Pingresp,
                            Disconnect, Auth>;

// The fixed header [5 2.1].
struct FixedHeader {
  PacketType type{};
  std::uint8_t flags = 0;
  std::uint32_t remaining_length = 0;
  std::uint32_t header_bytes = 0;  // 2..5
};
// nullopt: feed more. Checks type, flags and length, so that junk is seen at its first bytes.
[[nodiscard]] Result<std::optional<FixedHeader>> decode_header(std::string_view bytes);

// `body` is exactly the remaining length. A CONNECT is read by the version it names itself.
[[nodiscard]] Result<Packet> decode(Version version, const FixedHeader& header, std::string_view body);
// The one packet that matters for speed.
[[nodiscard]] Result<Publish> decode_publish(Version version, std::uint8_t flags, std::string_view body);

// Appends a whole packet. REQUIRES: texts of at most 65,535 bytes.
void encode(const Connect& packet, std::string& out);
void encode(Version version, const Connack& packet, std::string& out);
void encode(Version version, const Publish& packet, std::string& out);
void encode(Version version, const Ack& packet, std::string& out);
void encode(Version version, const Subscribe& packet, std::string& out);
void encode(Version version, const Suback& packet, std::string& out);
void encode(Version version, const Unsubscribe& packet, std::string& out);
void encode(Version version, const Unsuback& packet, std::string& out);
void encode(const Pingreq& packet, std::string& out);
void encode(const Pingresp& packet, std::string& out);
void encode(Version version, const Disconnect& packet, std::string& out);
void encode(const Auth& packet, std::string& out);

// UTF-8 without U+0000; a topic name moreover has no wildcard and at least one character.
[[nodiscard]] bool is_text(std::string_view text);
[[nodiscard]] bool is_topic_name(std::string_view topic);
// Wildcards only as whole levels, `#` only as the last [MQTT-4.7.1]; `$share/group/filter` too.
[[nodiscard]] bool is_topic_filter(std::string_view filter);

}  // namespace railhead::mqtt
