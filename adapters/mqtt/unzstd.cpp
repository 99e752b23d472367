#include <zstd.h>

#include <algorithm>
#include <memory>

#include "adapters/mqtt/unwrap.h"
#include "gateway/base/assert.h"

namespace railhead::mqtt {
namespace {

constexpr int kWindowLogMax = 23;  // 8 MiB, what RFC 8878 asks every decoder to take

struct Freed {
  void operator()(ZSTD_DCtx* context) const { ::ZSTD_freeDCtx(context); }
};

}  // namespace

Result<void> unzstd(std::string_view packed, std::size_t bytes_max, std::string& out) {
  const std::unique_ptr<ZSTD_DCtx, Freed> context(::ZSTD_createDCtx());
  if (context == nullptr) return fail(Errc::io, "zstd: out of memory");
  ::ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLogMax);
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  const std::size_t begin = out.size();
  for (;;) {
    const std::size_t used = out.size() - begin;
    // One byte beyond the bound tells that there is more.
    const std::size_t room = std::min(kUnpackStep, bytes_max + 1 - used);
    out.resize(out.size() + room);
    ZSTD_outBuffer to{out.data() + (out.size() - room), room, 0};
    const std::size_t left = ::ZSTD_decompressStream(context.get(), &to, &in);
    out.resize(out.size() - room + to.pos);
    if (::ZSTD_isError(left) != 0) return fail(Errc::invalid, std::string("zstd: ") + ::ZSTD_getErrorName(left));
    if (out.size() - begin > bytes_max) {
      return fail(Errc::invalid, "zstd: unpacks to more than " + std::to_string(bytes_max) + " bytes");
    }
    if (left == 0 && in.pos == in.size) return {};  // a frame ended with the input; several are one text
    if (left != 0 && in.pos == in.size && to.pos < room) return fail(Errc::invalid, "zstd: cut short");
  }
}

std::string zstd(std::string_view bytes) {
  std::string out(::ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ::ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), ZSTD_CLEVEL_DEFAULT);
  RAILHEAD_ASSERT(::ZSTD_isError(size) == 0);
  out.resize(size);
  return out;
}

}  // namespace railhead::mqtt
