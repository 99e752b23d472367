// Fuzz target: any bytes as the lane states beside a whole segment; as they are, and with their checksum mended. What
// decodes must encode to something that decodes to the same. The start must succeed or refuse a newer format, and a
// second start must change nothing.
// Rooms: gateway/spool
// With: tests/support/crash_disk.cpp
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "gateway/base/bytes.h"
#include "gateway/base/crc32c.h"
#include "gateway/spool/lane_state.h"
#include "tests/fuzz/spool_on_bytes.h"

namespace {

using namespace railhead::spool;

constexpr std::size_t kHeadBytes = 24;

void mend(std::string& bytes) {
  if (bytes.size() < kHeadBytes) return;
  railhead::base::store_le(bytes.data() + 16, static_cast<std::uint32_t>(bytes.size() - kHeadBytes));
  const std::string_view all = bytes;
  railhead::base::store_le(bytes.data() + 20,
                           railhead::base::crc32c(all.substr(kHeadBytes), railhead::base::crc32c(all.substr(8, 12))));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const bool mended : {false, true}) {
    if (mended) mend(bytes);
    if (const railhead::Result<StoredState> state = decode_state(bytes)) {
      const std::string again = encode_state(*state);
      const railhead::Result<StoredState> twice = decode_state(again);
      if (!twice || encode_state(*twice) != again) std::abort();
    }
    railhead::test::open_spool_on({{std::string(kStateName), bytes}, railhead::test::example_segment()});
  }
  return 0;
}
