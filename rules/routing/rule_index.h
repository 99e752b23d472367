// RuleIndex: which rules may want a reading, so that a reading pays for the rules it concerns and not for all of them.
// Rules are found by source, and within a source by device or by topic where `from` names one literally; the others of
// that source are always candidates. A candidate still has to match (Selection::matches).
// Threads: built once, then immutable.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/message/reading.h"

namespace railhead::routing {

using RuleNumber = std::uint32_t;  // place in the order of rules

// One entry of `from`. Empty lists of devices and topics do not narrow; sources are always named.
struct Selection {
  std::vector<std::string> sources;
  std::vector<std::string> devices;  // globs
  std::vector<std::string> topics;   // MQTT filters, matched with attributes.topic

  [[nodiscard]] bool matches(const Reading& reading) const;
};

// attributes.topic, or empty.
[[nodiscard]] std::string_view topic_of(const Reading& reading);

class RuleIndex {
 public:
  // In the order of rules. A selection without sources is never a candidate.
  void add(RuleNumber rule, const Selection& selection);
  // Candidates in the order of rules, each once. Replaces what is in `out`.
  void candidates(const Reading& reading, std::vector<RuleNumber>& out) const;
  [[nodiscard]] bool takes_from(std::string_view source) const { return by_source_.contains(source); }
  // Some rule narrows by topic.
  [[nodiscard]] bool looks_at_topics() const { return looks_at_topics_; }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <class T>
  using ByText = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;
  struct Bucket {
    std::vector<RuleNumber> always;
    ByText<std::vector<RuleNumber>> by_device;
    ByText<std::vector<RuleNumber>> by_topic;
  };
  ByText<Bucket> by_source_;
  bool looks_at_topics_ = false;
};

}  // namespace railhead::routing
