// Bytes of Modbus PDUs and frames: words are big-endian [MB 4.2]. Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace railhead::modbus {

[[nodiscard]] inline std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}
[[nodiscard]] inline std::uint16_t word_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}
// The lowest `count` bits.
[[nodiscard]] constexpr std::uint64_t low_bits(unsigned count) {
  return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}
// The lower 16 bits of `word`.
inline void put_word(std::string& to, unsigned word) {
  to.push_back(static_cast<char>(word >> 8 & 0xff));
  to.push_back(static_cast<char>(word & 0xff));
}

}  // namespace railhead::modbus
