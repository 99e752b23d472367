// Fuzz target: the client's session under packets in any order, lost connections and an owner that acknowledges when it
// likes. Whatever comes: what leaves is whole packets; an acknowledgement leaves only after its ticket was released, in
// the order of arrival, once; nothing is delivered before CONNACK; the inbox never holds a QoS 2 identifier twice.
// Rooms: adapters/mqtt
#include <algorithm>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "adapters/mqtt/packet.h"
#include "adapters/mqtt/properties.h"
#include "adapters/mqtt/session.h"
#include "gateway/base/assert.h"

namespace {

using namespace railhead::mqtt;
using railhead::BootTime;
using railhead::Result;
using railhead::Sequence;
namespace ports = railhead::ports;

struct Listens final : Session::Listener {
  bool connected = false;
  std::uint64_t acknowledged = 0;
  void on_connected(bool) override { connected = true; }
  void on_subscribed(std::size_t index, std::uint8_t) override { RAILHEAD_ASSERT(index < 2); }
  void on_acknowledged(std::span<const std::uint16_t> ids) override { acknowledged += ids.size(); }
  void on_all_answered(const std::vector<std::string>&) override {}
  void on_quota_exceeded() override {}
};

class Play {
 public:
  Play(Version version, bool identified) : version_(version), session_(options(identified), listens_) { open(); }

  void step(std::uint8_t what, std::uint8_t a, std::uint8_t b) {
    const auto id = static_cast<std::uint16_t>(a % 5 + 1);
    switch (what % 15) {
      case 0: return send(Connack{(a & 1) != 0, static_cast<std::uint8_t>(b % 16 == 0 ? 0x89 : 0), {}});
      case 1: return publish(static_cast<std::uint8_t>(b % 3), id, (b & 4) != 0, b >> 4);
      case 2: return send(Ack{PacketType::pubrel, id, 0, {}});
      case 3: return send(Ack{static_cast<PacketType>(4 + b % 4), id, 0, {}});
      case 4: return send(Suback{id, {}, std::string_view("\x01\x80\x02", b % 4)});
      case 5: return feed(std::string_view("\xd0\x00", 2));
      case 6: return send(Disconnect{version_ == Version::v5 ? b : std::uint8_t{0}, {}});
      case 7: return acknowledge_all();
      case 8: released_ += a % 4; return session_.release(ticket(released_));
      case 9: return leave(a % 16 + 1);
      case 10: {
        now_ += std::chrono::seconds{a};
        if (!session_.tick(now_, (b & 1) != 0)) close();
        return;
      }
      case 11: return close();
      case 13: return send(Unsuback{id, {}, std::string_view("\x00\x80\x11", version_ == Version::v5 ? b % 4 : 0)});
      case 12: return open();
      default: raw_ += static_cast<char>(a); return feed({});
    }
  }

 private:
  static Session::Options options(bool identified) {
    Session::Options made;
    made.client_id = "fuzz";
    made.receive_maximum = 20;
    made.packet_bytes_max = 64;
    made.topic_alias_maximum = 2;
    made.subscription_identifiers = identified;
    made.subscriptions = {{"a/#", 1}, {"a/b", 2}};
    return made;
  }
  static ports::Ticket ticket(std::uint64_t sequence) {
    ports::Ticket made;
    made.through[0] = Sequence(sequence);
    return made;
  }

  void open() {
    if (session_.is_open() || !session_.inbox().empty()) return;
    listens_.connected = false;
    raw_.clear();
    due_.clear();
    sent_.clear();
    session_.set_unwanted({"old/#"});
    session_.open(version_, now_);
  }
  void close() {
    session_.close();
    due_.clear();
    sent_.clear();
    acknowledge_all();
  }

