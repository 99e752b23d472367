#include "rules/routing/expectation.h"

#include <algorithm>
#include <cmath>

#include "gateway/base/text.h"
#include "gateway/message/envelope.h"
#include "gateway/message/json.h"
#include "rules/routing/compiled.h"
#include "rules/routing/node_value.h"

namespace railhead::routing {
namespace {

constexpr double kTolerance = 1e-9;

bool near(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  return std::fabs(a - b) <= kTolerance * std::max(std::fabs(a), std::fabs(b));
}

bool same(const Value& expected, const Value& got) {
  if (expected == got) return true;
  return expected.is_number() && got.is_number() && (expected.is(Kind::real) || got.is(Kind::real)) &&
         near(expected.to_real(), got.to_real());
}

std::string member_path(const std::string& path, const Value& key) {
  const std::string name = key.is(Kind::string) ? std::string(key.as_text()) : to_json(key);
  return path.empty() ? name : path + "." + name;
}

const std::vector<std::string>& record_fields() {
  static const std::vector<std::string> names{"to",       "topic",         "routing_key", "key",
                                              "priority", "ttl",           "type",        "content_type",
                                              "quality",  "amqp_priority", "headers",     "body"};
  return names;
}

}  // namespace

void compare(const Value& expected, const Value& got, const std::string& path, std::vector<Difference>& differences) {
  if (expected.is(Kind::map) && got.is(Kind::map)) {
    for (const auto& [key, value] : expected.as_map()) {
      const Value* member = got.find(key);
      if (member != nullptr) {
        compare(value, *member, member_path(path, key), differences);
      } else {
        differences.push_back({member_path(path, key), to_json(value), "nothing"});
      }
    }
    return;
  }
  if (expected.is(Kind::list) && got.is(Kind::list) && expected.as_list().size() == got.as_list().size()) {
    for (std::size_t i = 0; i < expected.as_list().size(); ++i) {
      compare(expected.as_list()[i], got.as_list()[i], path + "[" + std::to_string(i) + "]", differences);
    }
    return;
  }
  if (!same(expected, got)) differences.push_back({path, to_json(expected), to_json(got)});
}

Value record_value(const Record& record) {
  Value::Entries entries;
  const auto add = [&](std::string_view name, Value value) {
    entries.emplace_back(Value::text(name), std::move(value));
  };
  const auto add_text = [&](std::string_view name, std::string_view text) {
    if (!text.empty()) add(name, Value::text(text));
  };
  add("to", Value::text(record.sink));
  add_text("topic", record.topic);
  add_text("routing_key", record.routing_key);
  add("key", record.key ? Value::text(*record.key) : Value{});
  add("priority", Value::text(name_of(record.priority)));
  if (record.ttl.count() > 0) add("ttl", Value::text(base::format_duration(record.ttl)));
  add("type", Value::text(record.type));
  add("content_type", Value::text(record.content_type));
  add("quality", Value::text(record.quality.empty() ? "good" : record.quality));
  Value::Entries headers;
  for (const Header& header : record.headers) {
    if (header.name == kAmqpPriorityHeader) {
      add("amqp_priority", Value::integer(base::parse_int(header.value).value_or(0)));
    } else {
      headers.emplace_back(Value::text(header.name), Value::text(header.value));
    }
  }
  if (!headers.empty()) add("headers", Value::map(std::move(headers)));
  Value body = Value::text(record.body);
  const std::string_view type = record.content_type;
  if (is_json_type(type) || type == "application/cbor" || type == "application/msgpack") {
    JsonParser parser;
    if (const Result<Value> parsed = parser.parse(record.body)) body = *parsed;
  }
  add("body", std::move(body));
  return Value::map(std::move(entries));
}

Value expected_record(const config::Node& node, config::Diagnostics& diagnostics) {
  if (!node.is_map()) {
    if (!node.is_broken())
      diagnostics.error(node, "a record that is expected is a map, like { to: plant-kafka, body: {} }");
    return Value::map({});
  }
  Value::Entries entries;
  for (const config::Member& member : node.members()) {
    const std::string_view name = member.name();
    const auto& known = record_fields();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const auto near_name = base::nearest(name, known);
      diagnostics.error(member.key, "a record has no field '" + std::string(name) + "'",
                        near_name ? "did you mean '" + *near_name + "'?" : std::string{});
      continue;
    }
    Value value = value_of(member.value);
    if (name == "ttl") {
      // "60 min" is "1 h".
      if (const auto duration = base::parse_duration(member.value.text()))
        value = Value::text(base::format_duration(*duration));
    } else if (name == "headers" && value.is(Kind::map)) {
      // Headers are texts, however they are written.
      Value::Entries headers;
      for (const config::Member& header : member.value.members()) {
        headers.emplace_back(Value::text(header.name()), Value::text(header.value.text()));
      }
      value = Value::map(std::move(headers));
    } else if (name != "body" && name != "amqp_priority" && member.value.is_scalar() && !member.value.is_null()) {
      value = Value::text(member.value.text());
    }
    entries.emplace_back(Value::text(name), std::move(value));
  }
  return Value::map(std::move(entries));
}

}  // namespace railhead::routing
