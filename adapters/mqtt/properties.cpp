#include "adapters/mqtt/properties.h"

#include <algorithm>
#include <array>

#include "adapters/mqtt/wire.h"
#include "gateway/base/assert.h"
#include "gateway/base/bytes.h"

namespace railhead::mqtt {
namespace {

enum class Shape : std::uint8_t { unknown, byte, two_bytes, four_bytes, variable, text, binary, pair };

struct Rule {
  Shape shape = Shape::unknown;
  std::uint32_t places = 0;  // a bit per PropertyPlace
  std::uint32_t least = 0;
  std::uint32_t most = 0xffffffff;
  bool repeats = false;
};

template <class... Places>
constexpr std::uint32_t in(Places... places) {
  return ((1u << static_cast<unsigned>(places)) | ...);
}

using P = PropertyPlace;
constexpr std::uint32_t kEverywhere =
    in(P::connect, P::connack, P::publish, P::puback, P::pubrec, P::pubrel, P::pubcomp, P::subscribe, P::suback,
       P::unsubscribe, P::unsuback, P::disconnect, P::auth, P::will);
constexpr std::uint32_t kAnswers =
    in(P::connack, P::puback, P::pubrec, P::pubrel, P::pubcomp, P::suback, P::unsuback, P::disconnect, P::auth);

// [5 table 2-4]; bounds from the sections of the packets.
constexpr std::array<Rule, 43> kRules = [] {
  std::array<Rule, 43> rules{};
  const auto rule = [&](PropertyId id) -> Rule& { return rules[static_cast<std::size_t>(id)]; };
  // Other values than 0 and 1 mean nothing, but the standard does not call them an error: brokers pass them on
  // [5 3.3.2.3.2].
  rule(PropertyId::payload_format) = {Shape::byte, in(P::publish, P::will)};
  rule(PropertyId::message_expiry) = {Shape::four_bytes, in(P::publish, P::will)};
  rule(PropertyId::content_type) = {Shape::text, in(P::publish, P::will)};
  rule(PropertyId::response_topic) = {Shape::text, in(P::publish, P::will)};
  rule(PropertyId::correlation_data) = {Shape::binary, in(P::publish, P::will)};
  rule(PropertyId::subscription_identifier) = {Shape::variable, in(P::publish, P::subscribe), 1, kVariableMax, true};
  rule(PropertyId::session_expiry) = {Shape::four_bytes, in(P::connect, P::connack, P::disconnect)};
  rule(PropertyId::assigned_client_identifier) = {Shape::text, in(P::connack)};
  rule(PropertyId::server_keep_alive) = {Shape::two_bytes, in(P::connack)};
  rule(PropertyId::authentication_method) = {Shape::text, in(P::connect, P::connack, P::auth)};
  rule(PropertyId::authentication_data) = {Shape::binary, in(P::connect, P::connack, P::auth)};
  rule(PropertyId::request_problem_information) = {Shape::byte, in(P::connect), 0, 1};
  rule(PropertyId::will_delay) = {Shape::four_bytes, in(P::will)};
  rule(PropertyId::request_response_information) = {Shape::byte, in(P::connect), 0, 1};
  rule(PropertyId::response_information) = {Shape::text, in(P::connack)};
  rule(PropertyId::server_reference) = {Shape::text, in(P::connack, P::disconnect)};
  rule(PropertyId::reason_string) = {Shape::text, kAnswers};
  rule(PropertyId::receive_maximum) = {Shape::two_bytes, in(P::connect, P::connack), 1, 0xffff};
  rule(PropertyId::topic_alias_maximum) = {Shape::two_bytes, in(P::connect, P::connack)};
  rule(PropertyId::topic_alias) = {Shape::two_bytes, in(P::publish), 1, 0xffff};
  rule(PropertyId::maximum_qos) = {Shape::byte, in(P::connack), 0, 1};
  rule(PropertyId::retain_available) = {Shape::byte, in(P::connack), 0, 1};
  rule(PropertyId::user_property) = {Shape::pair, kEverywhere, 0, 0, true};
  rule(PropertyId::maximum_packet_size) = {Shape::four_bytes, in(P::connect, P::connack), 1, 0xffffffff};
  rule(PropertyId::wildcard_subscription_available) = {Shape::byte, in(P::connack), 0, 1};
  rule(PropertyId::subscription_identifier_available) = {Shape::byte, in(P::connack), 0, 1};
  rule(PropertyId::shared_subscription_available) = {Shape::byte, in(P::connack), 0, 1};
  return rules;
}();

const Rule& rule_of(std::uint32_t id) {
  static constexpr Rule kUnknown{};
  return id < kRules.size() ? kRules[id] : kUnknown;
}

// A text that MQTT allows: UTF-8 without U+0000 [MQTT-1.5.4-1, -2].
bool allowed(std::string_view text) { return text.find('\0') == std::string_view::npos && base::is_utf8(text); }

bool read(WireReader& reader, Shape shape, Property& out) {
  switch (shape) {
    case Shape::byte: out.number = reader.u8(); break;
    case Shape::two_bytes: out.number = reader.u16(); break;
    case Shape::four_bytes: out.number = reader.u32(); break;
    case Shape::variable: out.number = reader.variable(); break;
    case Shape::text:
    case Shape::binary: out.text = reader.text(); break;
    case Shape::pair:
      out.text = reader.text();
      out.value = reader.text();
      break;
    case Shape::unknown: return false;
  }
  return reader.ok();
}

}  // namespace

Result<void> check_properties(PropertyPlace place, std::string_view list) {
  WireReader reader(list);
  std::uint64_t seen = 0;
  while (!reader.at_end()) {
    const std::uint32_t id = reader.variable();
    const Rule& rule = rule_of(id);
    const std::string name = "property " + std::to_string(id);
    if (!reader.ok() || rule.shape == Shape::unknown) return fail(Errc::protocol, name + " is not known");
    if ((rule.places & (1u << static_cast<unsigned>(place))) == 0)
      return fail(Errc::protocol, name + " has no place here");
    // Several subscription identifiers only come with a PUBLISH [5 3.8.2.1.2].
    const bool repeats = rule.repeats && !(rule.shape == Shape::variable && place == PropertyPlace::subscribe);
    if (!repeats && (seen & (std::uint64_t{1} << id)) != 0) return fail(Errc::protocol, name + " comes twice");
    seen |= std::uint64_t{1} << id;
    Property property;
    if (!read(reader, rule.shape, property)) return fail(Errc::protocol, name + " is cut short");
    if (rule.shape == Shape::text || rule.shape == Shape::pair) {
      if (!allowed(property.text) || !allowed(property.value)) return fail(Errc::protocol, name + " is not UTF-8");
    } else if (rule.shape != Shape::binary && (property.number < rule.least || property.number > rule.most)) {
      return fail(Errc::protocol, name + " is out of range");
    }
  }
  return {};
}

Result<std::size_t> PropertySkimmer::take(std::string_view bytes) {
  std::size_t taken = 0;
  const auto took = [&](std::size_t count) {
    left_ -= static_cast<std::uint32_t>(count);
    taken += count;
  };
  while (left_ > 0) {
    const std::string_view rest = bytes.substr(taken, left_);
    if (rest.empty()) break;
    if (text_left_ > 0) {
      const std::size_t step = std::min<std::size_t>(text_left_, rest.size());
      text_left_ -= static_cast<std::uint32_t>(step);
      took(step);
      continue;
    }
    WireReader reader(rest);
    const std::uint32_t id = value_is_next_ ? static_cast<std::uint32_t>(PropertyId::user_property) : reader.variable();
    const Rule& rule = rule_of(id);
    const bool text = rule.shape == Shape::text || rule.shape == Shape::binary || rule.shape == Shape::pair;
    Property property;
    if (text) {
      property.number = reader.u16();
    } else if (rule.shape != Shape::unknown) {
      static_cast<void>(read(reader, rule.shape, property));
    }
    const std::string name = "property " + std::to_string(id);
    if (!reader.ok()) {
      if (rest.size() < std::min<std::size_t>(left_, kHeadBytes)) break;
      return fail(Errc::protocol, name + " is cut short");
    }
    if (rule.shape == Shape::unknown) return fail(Errc::protocol, name + " is not known");
    if ((rule.places & in(P::publish)) == 0) return fail(Errc::protocol, name + " has no place here");
    took(rest.size() - reader.rest().size());
    if (text) {
      value_is_next_ = rule.shape == Shape::pair && !value_is_next_;
      text_left_ = property.number;
      if (text_left_ + (value_is_next_ ? 2 : 0) > left_) return fail(Errc::protocol, name + " is cut short");
    } else if (property.number < rule.least || property.number > rule.most) {
      return fail(Errc::protocol, name + " is out of range");
    } else if (static_cast<PropertyId>(id) == PropertyId::topic_alias) {
      topic_alias_ = property.number;
    }
  }
  return taken;
}

bool PropertyReader::next(Property& out) {
  if (rest_.empty()) return false;
  WireReader reader(rest_);
  const std::uint32_t id = reader.variable();
  out = Property{};
  out.id = static_cast<PropertyId>(id);
  RAILHEAD_ASSERT(read(reader, rule_of(id).shape, out));
  rest_ = reader.rest();
  return true;
}

std::optional<std::uint32_t> number_of(std::string_view list, PropertyId id) {
  PropertyReader reader(list);
  for (Property property; reader.next(property);) {
    if (property.id == id) return property.number;
  }
  return std::nullopt;
}

std::string_view text_of(std::string_view list, PropertyId id) {
  PropertyReader reader(list);
  for (Property property; reader.next(property);) {
    if (property.id == id) return property.text;
  }
  return {};
}

PropertyWriter& PropertyWriter::number(PropertyId id, std::uint32_t value) {
  put_u8(bytes_, static_cast<std::uint8_t>(id));
  switch (rule_of(static_cast<std::uint32_t>(id)).shape) {
    case Shape::byte: put_u8(bytes_, static_cast<std::uint8_t>(value)); break;
    case Shape::two_bytes: put_u16(bytes_, static_cast<std::uint16_t>(value)); break;
    case Shape::four_bytes: put_u32(bytes_, value); break;
    case Shape::variable: put_variable(bytes_, value); break;
    default: RAILHEAD_ASSERT(false);
  }
  return *this;
}

PropertyWriter& PropertyWriter::text(PropertyId id, std::string_view value) {
  put_u8(bytes_, static_cast<std::uint8_t>(id));
  put_text(bytes_, value);
  return *this;
}

PropertyWriter& PropertyWriter::user(std::string_view name, std::string_view value) {
  put_u8(bytes_, static_cast<std::uint8_t>(PropertyId::user_property));
  put_text(bytes_, name);
  put_text(bytes_, value);
  return *this;
}

}  // namespace railhead::mqtt
