// RuleStateOf's bodies, and what schemas demand of them.
#include "gateway/message/binary_formats.h"
#include "gateway/message/json.h"
#include "rules/routing/expression_reader.h"
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

bool RuleStateOf::write_body(const Send& send, std::string& out, std::string& why) {
  if (!send.body) return write_document(send.format, out, why);
  if (send.format == BodyFormat::raw) return write_raw(*send.body, out, why);
  for (const BodyLayout::Part& part : send.layout.parts) {
    out += part.before;
    const Value& value = look(*part.expression);
    if (value.is(Kind::error)) {
      why = part.path + ": " + std::string(value.as_text());
      return false;
    }
    send.layout.write(value, out);
  }
  out += send.layout.after;
  return true;
}

bool RuleStateOf::write_document(BodyFormat format, std::string& out, std::string& why) {
  if (format != BodyFormat::messagepack && format != BodyFormat::cbor) {
    write_json(canonical_value(*reading_, compiled_->gateway), out);
    return true;
  }
  const Result<Value> document = parser_.parse(canonical_json(*reading_, compiled_->gateway));
  if (!document) {
    why = document.error().what;
    return false;
  }
  (format == BodyFormat::cbor ? write_cbor : write_messagepack)(*document, out);
  return true;
}

bool RuleStateOf::write_raw(const Body& body, std::string& out, std::string& why) {
  const Value& value = look(*body.expression);
  if (value.is(Kind::bytes)) {
    out += value.as_text();
    return true;
  }
  if (expression::append_text(value, out)) return true;
  why = body.path + ": " +
        (value.is(Kind::error) ? std::string(value.as_text()) : type_with_article(value) + " has no text");
  return false;
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
