// Bytes on disk and on the wire. On-disk integers are little-endian.
// ByteWriter appends to a caller's string; ByteReader walks a view and turns short input into ok() == false, never into
// a read beyond the end: check ok() once after a run of reads. Threads: none of its own.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace railhead::base {

template <std::unsigned_integral T>
[[nodiscard]] constexpr T little_endian(T value) noexcept {
  if constexpr (std::endian::native == std::endian::little || sizeof(T) == 1) {
    return value;
  } else {
    T swapped = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) swapped = static_cast<T>((swapped << 8) | ((value >> (8 * i)) & 0xff));
    return swapped;
  }
}

template <std::unsigned_integral T>
void store_le(char* to, T value) noexcept {
  const T stored = little_endian(value);
  std::memcpy(to, &stored, sizeof stored);
}

template <std::unsigned_integral T>
[[nodiscard]] T load_le(const char* from) noexcept {
  T stored;
  std::memcpy(&stored, from, sizeof stored);
  return little_endian(stored);
}

class ByteWriter {
 public:
  explicit ByteWriter(std::string& to) : to_(to) {}

  void u8(std::uint8_t value) { to_.push_back(static_cast<char>(value)); }
  void u16(std::uint16_t value) { fixed(value); }
  void u32(std::uint32_t value) { fixed(value); }
  void u64(std::uint64_t value) { fixed(value); }
  void i64(std::int64_t value) { fixed(static_cast<std::uint64_t>(value)); }
  // LEB128: seven bits a byte, least significant first.
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      u8(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    u8(static_cast<std::uint8_t>(value));
  }
  void raw(std::string_view bytes) { to_.append(bytes); }
  // varint length, then the bytes.
  void text(std::string_view bytes) {
    varint(bytes.size());
    raw(bytes);
  }
  [[nodiscard]] std::size_t size() const { return to_.size(); }

 private:
  template <class T>
  void fixed(T value) {
    char bytes[sizeof(T)];
    store_le(bytes, value);
    to_.append(bytes, sizeof bytes);
  }
  std::string& to_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view from) : from_(from) {}

  [[nodiscard]] std::uint8_t u8() { return fixed<std::uint8_t>(); }
  [[nodiscard]] std::uint16_t u16() { return fixed<std::uint16_t>(); }
  [[nodiscard]] std::uint32_t u32() { return fixed<std::uint32_t>(); }
  [[nodiscard]] std::uint64_t u64() { return fixed<std::uint64_t>(); }
  [[nodiscard]] std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  [[nodiscard]] std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t byte = u8();
      if (shift == 63 && byte > 1) ok_ = false;
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return ok_ ? value : 0;
    }
    ok_ = false;
    return 0;
  }
  [[nodiscard]] std::string_view raw(std::uint64_t count) {
    if (!ok_ || count > from_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = from_.substr(0, static_cast<std::size_t>(count));
    from_.remove_prefix(static_cast<std::size_t>(count));
    return taken;
  }
  [[nodiscard]] std::string_view text() { return raw(varint()); }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return from_.empty(); }
  [[nodiscard]] std::string_view rest() const { return from_; }

 private:
  template <class T>
  T fixed() {
    const std::string_view bytes = raw(sizeof(T));
    return bytes.size() == sizeof(T) ? load_le<T>(bytes.data()) : T{};
  }
  std::string_view from_;
  bool ok_ = true;
};

// Lower-case hex of bytes, and back (spaces are skipped; nullopt on anything else or an odd count).
[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_hex(std::string_view text);
// RFC 4648 base64 with padding. Decoding also takes unpadded text; nullopt on other characters.
[[nodiscard]] std::string to_base64(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);
// Well-formed UTF-8 by Unicode table 3-7 (no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace railhead::base
