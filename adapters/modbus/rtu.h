// RTU framing: unit | PDU | CRC, without a length and without a transaction identifier. No I/O, no clock.
// Standard: MODBUS over Serial Line V1.02, cited [SL 2.5.1]; the CRC's low byte goes first.
// Frames:   found by their check sum, at any place in the bytes: what noise put before them is skipped. The length of
// an
//           answer is known from its function.
// Threads:  pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/modbus/codec.h"

namespace railhead::modbus {

inline constexpr std::size_t kRtuFrameMax = 256;  // [SL 2.5.1]

[[nodiscard]] std::uint16_t crc16(std::string_view bytes) noexcept;

// Appends unit, PDU and check sum.
void encode_rtu(std::string& to, std::uint8_t unit, std::string_view pdu);
// 8 bytes.
void encode_rtu_read(std::string& to, const ReadRequest& request);

struct RtuFrame {
  std::uint8_t unit = 0;
  std::string_view pdu;     // into the input
  std::size_t skipped = 0;  // noise before it
  std::size_t size = 0;     // what to take off the input, the noise included
};

// The first answer in `bytes` whose check sum is right; nullopt: none yet. Bytes beyond kRtuFrameMax before their end
// can be no part of one that is still to come.
[[nodiscard]] std::optional<RtuFrame> first_rtu_answer(std::string_view bytes) noexcept;
// The same of what a master sends.
[[nodiscard]] std::optional<RtuFrame> first_rtu_request(std::string_view bytes) noexcept;

}  // namespace railhead::modbus
