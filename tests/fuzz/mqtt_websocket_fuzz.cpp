// Fuzz target: WebSocket frames and the answer to the handshake. However the bytes are cut and however small the buffer
// is, the same payload must come out, or the same refusal.
// Rooms: adapters/mqtt
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/mqtt/websocket.h"
#include "gateway/base/assert.h"

namespace {

using namespace railhead::mqtt;

// The payload and the answers, and whether it ended by a refusal.
struct Outcome {
  std::string payload;
  std::string answers;
  std::optional<std::uint16_t> closed;
  bool refused = false;
  bool operator==(const Outcome&) const = default;
};

Outcome run(std::string_view bytes, std::size_t piece, std::size_t room) {
  WebsocketReader reader;
  Outcome outcome;
  std::string held;
  std::string buffer(room, '\0');
  while (!bytes.empty() && !outcome.refused) {
    const std::size_t count = std::min(piece, bytes.size());
    held.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    for (;;) {
      const auto progress = reader.read(held, buffer);
      if (!progress) {
        outcome.refused = true;
        break;
      }
      RAILHEAD_ASSERT(progress->taken <= held.size() && progress->given <= room);
      held.erase(0, progress->taken);
      outcome.payload.append(buffer, 0, progress->given);
      const auto answer = reader.take_answer();
      if (answer) {
        RAILHEAD_ASSERT(answer->payload.size() <= 125);
        outcome.answers += answer->payload + ';';
      }
      if (progress->taken == 0 && progress->given == 0 && !answer) break;
    }
    // What is not taken is the beginning of a header, or comes after a close.
    RAILHEAD_ASSERT(held.size() < 16 || reader.closed() || outcome.refused);
  }
  outcome.closed = reader.closed();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = data[0] % 16 + 1;
  const std::size_t room = data[1] % 32 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  Outcome whole = run(bytes, bytes.size() + 1, 4096);
  Outcome cut = run(bytes, piece, room);
  // Before a refusal, one may have handed out more than the other.
  RAILHEAD_ASSERT(whole.refused == cut.refused);
  if (!whole.refused) RAILHEAD_ASSERT(whole == cut);
  const auto head = read_websocket_answer(bytes, "dGhlIHNhbXBsZSBub25jZQ==");
  if (head && *head) RAILHEAD_ASSERT(**head <= bytes.size());
  return 0;
}
