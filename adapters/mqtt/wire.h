// MQTT's primitive shapes: big-endian integers, length-prefixed text, variable byte integers ([5 1.5], [3.1.1 1.5]).
// Reading beyond the end turns ok() false and gives zeros: check once after a run of reads. Threads: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/assert.h"

namespace railhead::mqtt {

inline constexpr std::uint32_t kVariableMax = 268'435'455;  // four bytes of seven bits

// What `value`, at most kVariableMax, takes as a variable byte integer.
[[nodiscard]] constexpr std::size_t variable_bytes(std::size_t value) {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] std::uint8_t u8() {
    const std::string_view bytes = raw(1);
    return bytes.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes[0]);
  }
  [[nodiscard]] std::uint16_t u16() {
    const std::string_view bytes = raw(2);
    if (bytes.empty()) return 0;
    return static_cast<std::uint16_t>((static_cast<unsigned char>(bytes[0]) << 8) |
                                      static_cast<unsigned char>(bytes[1]));
  }
  [[nodiscard]] std::uint32_t u32() {
    const std::uint32_t high = u16();
    return (high << 16) | u16();
  }
  // At most four bytes, and no longer than needed [MQTT-1.5.5-1].
  [[nodiscard]] std::uint32_t variable() {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i) {
      const std::uint8_t byte = u8();
      value |= std::uint32_t{byte & 0x7fu} << (7 * i);
      if ((byte & 0x80) == 0) {
        if (i > 0 && byte == 0) ok_ = false;
        return ok_ ? value : 0;
      }
    }
    ok_ = false;
    return 0;
  }
  [[nodiscard]] std::string_view text() { return raw(u16()); }
  [[nodiscard]] std::string_view raw(std::size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

inline void put_u8(std::string& to, std::uint8_t value) { to.push_back(static_cast<char>(value)); }
inline void put_u16(std::string& to, std::uint16_t value) {
  put_u8(to, static_cast<std::uint8_t>(value >> 8));
  put_u8(to, static_cast<std::uint8_t>(value));
}
inline void put_u32(std::string& to, std::uint32_t value) {
  put_u16(to, static_cast<std::uint16_t>(value >> 16));
  put_u16(to, static_cast<std::uint16_t>(value));
}
inline void put_variable(std::string& to, std::uint32_t value) {
  RAILHEAD_ASSERT(value <= kVariableMax);
  while (value >= 0x80) {
    put_u8(to, static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  put_u8(to, static_cast<std::uint8_t>(value));
}
// At most 65,535 bytes.
inline void put_text(std::string& to, std::string_view text) {
  RAILHEAD_ASSERT(text.size() <= 0xffff);
  put_u16(to, static_cast<std::uint16_t>(text.size()));
  to.append(text);
}

}  // namespace railhead::mqtt
