// Compressed payloads -> their bytes, bounded: a small message can unpack to gigabytes. And back, for a simulation.
// Standards: gzip RFC 1952 (several members are one text), zlib RFC 1950 is taken too; Zstandard RFC 8878.
// Errors:    Errc::invalid: not such a stream, cut short, bytes behind its end, or more than `bytes_max` unpacked.
// Threads:   pure functions. zlib's and zstd's headers stay in gunzip.cpp and unzstd.cpp.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "gateway/base/result.h"

namespace railhead::mqtt {

inline constexpr std::size_t kUnpackStep = 16 * 1024;  // so much room is added to `out` at a time

// Appends to `out`.
[[nodiscard]] Result<void> gunzip(std::string_view packed, std::size_t bytes_max, std::string& out);
[[nodiscard]] Result<void> unzstd(std::string_view packed, std::size_t bytes_max, std::string& out);

[[nodiscard]] std::string gzip(std::string_view bytes);
[[nodiscard]] std::string zstd(std::string_view bytes);

}  // namespace railhead::mqtt
