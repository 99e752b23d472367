#include "adapters/mqtt/port_hint.h"

#include <algorithm>
#include <array>

namespace railhead::mqtt {
namespace {

bool speaks_tls(std::string_view first) {
  constexpr char kAlert = 0x15;
  constexpr char kHandshake = 0x16;
  return first.size() >= 2 && (first[0] == kAlert || first[0] == kHandshake) && first[1] == 0x03;
}

bool speaks_http(std::string_view first) {
  constexpr std::string_view kStatusLine = "HTTP/";
  return first.substr(0, kStatusLine.size()) == kStatusLine;
}

bool is_silence(std::string_view first, const Error& why) {
  return first.empty() && (why.code == Errc::unavailable || why.code == Errc::timeout);
}

// What brokers use such a port for when nobody says otherwise.
std::string_view usual_scheme(std::uint16_t port) {
  struct Row {
    std::uint16_t port;
    std::string_view scheme;
  };
  constexpr std::array kRows{Row{8883, "mqtts"}, Row{8884, "mqtts"}, Row{443, "wss"}, Row{8084, "wss"},
                             Row{80, "ws"},      Row{8080, "ws"},    Row{8083, "ws"}, Row{9001, "ws"}};
  const auto* const found = std::find_if(kRows.begin(), kRows.end(), [&](const Row& row) { return row.port == port; });
  return found == kRows.end() ? std::string_view{} : found->scheme;
}

}  // namespace

std::string handshake_hint(const Url& url, std::string_view first, bool served_before, const Error& why) {
  if (served_before && first.empty()) return {};
  const std::string plain = url.websocket ? "ws://" : "mqtt://";
  if (url.tls) {
    if (is_silence(first, why)) return "; nothing came back: if the port has no TLS, write " + plain;
    if (first.empty() || speaks_tls(first)) return {};
    if (speaks_http(first)) return "; the port speaks HTTP without TLS: write ws://, or another port";
    return "; the port does not speak TLS: write " + plain + ", or another port";
  }
  if (!url.websocket) return {};
  if (is_silence(first, why))
    return "; nothing came back: if the port has no WebSockets, write mqtt://, if TLS, wss://";
  if (speaks_tls(first)) return "; the port speaks TLS: write wss://";
  if (first.empty() || speaks_http(first)) return {};
  return "; the port does not speak HTTP: write mqtt://, or another port";
}

std::string connect_hint(const Url& url, std::string_view first, bool served_before, const Error& why) {
  if (url.websocket) return {};
  if (speaks_tls(first)) return "; the port speaks TLS: write mqtts://";
  if (speaks_http(first)) {
    return std::string("; the port speaks HTTP: write ") + (url.tls ? "wss://" : "ws://") +
           " for MQTT over WebSockets, or another port";
  }
  if (served_before || !is_silence(first, why)) return {};
  const std::string_view usual = usual_scheme(url.port);
  if (!usual.empty() && usual != (url.tls ? "mqtts" : "mqtt")) {
    return "; port " + std::to_string(url.port) + " usually wants " + std::string(usual) + "://";
  }
  if (url.tls) return {};
  return "; if the port wants TLS, write mqtts://, if WebSockets, ws://";
}

}  // namespace railhead::mqtt
