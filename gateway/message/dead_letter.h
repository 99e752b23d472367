// DeadLetter: what was set aside, with everything needed to understand and to requeue it (S15). It is the payload of a
// frame in the dead letters' own spool.
//
// Bytes, version 1 (little-endian; "text" = varint length + bytes):
//   u8 version | u8 kind, + 0x80 if cut | i64 time ns | text source | text device | text topic | text rule | text sink
//   | text reason | text identity | token as in record.h | text payload
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/message/reading.h"
#include "gateway/message/value.h"

namespace railhead {

struct DeadLetter {
  enum class Kind : std::uint8_t {
    raw,      // a payload that never became a reading; payload: its bytes
    reading,  // a rule failed on it; payload: its canonical JSON document
    record,   // the upstream refused it; payload: the encoded Record
  };
  Kind kind = Kind::raw;
  Time time{};
  std::string source;
  std::string device;
  std::string topic;
  std::string rule;
  std::string sink;
  std::string reason;
  std::string identity;  // of the record
  std::optional<FieldToken> token;
  std::string payload;
  bool cut = false;  // the payload is only the beginning of what it was
  friend bool operator==(const DeadLetter&, const DeadLetter&) = default;
};

[[nodiscard]] std::string_view name_of(DeadLetter::Kind kind) noexcept;
void encode(const DeadLetter& letter, std::string& out);
// Errors: damaged, unsupported.
[[nodiscard]] Result<DeadLetter> decode_dead_letter(std::string_view bytes);
// For people and for dead_letters.to: an object of the fields; a payload that is not UTF-8 is base64 in
// "payload_base64".
[[nodiscard]] Value describe(const DeadLetter& letter);

}  // namespace railhead
