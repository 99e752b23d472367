#include "gateway/message/record_json.h"

#include <algorithm>
#include <cstddef>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/message/envelope.h"

namespace railhead {

void append_body_member(JsonParser& parser, std::string_view body, std::string_view content_type, std::string& line) {
  if (is_json_type(content_type) && parser.parse(body)) {
    line += ",\"body\":";
    const std::size_t from = line.size();
    line += body;
    // Only between tokens: inside a JSON text line breaks are escaped.
    std::replace_if(
        line.begin() + static_cast<std::ptrdiff_t>(from), line.end(), [](char c) { return c == '\n' || c == '\r'; },
        ' ');
  } else if (base::is_utf8(body)) {
    line += ",\"body\":";
    write_json_text(body, line);
  } else {
    line += ",\"body_base64\":";
    write_json_text(base::to_base64(body), line);
  }
}

}  // namespace railhead
