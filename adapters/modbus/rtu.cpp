#include "adapters/modbus/rtu.h"

#include <array>

#include "adapters/modbus/wire.h"

namespace railhead::modbus {
namespace {

constexpr std::array<std::uint16_t, 256> kTable = [] {
  std::array<std::uint16_t, 256> table{};
  for (unsigned i = 0; i < 256; ++i) {
    unsigned crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xa001 : crc >> 1;
    table[i] = static_cast<std::uint16_t>(crc);
  }
  return table;
}();

// Of an answer that begins here, with unit and check sum; 0: no function we know of, or not enough bytes to tell.
std::size_t answer_size(std::string_view bytes) {
  if (bytes.size() < 2) return 0;
  const unsigned function = byte_at(bytes, 1);
  if ((function & 0x80) != 0) return 5;
  switch (function) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 23: return bytes.size() < 3 ? 0 : 5u + byte_at(bytes, 2);
    case 5:
    case 6:
    case 15:
    case 16: return 8;
    case 22: return 10;
    default: return 0;
  }
}

// Bytes of the request that begins here, with unit and check sum; 0: not enough to tell, or none we know.
std::size_t request_size(std::string_view bytes) {
  if (bytes.size() < 2) return 0;
  switch (byte_at(bytes, 1)) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6: return 8;
    case 15:
    case 16: return bytes.size() < 7 ? 0 : 9u + byte_at(bytes, 6);
    case 22: return 10;
    case 23: return bytes.size() < 11 ? 0 : 13u + byte_at(bytes, 10);
    default: return 0;
  }
}

std::optional<RtuFrame> first_frame_of(std::string_view bytes, std::size_t (*size_of)(std::string_view)) {
  for (std::size_t at = 0; at + 5 <= bytes.size(); ++at) {
    const std::string_view rest = bytes.substr(at);
    const std::size_t size = size_of(rest);
    if (size == 0 || size > kRtuFrameMax || size > rest.size()) continue;
    const unsigned sent = byte_at(rest, size - 2) | unsigned{byte_at(rest, size - 1)} << 8;
    if (crc16(rest.substr(0, size - 2)) != sent) continue;
    return RtuFrame{.unit = byte_at(rest, 0), .pdu = rest.substr(1, size - 3), .skipped = at, .size = at + size};
  }
  return std::nullopt;
}

}  // namespace

std::uint16_t crc16(std::string_view bytes) noexcept {
  unsigned crc = 0xffff;
  for (const char byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return static_cast<std::uint16_t>(crc);
}

void encode_rtu(std::string& to, std::uint8_t unit, std::string_view pdu) {
  const std::size_t begin = to.size();
  to.push_back(static_cast<char>(unit));
  to.append(pdu);
  const std::uint16_t crc = crc16(std::string_view(to).substr(begin));
  to.push_back(static_cast<char>(crc & 0xff));
  to.push_back(static_cast<char>(crc >> 8));
}

void encode_rtu_read(std::string& to, const ReadRequest& request) {
  std::string frame;
  encode_read(frame, 0, request);
  encode_rtu(to, request.unit, std::string_view(frame).substr(kHeaderSize));
}

std::optional<RtuFrame> first_rtu_answer(std::string_view bytes) noexcept { return first_frame_of(bytes, answer_size); }

std::optional<RtuFrame> first_rtu_request(std::string_view bytes) noexcept {
  return first_frame_of(bytes, request_size);
}

}  // namespace railhead::modbus
