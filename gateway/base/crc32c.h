// CRC-32C (Castagnoli), reflected, initial and final value 0xffffffff: RFC 3720 appendix B.4. Uses the processor's
// instruction on x86 (SSE 4.2) and ARMv8 (CRC), a table otherwise. Threads: pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace railhead::base {

// Continues `crc` (0 to begin) over `bytes`.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0) noexcept;

// The table version alone: what the hardware version is tested against.
[[nodiscard]] std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t crc = 0) noexcept;

}  // namespace railhead::base
