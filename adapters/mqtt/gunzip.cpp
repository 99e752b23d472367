#include <zlib.h>

#include <algorithm>

#include "adapters/mqtt/unwrap.h"
#include "gateway/base/assert.h"

namespace railhead::mqtt {
namespace {

constexpr int kEitherFormat = 15 + 32;  // the largest window; gzip or zlib by their first bytes

struct Inflater {
  z_stream stream{};
  Inflater() = default;
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { ::inflateEnd(&stream); }
};

}  // namespace

Result<void> gunzip(std::string_view packed, std::size_t bytes_max, std::string& out) {
  Inflater inflater;
  z_stream& stream = inflater.stream;
  if (::inflateInit2(&stream, kEitherFormat) != Z_OK) return fail(Errc::io, "gzip: out of memory");
  // The library does not write to what it reads.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  const std::size_t begin = out.size();
  for (;;) {
    const std::size_t used = out.size() - begin;
    // One byte beyond the bound tells that there is more.
    const std::size_t room = std::min(kUnpackStep, bytes_max + 1 - used);
    out.resize(out.size() + room);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + (out.size() - room));
    stream.avail_out = static_cast<uInt>(room);
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (out.size() - begin > bytes_max) {
      return fail(Errc::invalid, "gzip: unpacks to more than " + std::to_string(bytes_max) + " bytes");
    }
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) return {};
      if (::inflateReset(&stream) != Z_OK) return fail(Errc::invalid, "gzip: bytes behind its end");
      continue;
    }
    if (result != Z_OK) {
      return fail(Errc::invalid, result == Z_BUF_ERROR ? "gzip: cut short"
                                                       : std::string("gzip: ") + (stream.msg ? stream.msg : "damaged"));
    }
  }
}

std::string gzip(std::string_view bytes) {
  constexpr int kGzip = 15 + 16;  // the largest window; a gzip header
  constexpr int kMemory = 8;      // zlib's own default
  z_stream stream{};
  RAILHEAD_ASSERT(::deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) ==
                  Z_OK);
  std::string out(::deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  RAILHEAD_ASSERT(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

}  // namespace railhead::mqtt
