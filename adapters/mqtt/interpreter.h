// Interpreter: a PUBLISH becomes a Reading (S23). The first pattern that matches the topic decides how.
//   device      the capture {device}, else the subscription's `device`, else the topic
//   value       by `payload`: json | number | text | raw, of what `compression` unwraps
//   time        the subscription's `time:`, else arrival
//   readings    one, or with `split:` one of each element of a list; the token counts for the last, so that what is
//               recognised as taken was taken whole; those before it only look it up
//   attributes  topic, captures, retained, and of MQTT 5 content_type, response_topic, correlation_data, expiry (a
//               duration), user_properties (a map; of one name the first)
// Errors:  Errc::invalid: the payload cannot be read; source, device and token of `out` are set even then.
// Threads: one source's thread (it holds a parser and scratch).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/topic_pattern.h"
#include "gateway/base/result.h"
#include "gateway/message/json.h"
#include "gateway/message/reading.h"
#include "gateway/ports/expression.h"

namespace railhead::mqtt {

enum class PayloadFormat : std::uint8_t { json, number, text, raw };
enum class Compression : std::uint8_t { none, gzip, zstd };
enum class Retained : std::uint8_t { mark, ignore };

// The attributes that a message has of itself; {name} in a topic must be another one.
inline constexpr std::array<std::string_view, 7> kOwnAttributes{
    "topic", "retained", "content_type", "response_topic", "correlation_data", "expiry", "user_properties"};

class Interpreter {
 public:
  struct Row {
    TopicPattern pattern;
    PayloadFormat payload = PayloadFormat::json;
    std::string device;
    Compression compression = Compression::none;
    std::shared_ptr<const ports::ExpressionPlan> time = nullptr;
    std::shared_ptr<const ports::ExpressionPlan> split = nullptr;
  };
  static constexpr std::size_t kSplitMax = 10'000;  // readings of one message
  // further_copy: the broker sends one for each subscription that matches, and another row's is certain to come.
  enum class Outcome : std::uint8_t { reading, retained_ignored, unmatched, further_copy };

  // `unpacked_bytes_max`: what a compressed payload may grow to.
  Interpreter(std::string source, Retained retained, std::vector<Row> rows,
              std::size_t unpacked_bytes_max = 16 * 1024 * 1024);

  // What goes into the tokens. A new one forgets what was granted.
  void set_session(std::uint64_t session);
  // The broker began the session anew: nothing is granted yet.
  void forget_grants();
  // The QoS that the broker granted this row's subscription; nullopt: it refused it.
  void set_granted(std::size_t row, std::optional<std::uint8_t> qos);
  // A subscription of this session was refused, at first or still.
  [[nodiscard]] bool had_refusals() const;
  // The session began with the subscriptions that messages name, so that a further copy is one for certain.
  void trust_subscriptions(bool trusted) { trusted_ = trusted; }

  // `subscription`: the row that the broker names, if it names one alone. `out` is overwritten whole, but keeps its
  // memory.
  [[nodiscard]] Result<Outcome> read(const Publish& publish, std::optional<std::size_t> subscription, Time arrived,
                                     bool clock_trusted, Reading& out);
  // What the row of the last reading() asks for beyond it: its own time and being split.
  [[nodiscard]] bool splits() const { return last_row_ < rows_.size() && split_[last_row_] != nullptr; }
  // The parts of a reading whose row splits, appended to `out`. Errc::invalid: not a list, or too long a one.
  [[nodiscard]] Result<void> split(const Reading& whole, std::vector<Reading>& out);
  // Bytes of the payload that the last read() looked at, as they are unpacked: what its value takes is a multiple.
  [[nodiscard]] std::size_t payload_bytes() const { return payload_bytes_; }
  // How often `time:` gave none since the last call.
  [[nodiscard]] std::uint64_t take_missing_times() { return std::exchange(missing_times_, 0); }

  // Gives back the memory of topics it has seen.
  void relax() {
    seen_ = {};
    displaced_ = 0;
  }

  // What a redelivery is recognised by; nullopt at QoS 0.
  [[nodiscard]] std::optional<FieldToken> token_of(const Publish& publish) const;

 private:
  [[nodiscard]] Result<Value> value_of(PayloadFormat format, std::string_view payload);
  [[nodiscard]] Result<std::string_view> unwrap(Compression compression, std::string_view payload);
  void set_time(std::size_t row, Reading& reading);

  // What a topic says, as long as no other one takes its place: sensors publish to the same few for years.
  struct Seen {
    std::string topic;
    std::size_t row = 0;  // or rows_.size()
    std::string device;
    Value attributes;          // of a message that is not retained and has no properties
    std::uint32_t judged = 0;  // which state of the grants `keeper` is of
    std::size_t keeper = 0;
  };
  struct Grant {
    std::optional<std::uint8_t> qos;
    bool late = false;  // it was refused first: messages that were queued before have no copy of this row
  };
  static constexpr std::size_t kSeenLeast = 256;  // topics
  static constexpr std::size_t kSeenMost = 4096;
  static constexpr std::size_t kSeenBytesMax = 256;  // of a topic; longer ones are not kept
  [[nodiscard]] std::optional<FieldToken> token_of(const Publish& publish, std::uint64_t topic_hash) const;
  [[nodiscard]] Value attributes_of(const Publish& publish, const Seen& seen) const;
  [[nodiscard]] Seen& look_at(std::string_view topic, std::uint64_t topic_hash);
  [[nodiscard]] std::size_t keeper_of(Seen& seen);

  struct Names {
    Value topic = Value::text("topic");
    Value retained = Value::text("retained");
  };
  const std::string source_;
  std::uint64_t session_ = 0;
  const Retained retained_;
  std::vector<Row> rows_;
  std::vector<Grant> grants_;       // per row
  std::uint32_t grants_state_ = 1;  // rises with each change of them
  bool trusted_ = false;
  std::vector<std::vector<Value>> capture_names_;  // per row
  const Names names_;
  JsonParser parser_;
  std::vector<std::string_view> captures_;
  std::vector<Seen> seen_;     // by hash; empty until first needed
  std::size_t displaced_ = 0;  // of seen_, since it grew
  Seen unkept_;
  std::vector<std::unique_ptr<ports::ReadingExpression>> time_;   // per row, or null
  std::vector<std::unique_ptr<ports::ReadingExpression>> split_;  // per row, or null
  const std::size_t unpacked_bytes_max_;
  std::string unpacked_;
  std::size_t last_row_ = 0;
  std::size_t payload_bytes_ = 0;
  std::uint64_t missing_times_ = 0;
};

}  // namespace railhead::mqtt
