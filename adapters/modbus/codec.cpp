#include "adapters/modbus/codec.h"

#include "adapters/modbus/wire.h"

namespace railhead::modbus {

std::uint8_t function_of(Table table) noexcept {
  switch (table) {
    case Table::coil: return 1;
    case Table::discrete: return 2;
    case Table::holding: return 3;
    case Table::input: return 4;
  }
  return 0;
}

void encode_read(std::string& to, std::uint16_t transaction, const ReadRequest& request) {
  put_word(to, transaction);
  put_word(to, 0);  // protocol identifier
  put_word(to, 6);  // unit identifier and PDU
  to.push_back(static_cast<char>(request.unit));
  to.push_back(static_cast<char>(function_of(request.table)));
  put_word(to, request.address);
  put_word(to, request.count);
}

void encode_frame(std::string& to, std::uint16_t transaction, std::uint8_t unit, std::string_view pdu) {
  put_word(to, transaction);
  put_word(to, 0);  // protocol identifier
  put_word(to, static_cast<unsigned>(pdu.size() + 1));
  to.push_back(static_cast<char>(unit));
  to += pdu;
}

Result<std::optional<Frame>> first_frame(std::string_view bytes) {
  // Checked as soon as the bytes are there: garbage must not make us wait for more of it.
  if (bytes.size() >= 4 && word_at(bytes, 2) != 0) {
    return fail(Errc::protocol, "not Modbus TCP: protocol identifier " + std::to_string(word_at(bytes, 2)));
  }
  if (bytes.size() < 6) return std::nullopt;
  const std::size_t length = word_at(bytes, 4);
  if (length < 2 || length > kPduMax + 1) {
    return fail(Errc::protocol, "not Modbus TCP: a frame of length " + std::to_string(length));
  }
  if (bytes.size() < 6 + length) return std::nullopt;
  return Frame{.transaction = word_at(bytes, 0),
               .unit = byte_at(bytes, 6),
               .pdu = bytes.substr(kHeaderSize, length - 1),
               .size = 6 + length};
}

Result<ReadAnswer> parse_read(const ReadRequest& request, std::string_view pdu) {
  const unsigned function = function_of(request.table);
  if (pdu.empty()) return fail(Errc::protocol, "an empty answer");
  const unsigned answered = byte_at(pdu, 0);
  if (answered == (function | 0x80u)) {
    if (pdu.size() != 2 || pdu[1] == 0) return fail(Errc::protocol, "a malformed exception");
    return ReadAnswer{.exception = byte_at(pdu, 1), .payload = {}};
  }
  if (answered != function) {
    return fail(Errc::protocol,
                "function " + std::to_string(answered) + " answers function " + std::to_string(function));
  }
  const bool bits = request.table == Table::coil || request.table == Table::discrete;
  const std::size_t expected = bits ? (request.count + 7u) / 8u : request.count * 2u;
  if (pdu.size() < 2 || byte_at(pdu, 1) != expected || pdu.size() != expected + 2) {
    return fail(Errc::protocol, "an answer of " + std::to_string(pdu.size()) + " bytes where " +
                                    std::to_string(expected + 2) + " were due");
  }
  return ReadAnswer{.exception = 0, .payload = pdu.substr(2)};
}

std::string exception_text(std::uint8_t code) {
  switch (code) {
    case 1: return "illegal function";
    case 2: return "illegal data address";
    case 3: return "illegal data value";
    case 4: return "device failure";
    case 5: return "acknowledge, still working";
    case 6: return "device busy";
    case 8: return "memory parity error";
    case 10: return "gateway path unavailable";
    case 11: return "gateway target does not respond";
    default: return "exception " + std::to_string(code);
  }
}

}  // namespace railhead::modbus
