// Fuzz target: any bytes as a JSON payload. What is taken is written again, read again, and is the same.
// Rooms: gateway/message
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/message/binary_formats.h"
#include "gateway/message/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace railhead;
  static JsonParser parser;
  const Result<Value> value = parser.parse({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  const std::string text = to_json(*value);
  static JsonParser again;
  const Result<Value> back = again.parse(text);
  if (!back || !(*back == *value) || to_json(*back) != text) std::abort();
  std::string out;
  write_messagepack(*value, out);
  write_cbor(*value, out);
  return 0;
}
