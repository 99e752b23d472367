#include "gateway/status/json_writer.h"

#include <cmath>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"

namespace railhead::status {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

// Length of the UTF-8 character that begins `text`, 0 if it is none.
std::size_t character_length(std::string_view text) {
  for (std::size_t length = 1; length <= 4 && length <= text.size(); ++length) {
    if (base::is_utf8(text.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace

void append_json_text(std::string_view text, std::string& out) {
  out += '"';
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    std::size_t taken = 1;
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text.front();
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    } else if (byte < 0x80) {
      out += text.front();
    } else {
      taken = character_length(text);
      if (taken == 0) {
        out += "\xef\xbf\xbd";
        taken = 1;
      } else {
        out += text.substr(0, taken);
      }
    }
    text.remove_prefix(taken);
  }
  out += '"';
}

void JsonWriter::real(double value) { out_ += std::isfinite(value) ? base::shortest(value) : std::string("null"); }

}  // namespace railhead::status
