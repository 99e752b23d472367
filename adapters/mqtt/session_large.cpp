// Session: a PUBLISH above the limit.
#include <algorithm>
#include <utility>

#include "adapters/mqtt/properties.h"
#include "adapters/mqtt/session.h"
#include "adapters/mqtt/wire.h"
#include "gateway/base/assert.h"

namespace railhead::mqtt {
namespace {

// Topic, packet identifier, the properties' length.
constexpr std::size_t kHeadBytesMost = 2 + 0xffff + 2 + 4;

// Whether topic and properties end within `beginning`.
bool holds_properties(Version version, std::uint8_t flags, std::string_view beginning) {
  WireReader reader(beginning);
  static_cast<void>(reader.text());
  if ((flags & 6) != 0) static_cast<void>(reader.u16());
  if (version == Version::v5) static_cast<void>(reader.raw(reader.variable()));
  return reader.ok();
}

}  // namespace

// Takes the beginning of a PUBLISH that is too large and remembers to skip the rest. 0: feed more, or the next batch
// must take it.
Result<std::size_t> Session::take_oversized(const FixedHeader& header, std::string_view bytes) {
  if (header.type != PacketType::publish) {
    return violated(reason::kPacketTooLarge,
                    std::string(name_of(header.type)) + " of " + std::to_string(header.remaining_length) + " bytes");
  }
  const std::uint32_t kept = std::min({kOversizedKept, header.remaining_length, options_.packet_bytes_max});
  if (bytes.size() < header.header_bytes + kept) return std::size_t{0};
  const std::string_view body = bytes.substr(header.header_bytes, kept);
  if (!holds_properties(version_, header.flags, body)) {
    // Why not beside others: there is one place for its topic.
    if (!inbox_.empty()) return std::size_t{0};
    large_ = Large{};
    large_->header = header;
    large_->left = header.remaining_length;
    return std::size_t{header.header_bytes};
  }
  Result<Publish> publish = decode_publish(version_, header.flags, body);
  if (!publish) return violated(reason::kMalformed, std::move(publish.error().what));
  Result<bool> fits = take_publish(*publish);
  if (!fits) return fail(std::move(fits.error()));
  if (!*fits) return std::size_t{0};
  inbox_.back().kind = Inbound::Kind::oversized;
  inbox_.back().whole_bytes = header.remaining_length;
  skip_ = header.remaining_length - kept;
  return header.header_bytes + kept;
}

// Goes on with one whose topic and properties are too large to be kept together: the topic is copied, the properties
// are passed over, the payload's beginning is delivered.
Result<std::size_t> Session::take_large(std::string_view bytes) {
  Large& large = *large_;
  std::size_t taken = 0;
  if (!large.skimmer) {
    const Result<std::size_t> head = take_large_head(bytes.substr(0, large.left));
    if (!head || *head == 0) return head;
    taken = *head;
  }
  const Result<std::size_t> skimmed = large.skimmer->take(bytes.substr(taken));
  if (!skimmed) return violated(reason::kMalformed, skimmed.error().in("PUBLISH").what);
  taken += *skimmed;
  large.left -= static_cast<std::uint32_t>(*skimmed);
  if (!large.skimmer->done()) return taken;
  const std::uint32_t kept = std::min({kOversizedKept, large.left, options_.packet_bytes_max});
  if (bytes.size() < taken + kept) return taken;

  PropertyWriter alias;
  if (const auto number = large.skimmer->topic_alias()) alias.number(PropertyId::topic_alias, *number);
  large_topic_ = std::move(large.topic);
  Publish publish = large.publish;
  publish.topic = large_topic_;
  publish.properties = alias.bytes();
  publish.payload = bytes.substr(taken, kept);
  if (publish.topic.empty() && publish.properties.empty()) return violated(reason::kMalformed, "PUBLISH: no topic");
  const Result<bool> fits = take_publish(publish);
  if (!fits) return fail(fits.error());
  RAILHEAD_ASSERT(*fits);  // nothing else is in the inbox
  inbox_.back().publish.properties = {};
  inbox_.back().kind = Inbound::Kind::oversized;
  inbox_.back().whole_bytes = large.header.remaining_length;
  skip_ = large.left - kept;
  large_.reset();
  return taken + kept;
}

// `bytes`: no more than the packet has.
Result<std::size_t> Session::take_large_head(std::string_view bytes) {
  Large& large = *large_;
  WireReader reader(bytes);
  const std::string_view topic = reader.text();
  Publish& publish = large.publish;
  publish.dup = (large.header.flags & 8) != 0;
  publish.qos = (large.header.flags >> 1) & 3;
  publish.retain = (large.header.flags & 1) != 0;
  if (publish.qos > 0) publish.packet_id = reader.u16();
  const std::uint32_t length = version_ == Version::v5 ? reader.variable() : 0;
  if (!reader.ok()) {
    if (bytes.size() < std::min<std::size_t>(large.left, kHeadBytesMost)) return std::size_t{0};
    return violated(reason::kMalformed, "PUBLISH: wrong length");
  }
  const std::size_t taken = bytes.size() - reader.rest().size();
  if (length > large.left - taken) return violated(reason::kMalformed, "PUBLISH: the property list is cut short");
  if (publish.qos > 0 && publish.packet_id == 0) {
    return violated(reason::kMalformed, "PUBLISH: packet identifier 0");
  }
  if (!topic.empty() && !is_topic_name(topic)) return violated(reason::kMalformed, "PUBLISH: bad topic name");
  large.topic = topic;
  large.skimmer.emplace(length);
  large.left -= static_cast<std::uint32_t>(taken);
  return taken;
}

}  // namespace railhead::mqtt
