#include "gateway/status/json_writer.h"

#include <cmath>

#include "gateway/base/bytes.h"
#include "gateway/base/json_text.h"
#include "gateway/base/text.h"

namespace railhead::status {
void append_json_text(std::string_view text, std::string& out) {
  if (base::is_utf8(text)) {
    base::write_json_text(text, out);
  } else {
    base::write_json_text(base::as_utf8(text), out);
  }
}

void JsonWriter::real(double value) { out_ += std::isfinite(value) ? base::shortest(value) : std::string("null"); }

}  // namespace railhead::status
