#include "adapters/file/line.h"

#include <vector>

#include "gateway/message/record_json.h"

namespace railhead::file {
namespace {

void member(std::string_view name, std::string_view value, std::string& out) {
  write_json_text(name, out);
  out.push_back(':');
  write_json_text(value, out);
}

}  // namespace

void LineWriter::write(const ports::Outgoing& outgoing, std::string& out) {
  const Record& record = outgoing.record;
  out += kLineBegin;
  write_json_text(record.sink, out);
  out.push_back(',');
  member("topic", record.topic, out);
  if (!record.routing_key.empty()) {
    out.push_back(',');
    member("routing_key", record.routing_key, out);
  }
  out += ",\"key\":";
  if (record.key) {
    write_json_text(*record.key, out);
  } else {
    out += "null";
  }
  out += ",\"headers\":{";
  const HeaderContext context{
      .gateway = gateway_, .identity = outgoing.identity, .prefix = "ce_", .late = outgoing.late};
  const Enveloper::Wrapped& wrapped = enveloper_.wrap(record, context, envelope_);
  for (std::size_t i = 0; i < wrapped.headers.size(); ++i) {
    if (i > 0) out.push_back(',');
    member(wrapped.headers[i].name, wrapped.headers[i].value, out);
  }
  out += '}';
  append_body_member(parser_, wrapped.body, wrapped.content_type, out);
  out += "}\n";
}

}  // namespace railhead::file