  template <class P>
  void send(const P& packet) {
    std::string bytes;
    encode(version_, packet, bytes);
    feed(bytes);
  }
  void publish(std::uint8_t qos, std::uint16_t id, bool dup, unsigned alias) {
    PropertyWriter properties;
    if (version_ == Version::v5 && alias % 4 != 0) properties.number(PropertyId::topic_alias, alias % 4);
    Publish packet;
    packet.qos = qos;
    packet.packet_id = qos == 0 ? std::uint16_t{0} : id;
    packet.dup = dup && qos > 0;
    packet.topic = version_ == Version::v5 && alias % 4 != 0 && alias > 8 ? "" : alias % 2 == 0 ? "a/b" : "a/c";
    packet.properties = properties.bytes();
    packet.payload =
        alias > 12 ? std::string_view("a payload that is longer than the largest packet that is allowed here") : "x";
    send(packet);
  }

  void feed(std::string_view bytes) {
    if (!session_.is_open() || !session_.inbox().empty()) return;
    raw_ += bytes;
    held_ = raw_;
    const Result<std::size_t> taken = session_.receive(held_, now_);
    RAILHEAD_ASSERT(session_.inbox().empty() || listens_.connected);
    std::set<std::uint16_t> twos;
    for (const Session::Inbound& inbound : session_.inbox()) {
      if (inbound.kind == Session::Inbound::Kind::release) continue;
      RAILHEAD_ASSERT(!inbound.publish.topic.empty());
      if (inbound.publish.qos == 2) RAILHEAD_ASSERT(twos.insert(inbound.packet_id).second);
    }
    if (!taken) return close();
    raw_.erase(0, *taken);
  }

  // The owner offers the batch, and acknowledges in order.
  void acknowledge_all() {
    for (const Session::Inbound& inbound : session_.inbox()) {
      const bool release = inbound.kind == Session::Inbound::Kind::release;
      if (!release && inbound.publish.qos == 0) continue;
      const PacketType type = release                    ? PacketType::pubcomp
                              : inbound.publish.qos == 1 ? PacketType::puback
                                                         : PacketType::pubrec;
      ++sequence_;
      session_.acknowledge(type, inbound.packet_id, ticket(sequence_));
      if (session_.is_connected()) due_.push_back({type, inbound.packet_id, sequence_});
    }
    session_.clear_inbox();
  }

  // The transport takes some bytes; whole packets among them are judged.
  void leave(std::size_t most) {
    const std::string_view output = session_.output();
    const std::size_t count = std::min(most, output.size());
    sent_.append(output.substr(0, count));
    session_.sent(count, now_);
    for (;;) {
      const auto header = decode_header(sent_);
      RAILHEAD_ASSERT(header);
      if (!*header) return;
      const std::size_t whole = (*header)->header_bytes + (*header)->remaining_length;
      if (sent_.size() < whole) return;
      const Result<Packet> packet = decode(
          version_, **header, std::string_view(sent_).substr((*header)->header_bytes, (*header)->remaining_length));
      RAILHEAD_ASSERT(packet);
      if (const auto* ack = std::get_if<Ack>(&*packet)) {
        RAILHEAD_ASSERT(!due_.empty());
        RAILHEAD_ASSERT(due_.front().type == ack->type && due_.front().id == ack->packet_id);
        RAILHEAD_ASSERT(due_.front().sequence <= released_);
        due_.pop_front();
      }
      sent_.erase(0, whole);
    }
  }

  struct Due {
    PacketType type;
    std::uint16_t id;
    std::uint64_t sequence;
  };
  const Version version_;
  Listens listens_;
  Session session_;
  BootTime now_{std::chrono::seconds{1000}};
  std::string raw_;   // received, not taken
  std::string held_;  // what the inbox looks at
  std::string sent_;  // a packet's beginning
  std::deque<Due> due_;
  std::uint64_t sequence_ = 0;
  std::uint64_t released_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Play play((data[0] & 1) != 0 ? Version::v5 : Version::v3_1_1, (data[0] & 2) != 0);
  for (std::size_t i = 1; i + 2 < size; i += 3) play.step(data[i], data[i + 1], data[i + 2]);
  return 0;
}
