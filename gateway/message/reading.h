// Reading: what a source saw, before the rules (S22, S23). A value type; one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "gateway/base/time.h"
#include "gateway/message/value.h"

namespace railhead {

enum class Quality : std::uint8_t { good, uncertain, bad };
[[nodiscard]] std::string_view name_of(Quality quality) noexcept;

// What recognises an MQTT redelivery (S19): kept in the spool's frame until its PUBACK surely left.
struct FieldToken {
  std::uint64_t session = 0;       // hash of the broker's URL and the client identifier
  std::uint16_t packet_id = 0;     // 0: none (QoS 0, Modbus)
  std::uint64_t content_hash = 0;  // of topic and payload
  std::uint8_t qos = 0;
  std::uint8_t spools = 0;  // bit per ports::SpoolId that holds a part of its group (S11); set by the intake
  // Not kept in the record:
  bool dup = false;    // the broker said that it may be a repeat
  bool leads = false;  // of a message in several readings one before the last: recognised by it, which keeps it for all
  friend bool operator==(const FieldToken&, const FieldToken&) = default;
};

struct Reading {
  std::string source;         // name in the configuration
  std::string device;         // name; (source, device) identifies it
  Time time{};                // observed; arrival unless the payload tells
  bool clock_trusted = true;  // S20: false makes the records carry rh-clock: unsynced
  bool maybe_repeat = false;  // S19: cannot be told from a redelivery; records carry rh-dup
  Quality quality = Quality::good;
  Value value;       // scalar, map of points, or null (device up / down)
  Value bad;         // map point -> reason, or null
  Value attributes;  // map: topic, captures, retained, MQTT 5 properties, ...; or null
  std::optional<FieldToken> token;

  // What the records carry of it.
  [[nodiscard]] const FieldToken* kept_token() const { return token && !token->leads ? &*token : nullptr; }
};

// The canonical JSON document of a rule without `body`:
// {"gateway","source","device","time","quality","value","bad"?,"attributes"?}.
[[nodiscard]] std::string canonical_json(const Reading& reading, std::string_view gateway);
[[nodiscard]] Value canonical_value(const Reading& reading, std::string_view gateway);
// Back from that document (railhead try, rule tests, requeue): `source` `device` required, time RFC 3339.
[[nodiscard]] bool reading_from_value(const Value& document, Reading& out, std::string& why);

}  // namespace railhead
