#include "gateway/message/reading.h"

#include "gateway/message/json.h"

namespace railhead {

std::string_view name_of(Quality quality) noexcept {
  switch (quality) {
    case Quality::good: return "good";
    case Quality::uncertain: return "uncertain";
    case Quality::bad: return "bad";
  }
  return "bad";
}

Value canonical_value(const Reading& reading, std::string_view gateway) {
  Value::Entries entries;
  const auto add = [&](std::string_view key, Value value) { entries.emplace_back(Value::text(key), std::move(value)); };
  add("gateway", Value::text(gateway));
  add("source", Value::text(reading.source));
  add("device", Value::text(reading.device));
  add("time", Value::timestamp(reading.time));
  add("quality", Value::text(name_of(reading.quality)));
  add("value", reading.value);
  if (!reading.bad.is(Kind::null)) add("bad", reading.bad);
  if (!reading.attributes.is(Kind::null)) add("attributes", reading.attributes);
  return Value::map(std::move(entries));
}

std::string canonical_json(const Reading& reading, std::string_view gateway) {
  return to_json(canonical_value(reading, gateway));
}

bool reading_from_value(const Value& document, Reading& out, std::string& why) {
  const auto text_field = [&](std::string_view name, std::string& to) {
    const Value* field = document.find(name);
    if (field == nullptr) return false;
    if (!field->is(Kind::string)) {
      why = "'" + std::string(name) + "' must be a text";
      return false;
    }
    to = field->as_text();
    return true;
  };
  if (!document.is(Kind::map)) {
    why = "a reading is an object with source, device, time, quality, value";
    return false;
  }
  if (!text_field("source", out.source)) {
    if (why.empty()) why = "'source' is missing";
    return false;
  }
  if (!text_field("device", out.device) && !why.empty()) return false;
  if (const Value* time = document.find("time")) {
    std::optional<Time> parsed;
    if (time->is(Kind::timestamp)) parsed = time->as_timestamp();
    if (time->is(Kind::string)) parsed = parse_rfc3339(time->as_text());
    if (!parsed) {
      why = "'time' must be RFC 3339, like 2026-01-01T00:00:00Z";
      return false;
    }
    out.time = *parsed;
  }
  std::string quality;
  if (text_field("quality", quality)) {
    if (quality == "good") {
      out.quality = Quality::good;
    } else if (quality == "uncertain") {
      out.quality = Quality::uncertain;
    } else if (quality == "bad") {
      out.quality = Quality::bad;
    } else {
      why = "'quality' must be good, uncertain or bad";
      return false;
    }
  } else if (!why.empty()) {
    return false;
  }
  if (const Value* value = document.find("value")) out.value = *value;
  if (const Value* bad = document.find("bad")) out.bad = *bad;
  if (const Value* attributes = document.find("attributes")) out.attributes = *attributes;
  return true;
}

}  // namespace railhead
