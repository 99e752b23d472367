// RuleStateOf's bodies in binary formats, and what schemas demand of bodies.
#include "gateway/message/binary_formats.h"
#include "gateway/message/json.h"
#include "rules/routing/rule_state.h"

namespace railhead::routing {

bool RuleStateOf::body_value(const Body& body, Value& out, std::string& why) {
  if (body.shape == Body::Shape::expression) {
    out = evaluator_.evaluate(*body.expression, *this);
    if (!out.is(Kind::error)) return true;
    why = body.path + ": " + std::string(out.as_text());
    return false;
  }
  Value::List members(body.members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!body_value(body.members[i], members[i], why)) return false;
  }
  if (body.shape == Body::Shape::list) {
    out = Value::list(std::move(members));
    return true;
  }
  Value::Entries entries;
  entries.reserve(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) entries.emplace_back(body.names[i], std::move(members[i]));
  out = Value::map(std::move(entries));
  return true;
}

bool RuleStateOf::write_binary(const Send& send, std::string& out, std::string& why) {
  Value value;
  if (send.body) {
    if (!body_value(*send.body, value, why)) return false;
  } else {
    Result<Value> document = parser_.parse(canonical_json(*reading_, compiled_->gateway));
    if (!document) {
      why = document.error().what;
      return false;
    }
    value = std::move(*document);
  }
  if (send.format == BodyFormat::cbor) {
    write_cbor(value, out);
  } else {
    write_messagepack(value, out);
  }
  return true;
}

bool RuleStateOf::fits_schema(const Send& send, const Record& record, std::string& why) {
  // As JSON has it, whatever the format: a timestamp is a text.
  Result<Value> body = railhead::fail(Errc::invalid, "the body is no JSON");
  if (send.body && (send.format == BodyFormat::messagepack || send.format == BodyFormat::cbor)) {
    Value value;
    if (!body_value(*send.body, value, why)) return false;
    body = parser_.parse(to_json(value));
  } else if (send.format == BodyFormat::raw || send.format == BodyFormat::json) {
    body = parser_.parse(record.body);
  } else {
    body = parser_.parse(canonical_json(*reading_, compiled_->gateway));
  }
  why = send.schema_name + ": ";
  if (!body) {
    why += body.error().what;
    return false;
  }
  const std::vector<std::string> faults = send.schema->validate(*body);
  for (std::size_t i = 0; i < faults.size(); ++i) why += (i > 0 ? "; " : "") + faults[i];
  return faults.empty();
}

}  // namespace railhead::routing
