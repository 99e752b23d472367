// WebSocket framing, the client's side: bytes <-> frames, and the opening handshake. No I/O, no clock.
// Standard: RFC 6455, cited [WS 5.2]; MQTT's use of it [5 6]: binary frames, subprotocol `mqtt`, packets and frames
// need
//           not agree.
// Shapes:   payload bytes are passed on as they come, so that a frame's length bounds no memory.
// Errors:   Errc::protocol: reserved bits or opcodes, a masked frame, a length longer than needed, a control frame that
//           is long or cut, text. Errc::denied or unavailable: the server refused the upgrade. Short input is no error.
// Threads:  one owner.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/base/result.h"

namespace railhead::mqtt {

// [WS 1.3] `key` is 16 random bytes in base64; `authority` host:port.
[[nodiscard]] std::string websocket_request(std::string_view authority, std::string_view path, std::string_view key);
// What the server must answer to `key` [WS 4.2.2].
[[nodiscard]] std::string websocket_accept(std::string_view key);
// How many bytes the answer's head has once it is whole and grants the upgrade; nullopt: feed more.
inline constexpr std::size_t kWebsocketHeadMax = 8 * 1024;
[[nodiscard]] Result<std::optional<std::size_t>> read_websocket_answer(std::string_view bytes, std::string_view key);

// One masked frame [WS 5.2, 5.3]; `mask` must be unpredictable.
enum class WebsocketOpcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
using WebsocketMask = std::array<char, 4>;
void put_websocket_frame(WebsocketOpcode opcode, std::string_view payload, WebsocketMask mask, std::string& out);

class WebsocketReader {
 public:
  // Takes bytes off `bytes` and appends payload to `into`, at most `into.size()`. Gives how many bytes it wrote. It
  // stops early at a control frame that wants an answer: take it from answer() and call again.
  struct Progress {
    std::size_t taken = 0;
    std::size_t given = 0;
  };
  [[nodiscard]] Result<Progress> read(std::string_view bytes, std::span<char> into);
  // A ping's payload, to be sent back as a pong [WS 5.5.3]; the peer's close [WS 5.5.1]. Cleared by taking it.
  struct Answer {
    WebsocketOpcode opcode;
    std::string payload;
  };
  [[nodiscard]] std::optional<Answer> take_answer();
  // The peer closed; nothing after it counts. Its status code, 1005 if it gave none [WS 7.4].
  [[nodiscard]] std::optional<std::uint16_t> closed() const { return closed_; }

 private:
  [[nodiscard]] Result<bool> read_header(std::string_view& bytes);

  std::string header_;  // of the frame, until it is whole
  bool in_frame_ = false;
  bool in_message_ = false;  // a fragmented one goes on
  WebsocketOpcode opcode_{};
  std::uint64_t left_ = 0;  // of the frame's payload
  std::string control_;
  std::optional<Answer> answer_;
  std::optional<std::uint16_t> closed_;
};

}  // namespace railhead::mqtt
