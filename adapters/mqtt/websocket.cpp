#include "adapters/mqtt/websocket.h"

#include <algorithm>
#include <utility>

#include "adapters/mqtt/sha1.h"
#include "gateway/base/bytes.h"
#include "gateway/base/text.h"

namespace railhead::mqtt {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t kControlMax = 125;
constexpr std::uint16_t kNoStatus = 1005;

std::string lower(std::string_view text) {
  std::string made(text);
  for (char& letter : made) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return made;
}

// Whether a comma-separated header value names `token`, in any case.
bool has_token(std::string_view value, std::string_view token) {
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    if (lower(base::trim(value.substr(0, comma))) == token) return true;
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
  }
  return false;
}

tl::unexpected<Error> refused(std::string_view status_line) {
  const std::string_view status = base::trim(status_line.substr(std::min<std::size_t>(status_line.size(), 9)));
  const bool denied = status.substr(0, 3) == "401" || status.substr(0, 3) == "403";
  return fail(denied ? Errc::denied : Errc::unavailable,
              "WebSocket: the server answers '" + std::string(status.substr(0, 100)) + "' instead of 101");
}

bool is_control(WebsocketOpcode opcode) { return opcode >= WebsocketOpcode::close; }

}  // namespace

std::string websocket_request(std::string_view authority, std::string_view path, std::string_view key) {
  std::string made = "GET ";
  made.append(path).append(" HTTP/1.1\r\nHost: ").append(authority);
  made += "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ";
  made.append(key);
  made += "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
  return made;
}

std::string websocket_accept(std::string_view key) {
  const auto digest = sha1(std::string(key).append(kGuid));
  return base::to_base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Result<std::optional<std::size_t>> read_websocket_answer(std::string_view bytes, std::string_view key) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() > kWebsocketHeadMax) return fail(Errc::protocol, "WebSocket: the answer's head has no end");
    constexpr std::string_view kHttp = "HTTP/1.";
    if (bytes.substr(0, kHttp.size()) != kHttp.substr(0, bytes.size())) {
      return fail(Errc::protocol, "WebSocket: the answer is not HTTP");
    }
    return std::nullopt;
  }
  std::string_view head = bytes.substr(0, end + 2);
  std::size_t line_end = head.find("\r\n");
  const std::string_view status = head.substr(0, line_end);
  if (status.substr(0, 12) != "HTTP/1.1 101") {
    if (status.substr(0, 7) != "HTTP/1.") return fail(Errc::protocol, "WebSocket: the answer is not HTTP");
    return refused(status);
  }
  head.remove_prefix(line_end + 2);
  bool upgrade = false;
  bool connection = false;
  bool protocol = false;
  bool accepted = false;
  while (!head.empty()) {
    line_end = head.find("\r\n");
    const std::string_view line = head.substr(0, line_end);
    head.remove_prefix(line_end + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return fail(Errc::protocol, "WebSocket: a header without a colon");
    const std::string name = lower(line.substr(0, colon));
    const std::string_view value = base::trim(line.substr(colon + 1));
    if (name == "upgrade") upgrade = has_token(value, "websocket");
    if (name == "connection") connection = has_token(value, "upgrade");
    if (name == "sec-websocket-accept") accepted = value == websocket_accept(key);
    if (name == "sec-websocket-protocol") protocol = value == "mqtt";
    // None was offered [WS 4.1].
    if (name == "sec-websocket-extensions" && !value.empty()) {
      return fail(Errc::protocol, "WebSocket: an extension nobody asked for");
    }
  }
  if (!upgrade || !connection) return fail(Errc::protocol, "WebSocket: 101 without an upgrade");
  if (!accepted) return fail(Errc::protocol, "WebSocket: the answer belongs to another request");
  if (!protocol) return fail(Errc::protocol, "WebSocket: the server does not speak subprotocol mqtt here");
  return end + 4;
}

void put_websocket_frame(WebsocketOpcode opcode, std::string_view payload, WebsocketMask mask, std::string& out) {
  out += static_cast<char>(0x80u | static_cast<unsigned>(opcode));
  const std::uint64_t size = payload.size();
  if (size <= kControlMax) {
    out += static_cast<char>(0x80u | size);
  } else if (size <= 0xffff) {
    out += static_cast<char>(0x80u | 126u);
    out += static_cast<char>(size >> 8);
    out += static_cast<char>(size & 0xff);
  } else {
    out += static_cast<char>(0x80u | 127u);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift & 0xff);
  }
  out.append(mask.data(), mask.size());
  const std::size_t begin = out.size();
  out.append(payload);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out[begin + i] =
        static_cast<char>(static_cast<unsigned char>(out[begin + i]) ^ static_cast<unsigned char>(mask[i & 3]));
  }
}

