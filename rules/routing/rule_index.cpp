#include "rules/routing/rule_index.h"

#include <algorithm>
#include <iterator>

#include "rules/routing/pattern.h"

namespace railhead::routing {
namespace {

void append_once(std::vector<RuleNumber>& to, RuleNumber rule) {
  if (to.empty() || to.back() != rule) to.push_back(rule);
}

bool all_of_are(const std::vector<std::string>& patterns, bool (*literal)(std::string_view)) {
  return !patterns.empty() && std::all_of(patterns.begin(), patterns.end(), literal);
}

void merge_into(std::vector<RuleNumber>& out, const std::vector<RuleNumber>& more) {
  if (more.empty()) return;
  const auto middle = static_cast<std::ptrdiff_t>(out.size());
  out.insert(out.end(), more.begin(), more.end());
  if (middle == 0) return;
  std::inplace_merge(out.begin(), out.begin() + middle, out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

}  // namespace

std::string_view topic_of(const Reading& reading) {
  const Value* topic = reading.attributes.find("topic");
  return topic != nullptr && topic->is(Kind::string) ? topic->as_text() : std::string_view{};
}

bool Selection::matches(const Reading& reading) const {
  const auto any = [](const std::vector<std::string>& patterns, auto matches) {
    return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), matches);
  };
  return std::find(sources.begin(), sources.end(), reading.source) != sources.end() &&
         any(devices, [&](const std::string& glob) { return glob_matches(glob, reading.device); }) &&
         any(topics, [&](const std::string& filter) { return topic_matches(filter, topic_of(reading)); });
}

void RuleIndex::add(RuleNumber rule, const Selection& selection) {
  if (!selection.topics.empty()) looks_at_topics_ = true;
  for (const std::string& source : selection.sources) {
    Bucket& bucket = by_source_[source];
    if (all_of_are(selection.devices, is_literal_glob)) {
      for (const std::string& device : selection.devices) append_once(bucket.by_device[device], rule);
    } else if (all_of_are(selection.topics, is_literal_topic)) {
      for (const std::string& topic : selection.topics) append_once(bucket.by_topic[topic], rule);
    } else {
      append_once(bucket.always, rule);
    }
  }
}

void RuleIndex::candidates(const Reading& reading, std::vector<RuleNumber>& out) const {
  out.clear();
  const auto bucket = by_source_.find(std::string_view(reading.source));
  if (bucket == by_source_.end()) return;
  const auto& [always, by_device, by_topic] = bucket->second;
  out.insert(out.end(), always.begin(), always.end());
  if (!by_device.empty()) {
    const auto found = by_device.find(std::string_view(reading.device));
    if (found != by_device.end()) merge_into(out, found->second);
  }
  if (!by_topic.empty()) {
    const auto found = by_topic.find(topic_of(reading));
    if (found != by_topic.end()) merge_into(out, found->second);
  }
}

}  // namespace railhead::routing
