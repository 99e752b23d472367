// TopicPattern: what a subscription names: an MQTT topic filter whose one-level wildcards may have names.
//   plant/{area}/{device}/telemetry   subscribes plant/+/+/telemetry; the levels become captures
//   $share/gateways/plant/{device}/#  a shared subscription; `#` is allowed at the end
// Errors:  Errc::invalid with what is wrong. Threads: immutable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

namespace railhead::mqtt {

class TopicPattern {
 public:
  [[nodiscard]] static Result<TopicPattern> parse(std::string_view text);

  // For SUBSCRIBE.
  [[nodiscard]] const std::string& filter() const { return filter_; }
  // $share/<group>/...: another member of the group may get a message.
  [[nodiscard]] bool is_shared() const { return filter_.starts_with("$share/"); }
  // The filter of the topics that match: without $share/<group>/.
  [[nodiscard]] std::string topics() const;
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  // Whether a topic can match both.
  [[nodiscard]] bool overlaps(const TopicPattern& other) const;
  // `captures` gets one view into `topic` per name, in order. A topic that begins with `$` is not matched by a wildcard
  // in the first level [MQTT-4.7.2-1].
  [[nodiscard]] bool match(std::string_view topic, std::vector<std::string_view>& captures) const;

 private:
  enum class Kind : std::uint8_t { literal, any, named, rest };
  struct Level {
    Kind kind;
    std::string text;
  };
  std::string filter_;
  std::vector<Level> levels_;
  std::vector<std::string> names_;
};

}  // namespace railhead::mqtt
