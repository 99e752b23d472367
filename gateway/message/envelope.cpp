#include "gateway/message/envelope.h"

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"

namespace railhead {
namespace {

constexpr std::string_view kEventType = "application/cloudevents+json";

// Its bodies are texts. Others are bytes, also those that happen to be UTF-8: a reader finds them at one place always.
bool is_text_type(std::string_view content_type) {
  content_type = base::trim(content_type.substr(0, content_type.find(';')));
  return content_type.starts_with("text/") || content_type == "application/xml" || content_type.ends_with("+xml") ||
         is_json_type(content_type);
}

}  // namespace

bool is_json_type(std::string_view content_type) {
  content_type = base::trim(content_type.substr(0, content_type.find(';')));
  return content_type == "application/json" || content_type == "text/json" || content_type.ends_with("+json");
}

Enveloper::Wrapped& Enveloper::wrap(const Record& record, const HeaderContext& context, Envelope envelope) {
  wrapped_.headers.clear();
  wrapped_.content_type = record.content_type;
  wrapped_.body = record.body;
  if (envelope == Envelope::structured) {
    write_event(record, context);
    wrapped_.content_type = kEventType;
    wrapped_.body = event_;
  }
  if (context.headless) return wrapped_;
  switch (envelope) {
    case Envelope::headers: wrapped_.headers = attributes_of(record, context); break;
    case Envelope::minimal: wrapped_.headers.push_back({"rh-id", std::string(context.identity)}); break;
    case Envelope::structured: wrapped_.headers.push_back({"content-type", std::string(kEventType)}); break;
  }
  append_own_headers(record, wrapped_.headers);
  return wrapped_;
}

void Enveloper::write_event(const Record& record, const HeaderContext& context) {
  event_.assign(1, '{');
  const auto member = [&](std::string_view name, std::string_view value) {
    if (event_.size() > 1) event_.push_back(',');
    write_json_text(name, event_);
    event_.push_back(':');
    write_json_text(value, event_);
  };
  HeaderContext unprefixed = context;
  unprefixed.prefix = "";
  for (Header& header : attributes_of(record, unprefixed)) {
    if (header.name == "content-type") header.name = "datacontenttype";
    std::erase(header.name, '-');  // names of attributes are letters and digits
    member(header.name, header.value);
  }
  if (is_json_type(record.content_type) && parser_.parse(record.body)) {
    event_ += ",\"data\":";
    event_ += record.body;
  } else if (is_text_type(record.content_type) && base::is_utf8(record.body)) {
    member("data", record.body);
  } else {
    member("data_base64", base::to_base64(record.body));
  }
  event_.push_back('}');
}

}  // namespace railhead
