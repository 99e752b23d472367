// RuleStateOf's records: destination, key, headers.
#include <utility>

#include "gateway/message/json.h"
#include "rules/routing/expression_reader.h"
#include "rules/routing/rule_state.h"

namespace railhead::routing {

RuleStateOf::Outcome RuleStateOf::send(const Rule& rule, const Send& send, ports::Routed& out) {
  const bool pass = rule.on_error == OnError::pass;
  std::string why;
  const auto failed = [&] { return fail(rule, "send to " + send.sink + ": " + why, out); };
  if (send.when.expression) {
    switch (decide(send.when, why)) {
      case Truth::no: return Outcome::filtered;
      case Truth::yes: break;
      case Truth::failed:
        why.insert(0, "when: ");
        if (!pass) return failed();
        report(rule, "send to " + send.sink + ": " + why, "passed");
    }
  }
  return add_record(rule, send, out.records, why) ? Outcome::sent : failed();
}

bool RuleStateOf::add_record(const Rule& rule, const Send& send, EncodedRecords& records, std::string& why) {
  const bool pass = rule.on_error == OnError::pass;
  Destination destination;
  if (!render_destination(send, destination, why) || !render_headers(rule, send, why)) return false;
  body_.clear();
  bool is_document = false;  // in the place of a body that failed
  if (!write_body(send, body_, why)) {
    if (!pass) return false;
    report(rule, "send to " + send.sink + ": " + why, "passed");
    body_ = canonical_json(*reading_, compiled_->gateway);
    is_document = true;
  }
  if (send.enforce && !fits_schema(send, body_, why)) return false;
  const int flags = (reading_->maybe_repeat ? kMaybeRepeat : 0) | (reading_->clock_trusted ? 0 : kClockUnsynced);
  records.add(is_document ? send.document_head : send.head,
              {.flags = static_cast<std::uint8_t>(flags),
               .time = reading_->time,
               .source = reading_->source,
               .device = reading_->device,
               .quality = reading_->quality == Quality::good ? std::string_view() : name_of(reading_->quality),
               .identity = {},
               .key = destination.key,
               .topic = destination.topic,
               .routing_key = destination.routing_key,
               .headers = headers_,
               .body = body_});
  return true;
}

bool RuleStateOf::render_headers(const Rule& rule, const Send& send, std::string& why) {
  headers_.clear();
  for (const NamedTemplate& header : send.headers) {
    Header written{header.name, {}};
    if (render(header.text, written.value, why)) {
      headers_.push_back(std::move(written));
      continue;
    }
    why.insert(0, "header " + header.name + ": ");
    if (rule.on_error != OnError::pass) return false;
    report(rule, "send to " + send.sink + ": " + why, "passed");
  }
  return true;
}

bool RuleStateOf::render_destination(const Send& send, Destination& out, std::string& why) {
  const auto place = [&](const Template& text, std::string_view name, std::string& memory, std::string_view& rendered,
                         const auto& fault_of) {
    if (const std::string* const plain = text.plain()) {  // checked when the configuration was read
      rendered = *plain;
      return true;
    }
    memory.clear();
    if (!render(text, memory, why)) {
      why.insert(0, std::string(name) + ": ");
      return false;
    }
    why = fault_of(memory);
    rendered = memory;
    return why.empty();
  };
  const auto topic_fault_of = [&](const std::string& topic) { return topic_fault(send.upstream, topic); };
  if (send.topic && !place(*send.topic, "topic", topic_, out.topic, topic_fault_of)) return false;
  if (send.routing_key && !place(*send.routing_key, "routing_key", routing_key_, out.routing_key, routing_key_fault))
    return false;
  record_key_.clear();
  switch (send.key_kind) {
    case Send::Key::none: return true;
    case Send::Key::standard:
      record_key_ = reading_->source;
      if (!reading_->device.empty()) record_key_.append("/").append(reading_->device);
      break;
    case Send::Key::written:
      if (!render(send.key, record_key_, why)) {
        why.insert(0, "key: ");
        return false;
      }
  }
  out.key = record_key_;
  return true;
}

bool RuleStateOf::render(const Template& text, std::string& out, std::string& why) {
  for (const Template::Part& part : text.parts) {
    if (!part.expression) {
      out += part.text;
      continue;
    }
    const Value& value = look(*part.expression);
    if (value.is(Kind::error)) {
      why = value.as_text();
      return false;
    }
    if (!expression::append_text(value, out)) {
      why = part.expression->text() + ": " + type_with_article(value) + " has no text";
      return false;
    }
  }
  return true;
}

}  // namespace railhead::routing
