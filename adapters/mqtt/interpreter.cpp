#include "adapters/mqtt/interpreter.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "adapters/mqtt/content_hash.h"
#include "adapters/mqtt/properties.h"
#include "gateway/base/bytes.h"
#include "gateway/base/text.h"

namespace railhead::mqtt {

Interpreter::Interpreter(std::string source, Retained retained, std::vector<Row> rows)
    : source_(std::move(source)), retained_(retained), rows_(std::move(rows)), granted_(rows_.size()) {
  for (const Row& row : rows_) {
    std::vector<Value>& names = capture_names_.emplace_back();
    for (const std::string& name : row.pattern.names()) names.push_back(Value::text(name));
  }
}

void Interpreter::set_session(std::uint64_t session) {
  session_ = session;
  std::fill(granted_.begin(), granted_.end(), std::uint8_t{0});
  trusted_ = false;
}

std::optional<FieldToken> Interpreter::token_of(const Publish& publish) const {
  if (publish.qos == 0) return std::nullopt;
  FieldToken token;
  token.session = session_;
  token.packet_id = publish.packet_id;
  token.content_hash = content_hash(publish.topic, publish.payload);
  token.qos = publish.qos;
  token.dup = publish.dup;
  return token;
}

Result<Interpreter::Outcome> Interpreter::read(const Publish& publish, std::optional<std::size_t> subscription,
                                               Time arrived, bool clock_trusted, Reading& out) {
  out.source = source_;
  out.device.clear();
  out.time = arrived;
  out.clock_trusted = clock_trusted;
  out.maybe_repeat = false;
  out.quality = Quality::good;
  out.value = Value();
  out.bad = Value();
  out.attributes = Value();
  out.token = token_of(publish);
  std::size_t index = 0;
  while (index < rows_.size() && !rows_[index].pattern.match(publish.topic, captures_)) ++index;
  if (index == rows_.size()) return Outcome::unmatched;
  if (trusted_ && subscription && *subscription > index && granted_[index] != 0) return Outcome::further_copy;
  if (publish.retain && retained_ == Retained::ignore) return Outcome::retained_ignored;

  const Row& row = rows_[index];
  out.device = row.device.empty() ? publish.topic : std::string_view(row.device);
  Value::Entries attributes;
  attributes.reserve(captures_.size() + 2);
  attributes.emplace_back(names_.topic, Value::text(publish.topic));
  for (std::size_t i = 0; i < captures_.size(); ++i) {
    if (row.pattern.names()[i] == "device") out.device = captures_[i];
    attributes.emplace_back(capture_names_[index][i], Value::text(captures_[i]));
  }
  attributes.emplace_back(names_.retained, Value::boolean(publish.retain));
  if (!publish.properties.empty()) {
    Value::Entries user;
    PropertyReader reader(publish.properties);
    for (Property property; reader.next(property);) {
      switch (property.id) {
        case PropertyId::content_type:
          attributes.emplace_back(Value::text("content_type"), Value::text(property.text));
          break;
        case PropertyId::response_topic:
          attributes.emplace_back(Value::text("response_topic"), Value::text(property.text));
          break;
        case PropertyId::correlation_data:
          attributes.emplace_back(Value::text("correlation_data"), Value::bytes(property.text));
          break;
        case PropertyId::message_expiry:
          attributes.emplace_back(Value::text("expiry"), Value::duration(std::chrono::seconds{property.number}));
          break;
        case PropertyId::user_property:
          user.emplace_back(Value::text(property.text), Value::text(property.value));
          break;
        default: break;
      }
    }
    if (!user.empty()) attributes.emplace_back(Value::text("user_properties"), Value::map(std::move(user)));
  }
  out.attributes = Value::map(std::move(attributes));

  Result<Value> value = value_of(row.payload, publish.payload);
  if (!value) return fail(std::move(value.error()));
  out.value = std::move(*value);
  return Outcome::reading;
}

Result<Value> Interpreter::value_of(PayloadFormat format, std::string_view payload) {
  switch (format) {
    case PayloadFormat::json: {
      if (payload.empty()) return fail(Errc::invalid, "the payload is empty, JSON is due");
      Result<Value> value = parser_.parse(payload);
      if (!value) return fail(value.error().in("not JSON"));
      return value;
    }
    case PayloadFormat::number: {
      const std::string_view text = base::trim(payload);
      if (const auto integer = base::parse_int(text)) return Value::integer(*integer);
      if (const auto real = base::parse_double(text); real && std::isfinite(*real)) return Value::real(*real);
      return fail(Errc::invalid, "not a number");
    }
    case PayloadFormat::text:
      if (!base::is_utf8(payload)) return fail(Errc::invalid, "not UTF-8 text");
      return Value::text(payload);
    case PayloadFormat::raw: return Value::bytes(payload);
  }
  return fail(Errc::invalid, "unknown payload format");
}

}  // namespace railhead::mqtt
