#include "gateway/message/json_numbers.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "gateway/base/text.h"

namespace railhead {
namespace {

constexpr std::size_t kShown = 40;  // of a number in a message

// Behind a text that begins at `at` with its quote.
std::size_t end_of_text(std::string_view json, std::size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at) {
    if (json[at] == '\\') ++at;
  }
  return at + 1;
}

bool is_beyond_doubles(std::string_view number) {
  double value = 0;
  if (std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc{}) return false;
  // Too near to 0 is 0: only a negative exponent gets there.
  const std::size_t exponent = number.find_first_of("eE");
  return exponent == std::string_view::npos || number.substr(exponent + 1, 1) != "-";
}

}  // namespace

Result<std::string> with_large_integers_as_doubles(std::string_view json) {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = 0; at < json.size();) {
    if (json[at] == '"') {
      at = end_of_text(json, at);
      continue;
    }
    if (json[at] != '-' && (json[at] < '0' || json[at] > '9')) {
      ++at;
      continue;
    }
    const std::size_t end = std::min(json.find_first_not_of("0123456789+-.eE", at), json.size());
    const std::string_view number = json.substr(at, end - at);
    if (is_beyond_doubles(number)) {
      const std::string shown(number.substr(0, kShown));
      return fail(Errc::invalid,
                  "the number " + shown + (number.size() > kShown ? "..." : "") + " is larger than a double can be");
    }
    at = end;
    const bool integer = number.find_first_of(".eE") == std::string_view::npos;
    if (!integer || base::parse_int(number) || base::parse_uint(number)) continue;
    out.append(json, copied, end - copied);
    out += "e0";
    copied = end;
  }
  out.append(json, std::min(copied, json.size()));
  return out;
}

}  // namespace railhead
