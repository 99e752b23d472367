#include <algorithm>
#include <array>

#include "adapters/mqtt/packet.h"
#include "gateway/base/bytes.h"

namespace railhead::mqtt {
namespace {

// Whether one of the word's eight bytes is this one: only the lowest bit that a zero byte borrows survives.
bool has_byte(std::uint64_t word, char byte) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  const std::uint64_t zero_there = word ^ (kOnes * static_cast<unsigned char>(byte));
  return ((zero_there - kOnes) & ~zero_there & (kOnes << 7)) != 0;
}

}  // namespace

std::string_view name_of(PacketType type) noexcept {
  static constexpr std::array<std::string_view, 16> kNames{
      "packet 0",  "CONNECT", "CONNACK",     "PUBLISH",  "PUBACK",  "PUBREC",   "PUBREL",     "PUBCOMP",
      "SUBSCRIBE", "SUBACK",  "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"};
  return kNames[static_cast<std::size_t>(type) & 15];
}

std::string reason_text(std::uint8_t code) {
  struct Row {
    std::uint8_t code;
    std::string_view text;
  };
  static constexpr std::array kRows{
      Row{0x00, "success"},
      Row{0x04, "disconnect with will"},
      Row{0x10, "no matching subscribers"},
      Row{0x80, "unspecified error"},
      Row{0x81, "malformed packet"},
      Row{0x82, "protocol error"},
      Row{0x83, "implementation specific error"},
      Row{0x84, "protocol version not supported"},
      Row{0x85, "client identifier not valid"},
      Row{0x86, "bad user name or password"},
      Row{0x87, "not authorized"},
      Row{0x88, "server unavailable"},
      Row{0x89, "server busy"},
      Row{0x8a, "banned"},
      Row{0x8b, "server shutting down"},
      Row{0x8c, "bad authentication method"},
      Row{0x8d, "keep alive timeout"},
      Row{0x8e, "session taken over: another client uses this client_id"},
      Row{0x8f, "topic filter invalid"},
      Row{0x90, "topic name invalid"},
      Row{0x91, "packet identifier in use"},
      Row{0x92, "packet identifier not found"},
      Row{0x93, "receive maximum exceeded"},
      Row{0x94, "topic alias invalid"},
      Row{0x95, "packet too large"},
      Row{0x96, "message rate too high"},
      Row{0x97, "quota exceeded"},
      Row{0x98, "administrative action"},
      Row{0x99, "payload format invalid"},
      Row{0x9a, "retain not supported"},
      Row{0x9b, "QoS not supported"},
      Row{0x9c, "use another server"},
      Row{0x9d, "server moved"},
      Row{0x9e, "shared subscriptions not supported"},
      Row{0x9f, "connection rate exceeded"},
      Row{0xa0, "maximum connect time"},
      Row{0xa1, "subscription identifiers not supported"},
      Row{0xa2, "wildcard subscriptions not supported"},
  };
  const std::string number = "0x" + base::to_hex(std::string(1, static_cast<char>(code)));
  for (const Row& row : kRows) {
    if (row.code == code) return std::string(row.text) + " (" + number + ")";
  }
  return "reason " + number;
}

bool is_text(std::string_view text) { return text.find('\0') == std::string_view::npos && base::is_utf8(text); }

// Each message's topic comes here.
bool is_topic_name(std::string_view topic) {
  if (topic.empty() || topic.size() > 0xffff) return false;
  const auto forbidden = [&](std::size_t at) {
    const auto word = base::load_le<std::uint64_t>(topic.data() + at);
    return has_byte(word, '+') || has_byte(word, '#') || has_byte(word, '\0');
  };
  if (topic.size() < 8) {
    if (topic.find_first_of(std::string_view("+#\0", 3)) != std::string_view::npos) return false;
  } else {
    for (std::size_t at = 0; at + 8 < topic.size(); at += 8) {
      if (forbidden(at)) return false;
    }
    if (forbidden(topic.size() - 8)) return false;
  }
  return base::is_utf8(topic);
}

bool is_topic_filter(std::string_view filter) {
  if (filter.empty() || filter.size() > 0xffff || !is_text(filter)) return false;
  constexpr std::string_view kShare = "$share/";
  if (filter.substr(0, kShare.size()) == kShare) {
    const std::string_view rest = filter.substr(kShare.size());
    const std::size_t slash = rest.find('/');
    if (slash == 0 || slash == std::string_view::npos || slash + 1 == rest.size()) return false;
    if (rest.substr(0, slash).find_first_of("+#") != std::string_view::npos) return false;
    filter = rest.substr(slash + 1);
  }
  for (std::size_t i = 0; i < filter.size(); ++i) {
    if (filter[i] != '+' && filter[i] != '#') continue;
    const bool begins = i == 0 || filter[i - 1] == '/';
    const bool ends = i + 1 == filter.size() || (filter[i] == '+' && filter[i + 1] == '/');
    if (!begins || !ends) return false;
  }
  return true;
}

}  // namespace railhead::mqtt
