// Record: what goes out, after the rules; the payload of a spool frame (S5). No pointer into the configuration, so an
// edit of the configuration never strands a backlog.
//
// Bytes, version 2 (little-endian; "text" = varint length + bytes):
//   head, the same for all records of one `send`:
//     u8 version | u8 priority | i64 expires after ns (0 never) | text sink | text type | text content_type
//   varint flags (RecordFlag) | i64 time ns | text source | text device | text quality
//   | own identity: text (empty = the frame's own place) | key: u8 0 none, 1 + text | text topic | text routing_key
//   | varint header count, each text name + text value | text body
//   token as in field_token.h
// Why in this order: a head is copied as it is, and only the intake, which writes last, knows the token.
// Another version is refused (Errc::unsupported). Fields are added by a new version only; version 1 was never released.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/base/strong.h"
#include "gateway/base/time.h"
#include "gateway/message/reading.h"

namespace railhead {

enum class Priority : std::uint8_t { low, normal, high, alarm };  // alarm selects the other spool (S10, S11)
[[nodiscard]] std::string_view name_of(Priority priority) noexcept;

// What the record's reader upstream must know; written as headers (S34).
enum RecordFlag : std::uint8_t {
  kMaybeRepeat = 1,    // rh-dup: 1
  kClockUnsynced = 2,  // rh-clock: unsynced
};

struct Header {
  std::string name;
  std::string value;
  friend bool operator==(const Header&, const Header&) = default;
};

inline constexpr std::string_view kDefaultType = "railhead.reading";
inline constexpr std::string_view kDefaultContentType = "application/json";

struct Record {
  std::string sink;
  std::string topic;               // Kafka and MQTT topic, or empty
  std::string routing_key;         // AMQP, or empty
  std::optional<std::string> key;  // nullopt: keyless (S16)
  Priority priority = Priority::normal;
  std::uint8_t flags = 0;
  Time time{};     // of the reading
  Duration ttl{};  // 0: never expires; counted from the append
  std::string source;
  std::string device;
  std::string type{kDefaultType};
  std::string content_type{kDefaultContentType};
  std::string quality;  // written as rh-quality when not good
  // Empty: <gateway>/<epoch>/<sequence> of its own frame (S3). "/<epoch>/<sequence>": this gateway's.
  std::string identity;
  std::optional<FieldToken> token;
  std::vector<Header> headers;  // the user's
  std::string body;

  friend bool operator==(const Record&, const Record&) = default;
};

// The head of a record's bytes, written once.
class RecordHead {
 public:
  struct Fields {
    std::string_view sink;
    Priority priority = Priority::normal;
    Duration ttl{};
    std::string_view type = kDefaultType;
    std::string_view content_type = kDefaultContentType;
  };
  RecordHead() : RecordHead(Fields{}) {}
  explicit RecordHead(const Fields& fields);
  [[nodiscard]] Priority priority() const { return priority_; }
  [[nodiscard]] std::string_view sink() const { return std::string_view(bytes_).substr(sink_from_, sink_size_); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  Priority priority_;
  std::size_t sink_from_ = 0;
  std::size_t sink_size_ = 0;
};

// The rest of a record but for its token; as the members of Record.
struct RecordRest {
  std::uint8_t flags = 0;
  Time time{};
  std::string_view source;
  std::string_view device;
  std::string_view quality;
  std::string_view identity;
  std::optional<std::string_view> key;
  std::string_view topic;
  std::string_view routing_key;
  std::span<const Header> headers;
  std::string_view body;
};

// Writes all of a record's bytes but the token where there is encoded_room(); gives their end.
[[nodiscard]] char* encode(const RecordHead& head, const RecordRest& rest, char* to);
[[nodiscard]] std::size_t encoded_room(const RecordHead& head, const RecordRest& rest);
[[nodiscard]] RecordHead head_of(const Record& record);
[[nodiscard]] RecordRest rest_of(const Record& record);

void encode(const Record& record, std::string& out);
// Errors: damaged (does not decode), unsupported (another version).
[[nodiscard]] Result<Record> decode_record(std::string_view bytes);

// A header that never leaves: the message priority that a rule gives to AMQP (`amqp_priority`), 0..255 as text.
inline constexpr std::string_view kAmqpPriorityHeader = "rh-amqp-priority";

// "<gateway>/<epoch as 16 hex digits>/<sequence>"
[[nodiscard]] std::string identity_of(std::string_view gateway, Epoch epoch, Sequence sequence);

// The headers of S34 in the order they are written. `prefix` is the binding's: "ce_" Kafka, "cloudEvents_" AMQP, ""
// MQTT.
struct HeaderContext {
  std::string_view gateway;
  std::string_view identity;
  std::string_view prefix;
  bool late = false;      // rh-late: refused once (S17)
  bool with_key = false;  // rh-key: the upstream has no key of its own
  bool headless = false;  // the upstream takes no headers at all (MQTT 3.1.1)
};
// What the gateway itself says of a record.
[[nodiscard]] std::vector<Header> attributes_of(const Record& record, const HeaderContext& context);
// What its rule wrote, appended: without what is an instruction for the sink.
void append_own_headers(const Record& record, std::vector<Header>& to);
// Both.
[[nodiscard]] std::vector<Header> headers_of(const Record& record, const HeaderContext& context);

}  // namespace railhead
