#include "adapters/mqtt/interpreter.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "adapters/mqtt/content_hash.h"
#include "adapters/mqtt/properties.h"
#include "adapters/mqtt/unwrap.h"
#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/message/container_builder.h"

namespace railhead::mqtt {

Interpreter::Interpreter(std::string source, Retained retained, std::vector<Row> rows, std::size_t unpacked_bytes_max)
    : source_(std::move(source)),
      retained_(retained),
      rows_(std::move(rows)),
      grants_(rows_.size()),
      unpacked_bytes_max_(unpacked_bytes_max) {
  for (const Row& row : rows_) {
    std::vector<Value>& names = capture_names_.emplace_back();
    for (const std::string& name : row.pattern.names()) names.push_back(Value::text(name));
    time_.push_back(row.time ? row.time->open() : nullptr);
    split_.push_back(row.split ? row.split->open() : nullptr);
  }
}

void Interpreter::set_session(std::uint64_t session) {
  session_ = session;
  forget_grants();
  trusted_ = false;
}

void Interpreter::forget_grants() {
  std::fill(grants_.begin(), grants_.end(), Grant{});
  ++grants_state_;
}

void Interpreter::set_granted(std::size_t row, std::optional<std::uint8_t> qos) {
  Grant& grant = grants_[row];
  if (!qos) grant.late = true;
  grant.qos = qos;
  ++grants_state_;
}

bool Interpreter::had_refusals() const {
  return std::any_of(grants_.begin(), grants_.end(), [](const Grant& grant) { return grant.late; });
}

// The row whose copy of this topic's messages is read; rows_.size(): every copy is. At QoS 1 and 2 the broker keeps a
// copy for us until we acknowledge it; not at QoS 0, and of a shared subscription another member may get it.
std::size_t Interpreter::keeper_of(Seen& seen) {
  if (seen.judged == grants_state_) return seen.keeper;
  seen.judged = grants_state_;
  seen.keeper = rows_.size();
  for (std::size_t row = seen.row; row < rows_.size(); ++row) {
    const Grant& grant = grants_[row];
    const TopicPattern& pattern = rows_[row].pattern;
    if (!grant.qos || grant.late || pattern.is_shared() || !pattern.match(seen.topic, captures_)) continue;
    if (seen.keeper == rows_.size()) seen.keeper = row;
    if (*grant.qos == 0) continue;
    seen.keeper = row;
    break;
  }
  return seen.keeper;
}

std::optional<FieldToken> Interpreter::token_of(const Publish& publish) const {
  return token_of(publish, content_hash(publish.topic));
}

std::optional<FieldToken> Interpreter::token_of(const Publish& publish, std::uint64_t topic_hash) const {
  if (publish.qos == 0) return std::nullopt;
  FieldToken token;
  token.session = session_;
  token.packet_id = publish.packet_id;
  token.content_hash = content_hash(publish.payload, topic_hash);
  token.qos = publish.qos;
  token.dup = publish.dup;
  return token;
}

Interpreter::Seen& Interpreter::look_at(std::string_view topic, std::uint64_t topic_hash) {
  if (seen_.empty()) seen_.resize(kSeenLeast);
  const bool kept = topic.size() <= kSeenBytesMax;
  const auto place = [&]() -> Seen& {
    return kept ? seen_[static_cast<std::size_t>(topic_hash % seen_.size())] : unkept_;
  };
  Seen& known = place();
  if (known.topic == topic) return known;
  // Topics displace one another: more are in use than there is room for.
  if (kept && !known.topic.empty() && ++displaced_ == seen_.size() && seen_.size() < kSeenMost) {
    seen_ = std::vector<Seen>(seen_.size() * 4);
    displaced_ = 0;
  }
  Seen& seen = place();
  seen.topic = topic;
  seen.row = 0;
  seen.judged = 0;
  while (seen.row < rows_.size() && !rows_[seen.row].pattern.match(topic, captures_)) ++seen.row;
  if (seen.row == rows_.size()) return seen;
  const Row& row = rows_[seen.row];
  seen.device = row.device.empty() ? topic : std::string_view(row.device);
  Value::MapBuilder attributes(captures_.size() + 2);
  attributes.add(names_.topic, Value::text(topic));
  for (std::size_t i = 0; i < captures_.size(); ++i) {
    if (row.pattern.names()[i] == "device") seen.device = captures_[i];
    attributes.add(capture_names_[seen.row][i], Value::text(captures_[i]));
  }
  attributes.add(names_.retained, Value::boolean(false));
  seen.attributes = attributes.finish();
  return seen;
}

Result<Interpreter::Outcome> Interpreter::read(const Publish& publish, std::optional<std::size_t> subscription,
                                               Time arrived, bool clock_trusted, Reading& out) {
  const std::uint64_t topic_hash = content_hash(publish.topic);
  Seen& seen = look_at(publish.topic, topic_hash);
  if (out.source != source_) out.source = source_;
  out.time = arrived;
  out.clock_trusted = clock_trusted;
  out.maybe_repeat = false;
  out.quality = Quality::good;
  out.value = Value();
  out.bad = Value();
  out.token = token_of(publish, topic_hash);
  const std::size_t index = seen.row;
  last_row_ = index;
  payload_bytes_ = 0;
  if (index == rows_.size()) {
    out.device.clear();
    out.attributes = Value();
    return Outcome::unmatched;
  }
  out.device = seen.device;
  if (trusted_ && subscription) {
    const std::size_t keeper = keeper_of(seen);
    const bool comes = keeper != rows_.size() && (*grants_[keeper].qos > 0 || publish.qos == 0);
    if (comes && *subscription != keeper) return Outcome::further_copy;
  }
  if (publish.retain && retained_ == Retained::ignore) return Outcome::retained_ignored;

  const Row& row = rows_[index];
  out.attributes = publish.retain || !publish.properties.empty() ? attributes_of(publish, seen) : seen.attributes;

  Result<std::string_view> payload = unwrap(row.compression, publish.payload);
  payload_bytes_ = payload ? payload->size() : unpacked_.size();
  if (!payload) return fail(std::move(payload.error()));
  Result<Value> value = value_of(row.payload, *payload);
  constexpr std::size_t kKept = 256 * 1024;
  if (unpacked_.capacity() > kKept) unpacked_ = {};
  if (!value) return fail(std::move(value.error()));
  out.value = std::move(*value);
  if (split_[index] == nullptr) set_time(index, out);
  return Outcome::reading;
}

Value Interpreter::attributes_of(const Publish& publish, const Seen& seen) const {
  constexpr std::size_t kOfProperties = 5;
  const auto usual = seen.attributes.as_map();
  Value::MapBuilder attributes(usual.size() + kOfProperties);
  for (const auto& [name, value] : usual.first(usual.size() - 1)) attributes.add(name, value);
  attributes.add(usual.back().first, Value::boolean(publish.retain));
  if (!publish.properties.empty()) {
    Value::MapBuilder user(2);
    bool has_user = false;
    PropertyReader reader(publish.properties);
    for (Property property; reader.next(property);) {
      switch (property.id) {
        case PropertyId::content_type: attributes.add(Value::text("content_type"), Value::text(property.text)); break;
        case PropertyId::response_topic:
          attributes.add(Value::text("response_topic"), Value::text(property.text));
          break;
        case PropertyId::correlation_data:
          attributes.add(Value::text("correlation_data"), Value::bytes(property.text));
          break;
        case PropertyId::message_expiry:
          attributes.add(Value::text("expiry"), Value::duration(std::chrono::seconds{property.number}));
          break;
        case PropertyId::user_property:
          has_user = true;
          user.add(Value::text(property.text), Value::text(property.value));
          break;
        default: break;
      }
    }
    if (has_user) attributes.add(Value::text("user_properties"), user.finish());
  }
  return attributes.finish();
}

Result<std::string_view> Interpreter::unwrap(Compression compression, std::string_view payload) {
  if (compression == Compression::none) return payload;
  unpacked_.clear();
  const Result<void> done = compression == Compression::gzip ? gunzip(payload, unpacked_bytes_max_, unpacked_)
                                                             : unzstd(payload, unpacked_bytes_max_, unpacked_);
  if (!done) return fail(done.error());
  return std::string_view(unpacked_);
}

void Interpreter::set_time(std::size_t row, Reading& reading) {
  if (time_[row] == nullptr) return;
  const Value time = time_[row]->evaluate(reading);
  // One that a Time cannot be is no time: senders write the year 1 where they have none.
  if (time.kind() != Kind::timestamp || Value::timestamp(time.as_timestamp()) != time) {
    ++missing_times_;
    return;
  }
  reading.time = time.as_timestamp();
  reading.clock_trusted = true;  // it is the sender's clock
}

Result<void> Interpreter::split(const Reading& whole, std::vector<Reading>& out) {
  const Value parts = split_[last_row_]->evaluate(whole);
  if (parts.kind() == Kind::error) return fail(Errc::invalid, "split: " + std::string(parts.as_text()));
  if (parts.kind() != Kind::list) {
    return fail(Errc::invalid, "split: it gives no list");
  }
  const std::size_t count = parts.as_list().size();
  if (count > kSplitMax) return fail(Errc::invalid, "split: " + std::to_string(count) + " elements are too many");
  for (std::size_t i = 0; i < count; ++i) {
    Reading& part = out.emplace_back(whole);
    part.value = parts.as_list()[i];
    if (part.token) part.token->leads = i + 1 < count;
    set_time(last_row_, part);
  }
  return {};
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
