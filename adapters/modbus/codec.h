// Modbus codec: bytes <-> requests and answers on TCP (MBAP). No I/O, no clock, no allocation but the output string.
// Standard: MODBUS Application Protocol V1.1b3, cited [MB 6.3]; MODBUS Messaging on TCP/IP V1.0b, cited [TCP 3.1].
// Shapes:   registers are 16 bit, big-endian on the wire; 1..125 registers or 1..2000 bits a read; a PDU has at most
// 253
//           bytes; bits are packed least significant first.
// Units:    addresses count from 0, never the 4xxxx notation.
// Errors:   Errc::protocol: bytes that are no Modbus. Short input is not an error: nullopt, feed more.
// Threads:  pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/modbus/points.h"
#include "gateway/base/result.h"

namespace railhead::modbus {

inline constexpr std::uint16_t kRegistersMax = 125;  // [MB 6.3]
inline constexpr std::uint16_t kBitsMax = 2000;      // [MB 6.1]
inline constexpr std::size_t kPduMax = 253;          // [MB 4.1]
inline constexpr std::size_t kHeaderSize = 7;        // MBAP with the unit identifier [TCP 3.1.3]
inline constexpr std::size_t kFrameMax = kHeaderSize + kPduMax;

struct ReadRequest {
  std::uint8_t unit = 1;
  Table table = Table::holding;
  std::uint16_t address = 0;
  std::uint16_t count = 1;
};

[[nodiscard]] std::uint8_t function_of(Table table) noexcept;  // 1, 2, 3, 4

// Appends one whole frame (12 bytes) to `to`.
void encode_read(std::string& to, std::uint16_t transaction, const ReadRequest& request);

// Any request: unit and PDU.
void encode_frame(std::string& to, std::uint16_t transaction, std::uint8_t unit, std::string_view pdu);

struct Frame {
  std::uint16_t transaction = 0;
  std::uint8_t unit = 0;
  std::string_view pdu;  // into the input
  std::size_t size = 0;  // of the whole frame: what to take off the input
};

// The first frame of `bytes`. Errc::protocol: protocol identifier not 0 or an impossible length, after which the stream
// cannot be read on.
[[nodiscard]] Result<std::optional<Frame>> first_frame(std::string_view bytes);

// What a device said to a read: an exception code, or 2 * count bytes of registers, or (count + 7) / 8 bytes of bits.
struct ReadAnswer {
  std::uint8_t exception = 0;  // 0: none; otherwise 1..255 as sent
  std::string_view payload;
};

// Errc::protocol: this PDU answers another question (function, byte count, length): not to be used.
[[nodiscard]] Result<ReadAnswer> parse_read(const ReadRequest& request, std::string_view pdu);

// "illegal data address" for 2; "exception 99" for a code without a name [MB 7].
[[nodiscard]] std::string exception_text(std::uint8_t code);

}  // namespace railhead::modbus
