// A 64-bit hash of texts, for telling a redelivery from something new (S19). It is kept in the spool, so it must never
// change: little-endian words of eight bytes, the last one filled with zeros, then the length. Not for hostile input:
// two equal hashes also need the same session and packet identifier to matter. Threads: pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "gateway/base/bytes.h"

namespace railhead::mqtt {

[[nodiscard]] inline std::uint64_t mix_hash(std::uint64_t hash, std::uint64_t word) noexcept {
  hash = (hash ^ word) * 0x9fb21c651e98df25u;
  return hash ^ (hash >> 29);
}

[[nodiscard]] inline std::uint64_t content_hash(std::string_view text,
                                                std::uint64_t hash = 0x2545f4914f6cdd1du) noexcept {
  const std::size_t whole = text.size() & ~std::size_t{7};
  for (std::size_t at = 0; at < whole; at += 8) hash = mix_hash(hash, base::load_le<std::uint64_t>(text.data() + at));
  char last[8] = {};
  if (text.size() > whole) std::memcpy(last, text.data() + whole, text.size() - whole);
  return mix_hash(mix_hash(hash, base::load_le<std::uint64_t>(last)), text.size());
}

[[nodiscard]] inline std::uint64_t content_hash(std::string_view topic, std::string_view payload) noexcept {
  return content_hash(payload, content_hash(topic));
}

}  // namespace railhead::mqtt
