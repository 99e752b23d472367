#include "adapters/mqtt/websocket.h"

#include <doctest/doctest.h>

#include "adapters/mqtt/sha1.h"
#include "gateway/base/bytes.h"

namespace railhead::mqtt {
namespace {

constexpr const char* kKey = "dGhlIHNhbXBsZSBub25jZQ==";  // the example of [WS 1.3]

std::string answer(const std::string& status = "HTTP/1.1 101 Switching Protocols",
                   const std::string& more = "Sec-WebSocket-Protocol: mqtt\r\n") {
  return status + "\r\nUpgrade: WebSocket\r\nconnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: " +
         websocket_accept(kKey) + "\r\n" + more + "\r\n";
}

// A server's frame.
std::string frame(unsigned first, std::string_view payload) {
  std::string made(1, static_cast<char>(first));
  if (payload.size() < 126) {
    made += static_cast<char>(payload.size());
  } else {
    made += '\x7e';
    made += static_cast<char>(payload.size() >> 8);
    made += static_cast<char>(payload.size() & 0xff);
  }
  return made.append(payload);
}

// All payload of a byte stream that comes in pieces of `piece` and is read into a buffer of `room`.
Result<std::string> read_all(WebsocketReader& reader, std::string_view bytes, std::size_t piece, std::size_t room,
                             std::string* answers = nullptr) {
  std::string got;
  std::string held;
  std::string buffer(room, '\0');
  while (!bytes.empty()) {
    held.append(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    for (;;) {
      const auto progress = reader.read(held, buffer);
      if (!progress) return fail(progress.error());
      held.erase(0, progress->taken);
      got.append(buffer, 0, progress->given);
      const auto answered = reader.take_answer();
      if (answered && answers != nullptr) *answers += answered->payload + ";";
      if (progress->taken == 0 && progress->given == 0 && !answered) break;
    }
  }
  return got;
}

TEST_CASE("SHA-1 gives the standard's examples") {
  const auto hex = [](std::string_view text) {
    const auto digest = sha1(text);
    return base::to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
  };
  CHECK(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") == "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

TEST_CASE("the handshake asks for subprotocol mqtt and knows the right answer") {
  CHECK(websocket_accept(kKey) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(websocket_request("broker:80", "/mqtt", kKey) ==
        "GET /mqtt HTTP/1.1\r\nHost: broker:80\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: mqtt\r\n\r\n");
  const std::string whole = answer();
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const auto read = read_websocket_answer(std::string_view(whole).substr(0, cut), kKey);
    REQUIRE(read);
    CHECK_FALSE(*read);
  }
  const auto read = read_websocket_answer(whole + "\x82", kKey);
  REQUIRE(read);
  CHECK(*read == whole.size());
}

TEST_CASE("a client's frame is masked, and its length takes no more room than it needs") {
  std::string out;
  put_websocket_frame(WebsocketOpcode::binary, "Hello", {'\x37', '\xfa', '\x21', '\x3d'}, out);
  CHECK(base::to_hex(out) == "828537fa213d7f9f4d5158");  // [WS 5.7]
  const std::pair<std::size_t, std::string> rows[] = {
      {125, "82fd"}, {126, "82fe007e"}, {65'535, "82feffff"}, {65'536, "82ff0000000000010000"}};
  for (const auto& [size, head] : rows) {
    out.clear();
    put_websocket_frame(WebsocketOpcode::binary, std::string(size, 'x'), {}, out);
    CHECK(base::to_hex(out.substr(0, head.size() / 2)) == head);
    CHECK(out.size() == head.size() / 2 + 4 + size);
  }
}

TEST_CASE("frames cut anywhere, fragmented, and with a ping between give one stream of bytes") {
  const std::string large(1000, 'y');
  const std::string stream = frame(0x82, "one") + frame(0x02, "tw") + frame(0x89, "are you there") + frame(0x00, "") +
                             frame(0x80, "o") + frame(0x8a, "unasked pong") + frame(0x82, large) + frame(0x82, "");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, stream.size()}) {
    for (const std::size_t room : {std::size_t{1}, std::size_t{5}, std::size_t{4096}}) {
      CAPTURE(piece);
      CAPTURE(room);
      WebsocketReader reader;
      std::string answers;
      const Result<std::string> got = read_all(reader, stream, piece, room, &answers);
      REQUIRE(got);
      CHECK(*got == "onetwo" + large);
      CHECK(answers == "are you there;");
    }
  }
}

TEST_CASE("a close is told with its status and answered; nothing after it counts") {
  WebsocketReader reader;
  std::string answers;
  const Result<std::string> got =
      read_all(reader, frame(0x82, "x") + frame(0x88, "\x03\xe9going away") + frame(0x82, "y"), 4096, 4096, &answers);
  REQUIRE(got);
  CHECK(*got == "x");
  CHECK(reader.closed() == 1001);
  CHECK(answers == "\x03\xe9;");
}

// Error paths

TEST_CASE("a server that does not grant the upgrade is refused, with what it says") {
  struct Row {
    std::string bytes;
    Errc code;
    const char* says;
  };
  const Row rows[] = {
      {"HTTP/1.1 403 Forbidden\r\n\r\n", Errc::denied, "403 Forbidden"},
      {"HTTP/1.1 301 Moved\r\nLocation: http://x\r\n\r\n", Errc::unavailable, "301"},
      {"SSH-2.0", Errc::protocol, "not HTTP"},
      {answer("HTTP/1.1 101 ok", ""), Errc::protocol, "subprotocol"},
      {answer("HTTP/1.1 101 ok", "Sec-WebSocket-Protocol: soap\r\n"), Errc::protocol, "subprotocol"},
      {answer("HTTP/1.1 101 ok", "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Extensions: x\r\n"), Errc::protocol,
       "extension"},
      {answer("HTTP/1.1 101 ok", "no colon\r\n"), Errc::protocol, "colon"},
      {"HTTP/1.1 101 ok\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: "
       "AAAA\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
       Errc::protocol, "another request"},
      {"HTTP/1.1 101 ok\r\n\r\n", Errc::protocol, "without an upgrade"},
      {"HTTP/1.1 101 ok\r\nX: " + std::string(kWebsocketHeadMax, 'x'), Errc::protocol, "no end"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.says);
    const auto read = read_websocket_answer(row.bytes, kKey);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == row.code);
    CHECK(read.error().what.find(row.says) != std::string::npos);
  }
}

TEST_CASE("frames that a server may not send are refused at their first bytes") {
  for (const char* hex :
       {"c2 00", "92 00", "82 80", "83 00", "8b 00", "81 00", "09 00", "89 7e", "80 00", "02 00 82 00", "82 7e 007d",
        "82 7f 000000000000ffff", "82 7f 8000000000000000", "88 01 03"}) {
    CAPTURE(hex);
    WebsocketReader reader;
    char into[16];
    CHECK_FALSE(reader.read(*base::from_hex(hex), into));
  }
}

}  // namespace
}  // namespace railhead::mqtt
