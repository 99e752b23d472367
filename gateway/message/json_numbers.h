// JSON numbers that the parser's 64-bit integers cannot hold. JSON sets no bound [RFC 8259 6], and every other
// program's doubles are written so: 2^64 and above become doubles, correctly rounded (S24).
#pragma once

#include <string>
#include <string_view>

#include "gateway/base/result.h"

namespace railhead {

// `json` with every such integer written as a double; the text need not be JSON otherwise.
// Errc::invalid: a number is larger than a double can be; it is named.
[[nodiscard]] Result<std::string> with_large_integers_as_doubles(std::string_view json);

}  // namespace railhead
