// Envelope: how a record's CloudEvents attributes travel (S34). Standard: CloudEvents 1.0.2; structured mode is its
// JSON format (cloudevents/formats/json-format.md): a JSON body stands in `data` as it is, one of a text type
// (text/..., XML) as a JSON text, all else in `data_base64`; what is ours are extension attributes: rhdup, rhlate,
// rhclock, rhquality, rhkey. Threads: an Enveloper is one thread's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/message/json.h"
#include "gateway/message/record.h"

namespace railhead {

enum class Envelope : std::uint8_t {
  headers,     // attributes as headers, the body as it is
  structured,  // one JSON document of attributes and body
  minimal,     // the identity alone, as header rh-id
};

// `application/json`, `text/json` and all `+json` (RFC 6839); parameters are passed over.
[[nodiscard]] bool is_json_type(std::string_view content_type);

class Enveloper {
 public:
  struct Wrapped {
    std::vector<Header> headers;
    std::string_view content_type;
    std::string_view body;
  };
  // Valid until the next call, and as long as the record is; the caller may change it.
  [[nodiscard]] Wrapped& wrap(const Record& record, const HeaderContext& context, Envelope envelope);

 private:
  void write_event(const Record& record, const HeaderContext& context);

  Wrapped wrapped_;
  std::string event_;
  JsonParser parser_;
};

}  // namespace railhead
