#include "rules/routing/destination.h"

#include <algorithm>
#include <array>

#include "gateway/base/bytes.h"

namespace railhead::routing {
namespace {

constexpr std::size_t kKafkaTopicMax = 249;
constexpr std::size_t kMqttTopicMax = 65'535;
constexpr std::size_t kShortStringMax = 255;

constexpr std::array<bool, 256> kKafkaCharacters = [] {
  std::array<bool, 256> legal{};
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")) {
    legal[static_cast<unsigned char>(c)] = true;
  }
  return legal;
}();

std::string quoted(std::string_view text) { return "'" + std::string(text.substr(0, 80)) + "'"; }

}  // namespace

Upstream upstream_of(std::string_view kind) {
  if (kind == "kafka") return Upstream::kafka;
  if (kind == "mqtt") return Upstream::mqtt;
  if (kind == "amqp") return Upstream::amqp;
  return Upstream::other;
}

std::size_t illegal_character(Upstream upstream, std::string_view part) {
  switch (upstream) {
    case Upstream::kafka: {
      const auto found = std::find_if_not(part.begin(), part.end(),
                                          [](char c) { return kKafkaCharacters[static_cast<unsigned char>(c)]; });
      return found == part.end() ? std::string_view::npos : static_cast<std::size_t>(found - part.begin());
    }
    case Upstream::mqtt: return part.find_first_of(std::string_view("+#\0", 3));
    default: return part.find('\0');
  }
}

std::string topic_fault(Upstream upstream, std::string_view topic) {
  if (topic.empty()) return "the topic is empty";
  // What Kafka takes is ASCII.
  if (upstream != Upstream::kafka && !base::is_utf8(topic)) return "topic " + quoted(topic) + " is not UTF-8";
  if (const std::size_t at = illegal_character(upstream, topic); at != std::string_view::npos) {
    switch (upstream) {
      case Upstream::kafka: return "topic " + quoted(topic) + ": a Kafka topic takes letters, digits, '.', '_' and '-'";
      case Upstream::mqtt: return "topic " + quoted(topic) + ": '+' and '#' are for subscriptions";
      default: return "topic " + quoted(topic) + ": a topic holds no zero byte";
    }
  }
  if (upstream == Upstream::kafka && topic.size() > kKafkaTopicMax) {
    return "topic " + quoted(topic) + "...: a Kafka topic has at most 249 characters";
  }
  if (upstream == Upstream::kafka && (topic == "." || topic == "..")) {
    return "topic " + quoted(topic) + " is not a name Kafka takes";
  }
  if (topic.size() > kMqttTopicMax) return "the topic is longer than 65535 bytes";
  return {};
}

std::string routing_key_fault(std::string_view routing_key) {
  if (routing_key.size() > kShortStringMax) {
    return "routing key " + quoted(routing_key) + "...: AMQP takes at most 255 bytes";
  }
  return {};
}

}  // namespace railhead::routing
