#include "adapters/mqtt/url.h"

#include "gateway/base/text.h"

namespace railhead::mqtt {

std::string Url::text() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return (tls ? "mqtts://" : "mqtt://") + name + ":" + std::to_string(port);
}

Result<Url> parse_url(std::string_view text) {
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos)
    return fail(Errc::invalid, "a URL is due, such as mqtt://broker.local:1883");
  const std::string_view scheme = text.substr(0, scheme_end);
  Url url;
  if (scheme == "mqtts" || scheme == "tls" || scheme == "ssl") {
    url.tls = true;
    url.port = 8883;
  } else if (scheme != "mqtt" && scheme != "tcp") {
    return fail(Errc::invalid, "unknown scheme '" + std::string(scheme) + "': mqtt:// or mqtts://");
  }
  std::string_view rest = text.substr(scheme_end + 3);
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
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
  if (!port.empty()) {
    const auto number = base::parse_uint(port);
    if (!number || *number == 0 || *number > 65535) return fail(Errc::invalid, "the port is 1 to 65535");
    url.port = static_cast<std::uint16_t>(*number);
  }
  return url;
}

}  // namespace railhead::mqtt
