#include "adapters/mqtt/outgoing_fault.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/sink.h"

namespace railhead::mqtt {
namespace {

bool is_unwanted(std::uint32_t point) {
  return point < 0x20 || (point >= 0x7f && point <= 0x9f) || (point >= 0xfdd0 && point <= 0xfdef) ||
         (point & 0xfffe) == 0xfffe;
}

// "U+000A": the first code point that brokers may refuse; empty if there is none. `text` is UTF-8.
std::string unwanted_in(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t bytes = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    std::uint32_t point = bytes == 1 ? first : first & (0x7fU >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3fU);
    if (is_unwanted(point)) {
      char name[16];
      std::snprintf(name, sizeof name, "U+%04X", static_cast<unsigned>(point));
      return name;
    }
    at += bytes;
  }
  return {};
}

}  // namespace

bool is_left_out(const Header& header) {
  return header.value.empty() && (header.name == kResponseTopicHeader || header.name == kCorrelationDataHeader);
}

std::string outgoing_fault(const std::string& topic, const Enveloper::Wrapped& wrapped) {
  if (!is_topic_name(topic)) return "'" + topic + "' is not an MQTT topic name";
  if (const std::string point = unwanted_in(topic); !point.empty()) {
    return "the topic '" + topic + "' holds " + point + ", upon which brokers close the connection";
  }
  if (wrapped.body.size() > 268'000'000) return "the body is larger than an MQTT packet";
  for (const Header& header : wrapped.headers) {
    if (header.name.size() > 0xffff || header.value.size() > 0xffff) return "header '" + header.name + "' is too long";
    if (header.name == kCorrelationDataHeader || is_left_out(header)) continue;  // any bytes
    if (!is_text(header.name) || !is_text(header.value)) return "header '" + header.name + "' is not text";
    if (header.name == kResponseTopicHeader && !is_topic_name(header.value)) {
      return "'" + header.value + "' is not a topic to answer to";
    }
    std::string point = unwanted_in(header.name);
    if (point.empty()) point = unwanted_in(header.value);
    if (!point.empty())
      return "header '" + header.name + "' holds " + point + ", upon which brokers close the connection";
  }
  return {};
}

std::optional<std::chrono::seconds> expiry_of(const ports::Outgoing& outgoing, BootTime now) {
  if (outgoing.record.ttl <= Duration::zero()) return std::nullopt;
  Duration left = outgoing.record.ttl;
  if (outgoing.appended) left -= now - *outgoing.appended;
  constexpr std::chrono::seconds kMost{0x7fffffff};
  if (left >= kMost) return std::nullopt;
  return std::max(std::chrono::ceil<std::chrono::seconds>(left), std::chrono::seconds{1});
}

}  // namespace railhead::mqtt
