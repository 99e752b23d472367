#include "gateway/base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

namespace railhead::base {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;

// kTables[k][b]: the effect of byte b followed by k zero bytes ("slicing by 8").
constexpr std::array<std::array<std::uint32_t, 256>, 8> make_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (std::uint32_t i = 0; i < 256; ++i) {
    for (std::size_t k = 1; k < 8; ++k) tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xff];
  }
  return tables;
}
constexpr auto kTables = make_tables();

std::uint32_t update_portable(std::uint32_t crc, const char* at, std::size_t size) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(at[i])); };
  while (size >= 8) {
    crc ^= byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24;
    crc = kTables[7][crc & 0xff] ^ kTables[6][(crc >> 8) & 0xff] ^ kTables[5][(crc >> 16) & 0xff] ^
          kTables[4][crc >> 24] ^ kTables[3][byte(4)] ^ kTables[2][byte(5)] ^ kTables[1][byte(6)] ^ kTables[0][byte(7)];
    at += 8;
    size -= 8;
  }
  for (std::size_t i = 0; i < size; ++i) crc = (crc >> 8) ^ kTables[0][(crc ^ byte(i)) & 0xff];
  return crc;
}

#if defined(__x86_64__)
#define RAILHEAD_CRC_TARGET __attribute__((target("sse4.2")))
RAILHEAD_CRC_TARGET inline std::uint64_t step(std::uint64_t crc, std::uint64_t word) noexcept {
  return __builtin_ia32_crc32di(crc, word);
}
RAILHEAD_CRC_TARGET inline std::uint32_t step_half(std::uint32_t crc, std::uint32_t half) noexcept {
  return __builtin_ia32_crc32si(crc, half);
}
RAILHEAD_CRC_TARGET inline std::uint32_t step_byte(std::uint32_t crc, unsigned char byte) noexcept {
  return __builtin_ia32_crc32qi(crc, byte);
}
bool has_hardware() noexcept { return __builtin_cpu_supports("sse4.2") != 0; }
#elif defined(__aarch64__) && defined(__GNUC__) && !defined(__clang__)
#define RAILHEAD_CRC_TARGET __attribute__((target("+crc")))
RAILHEAD_CRC_TARGET inline std::uint64_t step(std::uint64_t crc, std::uint64_t word) noexcept {
  return __builtin_aarch64_crc32cx(static_cast<std::uint32_t>(crc), word);
}
RAILHEAD_CRC_TARGET inline std::uint32_t step_half(std::uint32_t crc, std::uint32_t half) noexcept {
  return __builtin_aarch64_crc32cw(crc, half);
}
RAILHEAD_CRC_TARGET inline std::uint32_t step_byte(std::uint32_t crc, unsigned char byte) noexcept {
  return __builtin_aarch64_crc32cb(crc, byte);
}
bool has_hardware() noexcept { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#endif

#if defined(RAILHEAD_CRC_TARGET)
// What `bytes` zero bytes make of a crc, one table for each of its bytes.
using Shift = std::array<std::array<std::uint32_t, 256>, 4>;
constexpr Shift make_shift(std::size_t bytes) {
  std::array<std::uint32_t, 32> of_bit{};
  for (std::size_t bit = 0; bit < 32; ++bit) {
    std::uint32_t crc = std::uint32_t{1} << bit;
    for (std::size_t i = 0; i < bytes; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xff];
    of_bit[bit] = crc;
  }
  Shift shift{};
  for (std::size_t place = 0; place < 4; ++place) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      for (std::size_t bit = 0; bit < 8; ++bit) {
        if ((byte >> bit & 1) != 0) shift[place][byte] ^= of_bit[place * 8 + bit];
      }
    }
  }
  return shift;
}
constexpr std::uint32_t shifted(const Shift& shift, std::uint32_t crc) {
  return shift[0][crc & 0xff] ^ shift[1][crc >> 8 & 0xff] ^ shift[2][crc >> 16 & 0xff] ^ shift[3][crc >> 24];
}

constexpr std::size_t kLongStrand = 512;
constexpr std::size_t kShortStrand = 64;
constexpr Shift kShiftLong = make_shift(kLongStrand);
constexpr Shift kShiftShort = make_shift(kShortStrand);

// The instruction takes three cycles and one can begin in each, so three strands run side by side. The crc is 64 bits
// wide, as x86 gives it: cutting it to 32 between two steps would cost a cycle more each.
template <std::size_t kStrand>
RAILHEAD_CRC_TARGET inline std::uint64_t update_strands(std::uint64_t crc, const char*& at, std::size_t& size,
                                                        const Shift& shift) noexcept {
  for (; size >= 3 * kStrand; at += 3 * kStrand, size -= 3 * kStrand) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < kStrand; i += 8) {
      std::uint64_t words[3];
      std::memcpy(&words[0], at + i, 8);
      std::memcpy(&words[1], at + kStrand + i, 8);
      std::memcpy(&words[2], at + 2 * kStrand + i, 8);
      crc = step(crc, words[0]);
      second = step(second, words[1]);
      third = step(third, words[2]);
    }
    crc = shifted(shift, shifted(shift, static_cast<std::uint32_t>(crc)) ^ static_cast<std::uint32_t>(second)) ^ third;
  }
  return crc;
}

RAILHEAD_CRC_TARGET std::uint32_t update_hardware(std::uint32_t before, const char* at, std::size_t size) noexcept {
  std::uint64_t wide = update_strands<kLongStrand>(before, at, size, kShiftLong);
  wide = update_strands<kShortStrand>(wide, at, size, kShiftShort);
  for (; size >= 8; at += 8, size -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    wide = step(wide, word);
  }
  std::uint32_t crc = static_cast<std::uint32_t>(wide);
  if (size >= 4) {
    std::uint32_t half;
    std::memcpy(&half, at, 4);
    crc = step_half(crc, half);
    at += 4;
    size -= 4;
  }
  for (; size > 0; ++at, --size) crc = step_byte(crc, static_cast<unsigned char>(*at));
  return crc;
}
#else
std::uint32_t update_hardware(std::uint32_t crc, const char* at, std::size_t size) noexcept {
  return update_portable(crc, at, size);
}
bool has_hardware() noexcept { return false; }
#endif

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc) noexcept {
  static const bool hardware = has_hardware();
  return ~(hardware ? update_hardware(~crc, bytes.data(), bytes.size())
                    : update_portable(~crc, bytes.data(), bytes.size()));
}

std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t crc) noexcept {
  return ~update_portable(~crc, bytes.data(), bytes.size());
}

}  // namespace railhead::base
