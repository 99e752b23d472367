#include "adapters/file/line.h"

#include <algorithm>
#include <vector>

#include "gateway/base/bytes.h"

namespace railhead::file {
namespace {

// RFC 8259 and the +json suffix of RFC 6839; parameters are ignored.
bool is_json(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  return content_type == "application/json" || content_type == "text/json" || content_type.ends_with("+json");
}

void member(std::string_view name, std::string_view value, std::string& out) {
  write_json_text(name, out);
  out.push_back(':');
  write_json_text(value, out);
}

}  // namespace

void LineWriter::write(const ports::Outgoing& outgoing, std::string& out) {
  const Record& record = outgoing.record;
  out.push_back('{');
  member("sink", record.sink, out);
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
  const std::vector<Header> headers =
      headers_of(record, {.gateway = gateway_, .identity = outgoing.identity, .prefix = "ce_", .late = outgoing.late});
  for (std::size_t i = 0; i < headers.size(); ++i) {
    if (i > 0) out.push_back(',');
    member(headers[i].name, headers[i].value, out);
  }
  out += "},";
  if (is_json(record.content_type) && parser_.parse(record.body)) {
    out += "\"body\":";
    const std::size_t from = out.size();
    out += record.body;
    // Only between tokens: inside a JSON text line breaks are escaped.
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  } else if (base::is_utf8(record.body)) {
    member("body", record.body, out);
  } else {
    member("body_base64", base::to_base64(record.body), out);
  }
  out += "}\n";
}

}  // namespace railhead::file
