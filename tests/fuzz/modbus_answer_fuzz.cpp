// Fuzz target: what a device sends, on TCP and on a serial line: frames are found, answers parsed, values decoded.
// The first bytes choose the request and the point; the rest is what came back.
// Rooms: adapters/modbus
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "adapters/modbus/codec.h"
#include "adapters/modbus/decode.h"
#include "adapters/modbus/rtu.h"
#include "gateway/base/assert.h"

namespace {

using namespace railhead::modbus;

Point point_of(std::uint8_t type, std::uint8_t more) {
  Point point;
  point.name = "p";
  point.type = static_cast<Type>(type % (static_cast<unsigned>(Type::eui48) + 1));
  if (point.type == Type::string) point.length = static_cast<std::uint16_t>(1 + more % 40);
  if ((more & 1) != 0) point.count = static_cast<std::uint16_t>(1 + (more >> 1) % 8);
  if ((more & 2) != 0) point.absent = sunspec_absent(point.type);
  if ((more & 4) != 0) point.scale = Decimal{more, -3};
  if ((more & 8) != 0) point.offset = Decimal{-5, -1};
  if ((more & 16) != 0)
    point.flags = {{.name = "a", .field = {.lowest = 0, .count = 1}},
                   {.name = "b", .field = {.lowest = 3, .count = 5}}};
  if ((more & 32) != 0) point.names = {{1, "on"}, {2, "off"}};
  if ((more & 64) != 0) point.least = Decimal{0, 0};
  return point;
}

void decode(const ReadRequest& request, std::string_view pdu, const Point& point, int exponent) {
  const auto answer = parse_read(request, pdu);
  if (!answer || answer->exception != 0) return;
  RAILHEAD_ASSERT(answer->payload.size() == request.count * 2u);
  const Decoded decoded = Decoder(point).decode(answer->payload, 0, exponent);
  RAILHEAD_ASSERT(int{decoded.good()} + int{decoded.absent} + int{!decoded.why.empty()} == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const Point point = point_of(data[0], data[1]);
  const int exponent = data[2] % 21 - 10;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 3, size - 3);
  if (point.problem()) return 0;
  const ReadRequest request{.unit = 1, .table = Table::holding, .address = 0, .count = point.span()};

  std::string_view tcp = bytes;
  for (;;) {
    const auto frame = first_frame(tcp);
    if (!frame || !*frame) break;
    RAILHEAD_ASSERT((*frame)->size <= tcp.size() && (*frame)->size <= kFrameMax);
    decode(request, (*frame)->pdu, point, exponent);
    tcp.remove_prefix((*frame)->size);
  }

  std::string_view rtu = bytes;
  while (const auto frame = first_rtu_answer(rtu)) {
    RAILHEAD_ASSERT(frame->size <= rtu.size() && frame->skipped + frame->pdu.size() + 3 == frame->size);
    decode(request, frame->pdu, point, exponent);
    rtu.remove_prefix(frame->size);
  }

  // With the frame around it right, the rest is tried far more often.
  decode(request, bytes, point, exponent);
  std::string whole;
  encode_rtu(whole, 1, bytes.substr(0, kPduMax));
  std::string payload(request.count * 2u, '\0');
  for (std::size_t i = 0; i < payload.size() && i < bytes.size(); ++i) payload[i] = bytes[i];
  const Decoded decoded = Decoder(point).decode(payload, 0, exponent);
  RAILHEAD_ASSERT(int{decoded.good()} + int{decoded.absent} + int{!decoded.why.empty()} == 1);
  return 0;
}
