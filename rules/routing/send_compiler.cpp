// RuleCompiler's part that reads `send`: destination, key, headers, body.
#include <algorithm>

#include "gateway/base/text.h"
#include "rules/routing/body_layout.h"
#include "rules/routing/hints.h"
#include "rules/routing/rule_compiler.h"

namespace railhead::routing {
namespace {

constexpr std::size_t kBodyDepthMax = 32;

// S34: what the gateway writes into every record.
bool is_own_header(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower.starts_with("ce_") || lower.starts_with("rh-") || lower.starts_with("cloudevents") ||
         lower == "content-type";
}

}  // namespace

std::optional<Send> RuleCompiler::read_send(const SendOptions& options, const std::string& type,
                                            const expression::Scope& scope) {
  const std::size_t errors = diagnostics_.error_count();
  Send send;
  send.sink = options.to.value;
  send.priority = options.priority;
  send.ttl = options.ttl;
  send.type = options.type.empty() ? type : options.type;
  send.content_type = options.content_type;
  const auto sink = std::find_if(input_.sinks.begin(), input_.sinks.end(),
                                 [&](const KnownSink& known) { return known.name == send.sink; });
  if (sink == input_.sinks.end()) {
    if (!send.sink.empty()) {
      std::string hint = hint_of(send.sink, sink_names_);
      if (hint.empty()) hint = sink_names_.empty() ? "there are no sinks" : "the sinks are " + list_of(sink_names_);
      diagnostics_.error(options.to.mark, options.to.length, "no sink '" + send.sink + "'", std::move(hint));
    }
    // Its expressions are checked all the same.
    const KnownSink unknown;
    (void)read_topic(options, unknown, scope);
  } else {
    send.upstream = upstream_of(sink->kind);
    send.topic = read_topic(options, *sink, scope);
    // A sink that is itself at fault is not known to take none.
    const bool takes = sink->takes_routing_key || sink->kind.empty() || send.upstream == Upstream::amqp;
    if (options.routing_key.present() && !takes) {
      diagnostics_.error(options.routing_key, "sink '" + sink->name + "' (" + sink->kind + ") takes no routing key");
    }
  }
  send.when = read_condition(options.when, scope);
  if (options.routing_key.present()) {
    send.routing_key = reader_.text_template(options.routing_key, "routing_key", scope);
  }
  read_key(options, scope, send);
  for (const auto& [name, node] : options.headers) {
    if (is_own_header(name)) diagnostics_.error(node, "header '" + name + "' is written by the gateway itself");
    if (auto text = reader_.text_template(node, "headers." + name, scope))
      send.headers.push_back({name, std::move(*text)});
  }
  if (options.amqp_priority) {
    Template number;
    number.parts.push_back({std::to_string(*options.amqp_priority), nullptr});
    send.headers.push_back({std::string(kAmqpPriorityHeader), std::move(number)});
  }
  send.format = options.format;
  if (options.body.present()) send.body = read_body(options.body, "body", scope);
  if (send.format == BodyFormat::raw) {
    const bool bytes =
        send.body && send.body->expression && send.body->expression->result_type() == expression::Type::bytes;
    if (send.content_type.empty()) send.content_type = bytes ? "application/octet-stream" : "text/plain";
    if (!options.body.present()) {
      diagnostics_.error(options.to.mark, options.to.length, "`format: raw` needs a `body`");
    } else if (send.body && send.body->shape != Body::Shape::expression) {
      diagnostics_.error(options.body, "with `format: raw` the body is one expression");
    }
  }
  if (send.content_type.empty() && send.format == BodyFormat::messagepack) send.content_type = "application/msgpack";
  if (send.content_type.empty() && send.format == BodyFormat::cbor) send.content_type = "application/cbor";
  const bool binary = send.format == BodyFormat::messagepack || send.format == BodyFormat::cbor;
  if (binary && input_.bodies_as_json) send.format = BodyFormat::json;
  read_schema(options, sink == input_.sinks.end() ? KnownSink{} : *sink, send);
  const auto note = [&](const Template& text) {
    for (const Template::Part& part : text.parts) {
      if (part.expression) note_use(*part.expression);
    }
  };
  if (send.topic) note(*send.topic);
  if (send.routing_key) note(*send.routing_key);
  note(send.key);
  for (const NamedTemplate& header : send.headers) note(header.text);
  write_out(options, send);
  if (send.body && send.format != BodyFormat::raw) send.layout = lay_out(*send.body, send.format, configured_);
  if (diagnostics_.error_count() != errors) return {};
  send.head = send.head_with(send.content_type);
  send.document_head = send.head_with({});
  return send;
}

void RuleCompiler::write_out(const SendOptions& options, Send& send) {
  const auto check = [&](const config::Node& node, const Template& text, const auto& fault_of) {
    if (const std::string* const plain = text.plain()) {
      if (const std::string fault = fault_of(*plain); !fault.empty()) diagnostics_.error(node, fault);
    }
  };
  if (send.topic && !send.topic->plain()) {
    configured_.write_out(*send.topic);
    check(options.topic, *send.topic, [&](std::string_view topic) { return topic_fault(send.upstream, topic); });
  }
  if (send.routing_key) {
    configured_.write_out(*send.routing_key);
    check(options.routing_key, *send.routing_key, routing_key_fault);
  }
  configured_.write_out(send.key);
  for (NamedTemplate& header : send.headers) configured_.write_out(header.text);
}

std::optional<Template> RuleCompiler::read_topic(const SendOptions& options, const KnownSink& sink,
                                                 const expression::Scope& scope) {
  const Upstream upstream = upstream_of(sink.kind);
  if (!options.topic.present()) {
    if (sink.needs_topic) {
      diagnostics_.error(options.to.mark, options.to.length,
                         "sink '" + sink.name + "' (" + sink.kind + ") needs a `topic`");
    }
    return {};
  }
  std::optional<Template> topic = reader_.text_template(options.topic, "topic", scope);
  if (!topic) return {};
  const bool constant = std::none_of(topic->parts.begin(), topic->parts.end(),
                                     [](const Template::Part& part) { return part.expression != nullptr; });
  if (constant) {
    std::string whole;
    for (const Template::Part& part : topic->parts) whole += part.text;
    if (const std::string fault = topic_fault(upstream, whole); !fault.empty())
      diagnostics_.error(options.topic, fault);
    return topic;
  }
  std::size_t searched_from = 0;
  for (const Template::Part& part : topic->parts) {
    if (part.expression) {
      searched_from += part.expression->text().size();
      continue;
    }
    const std::size_t at = illegal_character(upstream, part.text);
    if (at == std::string_view::npos) continue;
    const std::size_t offset = options.topic.text().find(part.text, searched_from);
    diagnostics_.error(options.topic.mark_at(offset == std::string_view::npos ? 0 : offset + at), 1,
                       topic_fault(upstream, part.text));
  }
  return topic;
}

void RuleCompiler::read_key(const SendOptions& options, const expression::Scope& scope, Send& send) {
  if (!options.key.present()) return;
  if (options.key.is_null()) {
    send.key_kind = Send::Key::none;
    return;
  }
  send.key_kind = Send::Key::written;
  std::optional<Template> key = reader_.text_template(options.key, "key", scope);
  if (!key) return;
  const std::string_view text = options.key.text();
  const std::string_view first = text.substr(0, text.find_first_of(".["));
  if (key->parts.size() == 1 && !key->parts[0].expression && scope.slot_of(first)) {
    diagnostics_.warning(options.key, "every record has the same key, the text '" + std::string(text) + "'",
                         "the variable is written ${" + std::string(text) + "}");
  } else if (key->plain() != nullptr && first.starts_with('$') && scope.slot_of(first.substr(1))) {
    diagnostics_.warning(options.key, "every record has the same key, the text '" + std::string(text) + "'",
                         "the variable is written ${" + std::string(text.substr(1)) + "}");
  }
  send.key = std::move(*key);
}

std::optional<Body> RuleCompiler::read_body(const config::Node& node, const std::string& path,
                                            const expression::Scope& scope) {
  Body body;
  body.path = path;
  if (static_cast<std::size_t>(std::count(path.begin(), path.end(), '.')) > kBodyDepthMax) {
    diagnostics_.error(node, "a body is at most " + std::to_string(kBodyDepthMax) + " levels deep");
    return {};
  }
  bool whole = true;
  const auto add = [&](const config::Node& member, const std::string& member_path) {
    if (auto read = read_body(member, member_path, scope)) {
      body.members.push_back(std::move(*read));
    } else {
      whole = false;
    }
  };
  if (node.is_map()) {
    body.shape = Body::Shape::map;
    for (const config::Member& member : node.members()) {
      body.names.push_back(Value::text(member.name()));
      add(member.value, path + "." + std::string(member.name()));
    }
  } else if (node.is_list()) {
    body.shape = Body::Shape::list;
    std::size_t i = 0;
    for (const config::Node& item : node.items()) add(item, path + "." + std::to_string(i++));
  } else {
    const std::string_view written = node.rest_of_line();
    const bool is_null = node.is_null() && (written.starts_with("null") || written.starts_with('~'));
    body.expression = is_null ? reader_.null_literal(scope) : reader_.expression(node, path, scope);
    if (!body.expression) return {};
    note_use(*body.expression);
    return body;
  }
  if (!whole) return {};
  return body;
}

}  // namespace railhead::routing
