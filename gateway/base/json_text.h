// JSON string literals (RFC 8259 section 7), in one place for all rooms that write JSON. Threads: pure.
#pragma once

#include <string>
#include <string_view>

namespace railhead::base {

// Appends the literal with its quotes. The text must be UTF-8: what is above ASCII is written as it is.
void write_json_text(std::string_view text, std::string& out);
// The same text, each byte that is no part of UTF-8 as U+FFFD.
[[nodiscard]] std::string as_utf8(std::string_view text);

}  // namespace railhead::base
