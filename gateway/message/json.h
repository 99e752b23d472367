// JSON <-> Value. Standard: RFC 8259, strict: duplicate keys keep the first, trailing text and bad UTF-8 are refused.
// Numbers: an integer literal becomes integer (uinteger above int64, a double above that), anything with a fraction or
// exponent a double.
// Written doubles are the shortest that read back the same and always show that they are doubles ("3.0"); NaN and
// infinities have no JSON and become null. Timestamps are RFC 3339 text, durations "3.5s", bytes base64, other map keys
// text. Bounds: depth 64. Threads: a JsonParser is one thread's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/base/json_text.h"
#include "gateway/base/result.h"
#include "gateway/message/value.h"

namespace railhead {

class JsonParser {
 public:
  JsonParser();
  ~JsonParser();
  JsonParser(const JsonParser&) = delete;
  JsonParser& operator=(const JsonParser&) = delete;

  // Errors: Errc::invalid with what is wrong.
  [[nodiscard]] Result<Value> parse(std::string_view text);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

void write_json(const Value& value, std::string& out);
using base::write_json_text;
[[nodiscard]] std::string to_json(const Value& value);
// "3.5s", as CEL's string(duration).
[[nodiscard]] std::string duration_text(Duration duration);

}  // namespace railhead