// False: feed more.
Result<bool> WebsocketReader::read_header(std::string_view& bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(header_[i]); };
  const auto due = [&]() -> std::size_t {
    if (header_.size() < 2) return 2;
    const unsigned length = at(1) & 0x7fu;
    return length == 126 ? 4 : length == 127 ? 10 : 2;
  };
  while (header_.size() < due()) {
    if (bytes.empty()) return false;
    header_ += bytes.front();
    bytes.remove_prefix(1);
    if (header_.size() != 2) continue;
    const unsigned opcode = at(0) & 0x0fu;
    if ((at(0) & 0x70u) != 0) return fail(Errc::protocol, "WebSocket: reserved bits");
    if ((at(1) & 0x80u) != 0) return fail(Errc::protocol, "WebSocket: a server must not mask");
    if (opcode > 2 && (opcode < 8 || opcode > 10)) return fail(Errc::protocol, "WebSocket: a reserved opcode");
    if (opcode == 1) return fail(Errc::protocol, "WebSocket: text, where MQTT is binary");
    if (opcode >= 8 && ((at(0) & 0x80u) == 0 || (at(1) & 0x7fu) > kControlMax)) {
      return fail(Errc::protocol, "WebSocket: a control frame that is cut or too long");
    }
    if (opcode < 8 && (opcode == 0) != in_message_) {
      return fail(Errc::protocol,
                  opcode == 0 ? "WebSocket: a continuation of nothing" : "WebSocket: a new message within another");
    }
  }
  opcode_ = static_cast<WebsocketOpcode>(at(0) & 0x0fu);
  left_ = at(1) & 0x7fu;
  if (left_ >= 126) {
    const std::size_t count = left_ == 126 ? 2 : 8;
    left_ = 0;
    for (std::size_t i = 0; i < count; ++i) left_ = left_ << 8 | at(2 + i);
    if (left_ <= (count == 2 ? kControlMax : 0xffffu) || left_ >> 63 != 0) {
      return fail(Errc::protocol, "WebSocket: a length that is not written as it must be");
    }
  }
  if (!is_control(opcode_)) in_message_ = (at(0) & 0x80u) == 0;
  header_.clear();
  in_frame_ = true;
  return true;
}

Result<WebsocketReader::Progress> WebsocketReader::read(std::string_view bytes, std::span<char> into) {
  std::string_view rest = bytes;
  std::size_t given = 0;
  while (!closed_ && !answer_) {
    if (!in_frame_) {
      const Result<bool> whole = read_header(rest);
      if (!whole) return fail(whole.error());
      if (!*whole) break;
    }
    const bool control = is_control(opcode_);
    const std::size_t room = control ? kControlMax : into.size() - given;
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>({left_, rest.size(), std::uint64_t{room}}));
    if (control) {
      control_.append(rest.substr(0, count));
    } else {
      std::copy_n(rest.data(), count, into.data() + given);
      given += count;
    }
    rest.remove_prefix(count);
    left_ -= count;
    if (left_ > 0) break;
    in_frame_ = false;
    if (!control) continue;
    std::string payload = std::exchange(control_, {});
    if (opcode_ == WebsocketOpcode::pong) continue;
    if (opcode_ == WebsocketOpcode::close) {
      if (payload.size() == 1) return fail(Errc::protocol, "WebSocket: half a status code");
      closed_ = payload.empty() ? kNoStatus
                                : static_cast<std::uint16_t>(static_cast<unsigned char>(payload[0]) << 8 |
                                                             static_cast<unsigned char>(payload[1]));
      payload.resize(std::min<std::size_t>(payload.size(), 2));
    }
    answer_ = {opcode_ == WebsocketOpcode::close ? WebsocketOpcode::close : WebsocketOpcode::pong, std::move(payload)};
  }
  return Progress{bytes.size() - rest.size(), given};
}

std::optional<WebsocketReader::Answer> WebsocketReader::take_answer() { return std::exchange(answer_, std::nullopt); }

}  // namespace railhead::mqtt
