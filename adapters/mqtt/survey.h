// Survey: what a broker's topics carry, learned by listening for a while: topics, rates, shapes of payloads, and from
// them the subscriptions and the rule that would read them. Pure: messages in, a text out.
// Bounds:  kTopicsMax topics are told apart, the rest is counted; kFieldsMax fields of a payload.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/mqtt/interpreter.h"
#include "gateway/base/time.h"
#include "gateway/message/json.h"

namespace railhead::mqtt {

class Survey {
 public:
  static constexpr std::size_t kTopicsMax = 10'000;
  static constexpr std::size_t kFieldsMax = 20;

  struct Shape {
    PayloadFormat format = PayloadFormat::raw;
    Compression compression = Compression::none;
    std::map<std::string, std::string> fields;  // of a JSON object: name -> "int", "double", "string", ...
    std::string whole;                          // of other JSON: "a list", "a string"
    friend bool operator==(const Shape&, const Shape&) = default;
  };
  struct Topic {
    std::uint64_t messages = 0;
    std::uint64_t retained = 0;
    std::uint64_t bytes = 0;
    Shape shape;         // of the last message; fields of all
    bool mixed = false;  // formats changed
  };

  void add(std::string_view topic, std::string_view payload, bool retained);
  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  [[nodiscard]] const std::map<std::string, Topic>& topics() const { return topics_; }

  // Topics that differ in some levels only and carry the same, as one pattern: plant/{level2}/{device}/telemetry. The
  // last level that differs is the device.
  struct Group {
    std::string pattern;
    Shape shape;
    std::size_t topics = 0;
  };
  [[nodiscard]] std::vector<Group> groups() const;

  // A table of the topics, busiest first, at most `rows`.
  [[nodiscard]] std::string table(Duration listened, std::size_t rows) const;
  // YAML: a source with its subscriptions and a rule. Empty without messages.
  [[nodiscard]] std::string proposal(std::string_view url) const;

 private:
  [[nodiscard]] Shape shape_of(std::string_view payload);

  std::map<std::string, Topic> topics_;
  std::uint64_t messages_ = 0;
  std::uint64_t others_ = 0;  // messages of topics beyond the bound
  JsonParser parser_;
};

// "json {rpm: int, t: double}"
[[nodiscard]] std::string text_of(const Survey::Shape& shape);

}  // namespace railhead::mqtt
