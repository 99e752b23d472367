// Fuzz target: any bytes as a segment file, alone in a spool's directory. Once as they are, once with their checksums
// mended, so that what lies behind the checksums is reached too. The start must succeed or refuse a newer format, what
// is given out must be in order, and a second start must change nothing.
// Rooms: gateway/spool
// With: tests/support/crash_disk.cpp
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "gateway/base/bytes.h"
#include "gateway/base/crc32c.h"
#include "gateway/spool/format.h"
#include "tests/fuzz/spool_on_bytes.h"

namespace {

using namespace railhead::spool;

// Only what a writer could have made: sequences far beyond the place of their segment stay unmended.
constexpr std::uint64_t kPlausible = std::uint64_t{1} << 20;

void mend(std::string& bytes) {
  if (bytes.size() < 1024) return;
  const std::uint32_t copy = railhead::base::load_le<std::uint32_t>(bytes.data() + 16);
  if (copy < 72 || copy > bytes.size()) return;
  railhead::base::store_le(bytes.data() + 20, std::uint32_t{0});
  railhead::base::store_le(bytes.data() + 20, railhead::base::crc32c(std::string_view(bytes).substr(0, copy)));
  const railhead::Result<SegmentHeader> header = decode_header(bytes);
  if (!header || header->first.value() > kPlausible) return;
  const std::uint32_t seed = frame_seed(header->epoch, header->number);
  std::size_t at = static_cast<std::size_t>(header->frames_begin());
  while (at + kFrameHeaderBytes <= bytes.size()) {
    const std::uint32_t payload = railhead::base::load_le<std::uint32_t>(bytes.data() + at);
    if (payload > bytes.size() - at - kFrameHeaderBytes) return;
    const std::uint64_t sequence = railhead::base::load_le<std::uint64_t>(bytes.data() + at + 12);
    if (sequence > 2 * kPlausible) return;
    railhead::base::store_le(bytes.data() + at + 4, frame_crc(seed, bytes.data() + at, payload));
    at += frame_bytes(payload);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const bool mended : {false, true}) {
    if (mended) mend(bytes);
    const railhead::Result<SegmentHeader> header = decode_header(bytes);
    const std::uint64_t number = header && header->number < (std::uint64_t{1} << 62) ? header->number : 1;
    railhead::test::open_spool_on({{segment_name(number), bytes}});
  }
  return 0;
}
