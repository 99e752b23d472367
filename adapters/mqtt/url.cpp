#include "adapters/mqtt/url.h"

#include <array>

#include "gateway/base/text.h"

namespace railhead::mqtt {
namespace {

struct Scheme {
  std::string_view name;
  std::uint16_t port;
  bool tls;
  bool websocket;
};
constexpr std::array kSchemes{
    Scheme{"mqtt", 1883, false, false}, Scheme{"tcp", 1883, false, false}, Scheme{"mqtts", 8883, true, false},
    Scheme{"tls", 8883, true, false},   Scheme{"ssl", 8883, true, false},  Scheme{"ws", 80, false, true},
    Scheme{"wss", 443, true, true},
};

Result<void> take_scheme(std::string_view name, Url& url) {
  for (const Scheme& scheme : kSchemes) {
    if (scheme.name != name) continue;
    url.port = scheme.port;
    url.tls = scheme.tls;
    url.websocket = scheme.websocket;
    return {};
  }
  return fail(Errc::invalid, "unknown scheme '" + std::string(name) + "': mqtt://, mqtts://, ws:// or wss://");
}

// Visible ASCII only: it goes into a request line.
bool is_path(std::string_view path) {
  for (const char letter : path) {
    if (letter <= ' ' || letter > '~' || letter == '#') return false;
  }
  return true;
}

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return name + ":" + std::to_string(port);
}

std::string Url::text() const {
  if (websocket) return (tls ? "wss://" : "ws://") + authority() + path;
  return (tls ? "mqtts://" : "mqtt://") + authority();
}

Result<Url> parse_url(std::string_view text) {
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos)
    return fail(Errc::invalid, "a URL is due, such as mqtt://broker.local:1883");
  Url url;
  if (Result<void> known = take_scheme(text.substr(0, scheme_end), url); !known) return fail(known.error());
  std::string_view rest = text.substr(scheme_end + 3);
  if (url.websocket) {
    const std::size_t path = rest.find('/');
    url.path = path == std::string_view::npos || path + 1 == rest.size() ? "/mqtt" : std::string(rest.substr(path));
    rest = rest.substr(0, path);
    if (!is_path(url.path)) return fail(Errc::invalid, "the path holds a character that a URL must not");
  } else if (!rest.empty() && rest.back() == '/') {
    rest.remove_suffix(1);
  }
  if (rest.find('@') != std::string_view::npos) {
    return fail(Errc::invalid, "credentials do not belong in the URL: use user: and password:");
  }
  if (rest.find_first_of("/?# ") != std::string_view::npos)
    return fail(Errc::invalid, "only a host and a port are due");
  std::string_view port;
  if (!rest.empty() && rest.front() == '[') {
    const std::size_t close = rest.find(']');
    if (close == std::string_view::npos) return fail(Errc::invalid, "']' is missing");
    url.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (!rest.empty() && rest.front() != ':') return fail(Errc::invalid, "a port is due after ']'");
    if (!rest.empty()) port = rest.substr(1);
    if (!rest.empty() && port.empty()) return fail(Errc::invalid, "the port is empty");
  } else {
    const std::size_t colon = rest.find(':');
    url.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = rest.substr(colon + 1);
      if (port.find(':') != std::string_view::npos) return fail(Errc::invalid, "an IPv6 address stands in brackets");
      if (port.empty()) return fail(Errc::invalid, "the port is empty");
    }
  }
  if (url.host.empty()) return fail(Errc::invalid, "the host is missing");
  // It goes into a request line and a certificate check.
  if (!is_path(url.host)) return fail(Errc::invalid, "the host holds a character that a name must not");
  if (!port.empty()) {
    const auto number = base::parse_uint(port);
    if (!number || *number == 0 || *number > 65535) return fail(Errc::invalid, "the port is 1 to 65535");
    url.port = static_cast<std::uint16_t>(*number);
  }
  return url;
}

}  // namespace railhead::mqtt
