// Interpreter: a PUBLISH becomes a Reading (S23). The first pattern that matches the topic decides how.
//   device      the capture {device}, else the subscription's `device`, else the topic
//   value       by `payload`: json | number | text | raw
//   attributes  topic, captures, retained, and of MQTT 5 content_type, response_topic, correlation_data, expiry (a
//               duration), user_properties (a map; of one name the first)
// Errors:  Errc::invalid: the payload cannot be read; source, device and token of `out` are set even then.
// Threads: one source's thread (it holds a parser and scratch).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/topic_pattern.h"
#include "gateway/base/result.h"
#include "gateway/message/json.h"
#include "gateway/message/reading.h"

namespace railhead::mqtt {

enum class PayloadFormat : std::uint8_t { json, number, text, raw };
enum class Retained : std::uint8_t { mark, ignore };

class Interpreter {
 public:
  struct Row {
    TopicPattern pattern;
    PayloadFormat payload = PayloadFormat::json;
    std::string device;
  };
  // further_copy: the broker sends one for each subscription that matches, and this is not the first row's.
  enum class Outcome : std::uint8_t { reading, retained_ignored, unmatched, further_copy };

  Interpreter(std::string source, Retained retained, std::vector<Row> rows);

  // What goes into the tokens. A new one forgets what was granted.
  void set_session(std::uint64_t session);
  [[nodiscard]] std::uint64_t session() const { return session_; }
  // Whether the broker took this row's subscription.
  void set_granted(std::size_t row, bool granted) { granted_[row] = granted; }
  // The subscriptions that messages name are this process' own, so that a further copy is one for certain.
  void trust_subscriptions(bool trusted) { trusted_ = trusted; }

  // `subscription`: the row that the broker names, if it does. `out` is overwritten whole, but keeps its memory.
  [[nodiscard]] Result<Outcome> read(const Publish& publish, std::optional<std::size_t> subscription, Time arrived,
                                     bool clock_trusted, Reading& out);
  // What a redelivery is recognised by; nullopt at QoS 0.
  [[nodiscard]] std::optional<FieldToken> token_of(const Publish& publish) const;

 private:
  [[nodiscard]] Result<Value> value_of(PayloadFormat format, std::string_view payload);

  struct Names {
    Value topic = Value::text("topic");
    Value retained = Value::text("retained");
  };
  const std::string source_;
  std::uint64_t session_ = 0;
  const Retained retained_;
  std::vector<Row> rows_;
  std::vector<std::uint8_t> granted_;  // per row
  bool trusted_ = false;
  std::vector<std::vector<Value>> capture_names_;  // per row
  const Names names_;
  JsonParser parser_;
  std::vector<std::string_view> captures_;
};

}  // namespace railhead::mqtt
