#include "gateway/message/envelope.h"

#include <algorithm>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"

namespace railhead {
namespace {

constexpr std::string_view kEventType = "application/cloudevents+json";

std::vector<Header> own_headers(const Record& record) {
  std::vector<Header> headers;
  std::copy_if(record.headers.begin(), record.headers.end(), std::back_inserter(headers),
               [](const Header& header) { return header.name != kAmqpPriorityHeader; });
  return headers;
}

}  // namespace

bool is_json_type(std::string_view content_type) {
  content_type = base::trim(content_type.substr(0, content_type.find(';')));
  return content_type == "application/json" || content_type == "text/json" || content_type.ends_with("+json");
}

const Enveloper::Wrapped& Enveloper::wrap(const Record& record, const HeaderContext& context, Envelope envelope) {
  wrapped_.content_type = record.content_type;
  wrapped_.body = record.body;
  switch (envelope) {
    case Envelope::headers: wrapped_.headers = headers_of(record, context); break;
    case Envelope::minimal:
      wrapped_.headers = own_headers(record);
      wrapped_.headers.insert(wrapped_.headers.begin(), {"rh-id", std::string(context.identity)});
      break;
    case Envelope::structured:
      wrapped_.headers = own_headers(record);
      wrapped_.headers.insert(wrapped_.headers.begin(), {"content-type", std::string(kEventType)});
      write_event(record, context);
      wrapped_.content_type = kEventType;
      wrapped_.body = event_;
      break;
  }
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
  std::vector<Header> attributes = headers_of(record, unprefixed);
  attributes.resize(attributes.size() - own_headers(record).size());  // those stand last, and stay headers
  for (Header& header : attributes) {
    if (header.name == "content-type") header.name = "datacontenttype";
    std::erase(header.name, '-');  // names of attributes are letters and digits
    member(header.name, header.value);
  }
  if (is_json_type(record.content_type) && parser_.parse(record.body)) {
    event_ += ",\"data\":";
    event_ += record.body;
  } else if (base::is_utf8(record.body)) {
    member("data", record.body);
  } else {
    member("data_base64", base::to_base64(record.body));
  }
  event_.push_back('}');
}

}  // namespace railhead
