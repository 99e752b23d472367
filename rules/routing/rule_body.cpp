// RuleStateOf's bodies in binary formats, and what schemas demand of bodies.
#include "gateway/message/binary_formats.h"
#include "gateway/message/json.h"
#include "rules/routing/rule_state.h"

namespace railhead::routing {

bool RuleStateOf::body_value(const Body& body, Value& out, std::string& why) {
  if (body.shape == Body::Shape::expression) {
    out = evaluate(*body.expression);
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
  if (send.body) return write_binary_body(*send.body, send.format, out, why);
  const Result<Value> document = parser_.parse(canonical_json(*reading_, compiled_->gateway));
  if (!document) {
    why = document.error().what;
    return false;
  }
  (send.format == BodyFormat::cbor ? write_cbor : write_messagepack)(*document, out);
  return true;
}

bool RuleStateOf::write_binary_body(const Body& body, BodyFormat format, std::string& out, std::string& why) {
  const bool cbor = format == BodyFormat::cbor;
  const auto write = cbor ? write_cbor : write_messagepack;
  if (body.shape == Body::Shape::expression) {
    const Value& value = look(*body.expression);
    if (value.is(Kind::error)) {
      why = body.path + ": " + std::string(value.as_text());
      return false;
    }
    write(value, out);
    return true;
  }
  const bool is_map = body.shape == Body::Shape::map;
  (is_map ? (cbor ? begin_cbor_map : begin_messagepack_map) : (cbor ? begin_cbor_list : begin_messagepack_list))(
      body.members.size(), out);
  for (std::size_t i = 0; i < body.members.size(); ++i) {
    if (is_map) write(body.names[i], out);
    if (!write_binary_body(body.members[i], format, out, why)) return false;
  }
  return true;
}

bool RuleStateOf::fits_schema(const Send& send, std::string_view written, std::string& why) {
  // As JSON has it, whatever the format: a timestamp is a text.
  Result<Value> body = railhead::fail(Errc::invalid, "the body is no JSON");
  if (send.body && (send.format == BodyFormat::messagepack || send.format == BodyFormat::cbor)) {
    Value value;
    if (!body_value(*send.body, value, why)) return false;
    body = parser_.parse(to_json(value));
  } else if (send.format == BodyFormat::raw || send.format == BodyFormat::json) {
    body = parser_.parse(written);
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
