// Fuzz target: the MQTT packet parser of both versions, and a session fed with the same bytes. Every packet that
// decodes is encoded and decoded again: both must agree.
// Rooms: adapters/mqtt
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/properties.h"
#include "adapters/mqtt/session.h"
#include "adapters/mqtt/topic_pattern.h"
#include "gateway/base/assert.h"

namespace {

using namespace railhead::mqtt;
using railhead::BootTime;
using railhead::Duration;
using railhead::Result;

std::string encode_any(Version version, const Packet& packet) {
  std::string out;
  std::visit(
      [&](const auto& one) {
        using T = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<T, Connect> || std::is_same_v<T, Pingreq> || std::is_same_v<T, Pingresp> ||
                      std::is_same_v<T, Auth>) {
          encode(one, out);
        } else {
          encode(version, one, out);
        }
      },
      packet);
  return out;
}

void parse(Version version, std::string_view bytes) {
  while (!bytes.empty()) {
    const Result<std::optional<FixedHeader>> header = decode_header(bytes);
    if (!header || !*header) return;
    const std::size_t whole = std::size_t{(*header)->header_bytes} + (*header)->remaining_length;
    if (bytes.size() < whole) return;
    const Result<Packet> packet =
        decode(version, **header, bytes.substr((*header)->header_bytes, (*header)->remaining_length));
    if (packet) {
      const std::string again = encode_any(version, *packet);
      const Result<std::optional<FixedHeader>> second = decode_header(again);
      RAILHEAD_ASSERT(second && *second);
      const Result<Packet> twice = decode(
          version, **second, std::string_view(again).substr((*second)->header_bytes, (*second)->remaining_length));
      RAILHEAD_ASSERT(twice);
      RAILHEAD_ASSERT(encode_any(version, *twice) == again);
    }
    bytes.remove_prefix(whole);
  }
}

struct Deaf final : Session::Listener {
  void on_connected(bool) override {}
  void on_subscribed(std::size_t, std::uint8_t) override {}
  void on_acknowledged(std::span<const std::uint16_t>) override {}
  void on_all_answered(const std::vector<std::string>&) override {}
  void on_quota_exceeded() override {}
};

// The bytes as a broker's, in pieces, after a CONNACK that is right.
void run_session(Version version, std::string_view bytes) {
  Deaf deaf;
  Session::Options options;
  options.client_id = "fuzz";
  options.packet_bytes_max = 256;
  options.receive_maximum = 8;
  options.subscriptions = {{"a/#", 1}};
  Session session(options, deaf);
  BootTime now{};
  session.open(version, now);
  std::string buffer;
  encode(version, Connack{false, 0, {}}, buffer);
  std::uint64_t sequence = 0;
  for (;;) {
    const Result<std::size_t> taken = session.receive(buffer, now);
    if (!taken) return;
    for (const Session::Inbound& inbound : session.inbox()) {
      railhead::ports::Ticket ticket;
      ticket.through[0] = railhead::Sequence(++sequence);
      const PacketType answer = inbound.kind == Session::Inbound::Kind::release ? PacketType::pubcomp
                                : inbound.publish.qos == 2                      ? PacketType::pubrec
                                                                                : PacketType::puback;
      if (inbound.kind == Session::Inbound::Kind::release || inbound.publish.qos > 0) {
        session.acknowledge(answer, inbound.packet_id, ticket);
      }
    }
    const bool idle = session.inbox().empty();
    session.clear_inbox();
    buffer.erase(0, *taken);
    railhead::ports::Ticket durable;
    durable.through[0] = railhead::Sequence(sequence);
    session.release(durable);
    session.sent(session.output().size() / 2, now);
    now += Duration{std::chrono::seconds{1}};
    if (!session.tick(now, true)) return;
    if (idle) {
      if (bytes.empty()) return;
      const std::size_t piece = std::min<std::size_t>(bytes.size(), 1 + static_cast<unsigned char>(bytes[0]));
      buffer += bytes.substr(0, piece);
      bytes.remove_prefix(piece);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const Version version : {Version::v3_1_1, Version::v5}) {
    parse(version, bytes);
    run_session(version, bytes);
  }
  for (int place = 1; place <= 16; ++place) {
    if (!check_properties(static_cast<PropertyPlace>(place), bytes)) continue;
    PropertyReader reader(bytes);
    for (Property property; reader.next(property);) {
    }
  }
  if (const auto pattern = TopicPattern::parse(bytes)) {
    std::vector<std::string_view> captures;
    static_cast<void>(pattern->match(bytes, captures));
  }
  return 0;
}
