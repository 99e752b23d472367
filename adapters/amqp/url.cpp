#include "adapters/amqp/config.h"
#include "gateway/base/text.h"

namespace railhead::amqp {
namespace {

constexpr std::uint16_t kPort = 5672;
constexpr std::uint16_t kTlsPort = 5671;

Result<std::string> percent_decoded(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return fail(Errc::invalid, "a % is followed by two hexadecimal digits");
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  Url url;
  if (text.starts_with("amqps://")) {
    url.tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("amqp://")) {
    text.remove_prefix(7);
  } else if (text.starts_with("amqp10")) {
    return fail(Errc::invalid, "AMQP 1.0 is not in this version");
  } else {
    return fail(Errc::invalid, "an AMQP url begins with amqp:// or amqps://");
  }
  const std::size_t slash = text.find('/');
  std::string_view authority = text.substr(0, slash);
  if (slash != std::string_view::npos) {
    Result<std::string> vhost = percent_decoded(text.substr(slash + 1));
    if (!vhost) return fail(vhost.error());
    url.vhost = std::move(*vhost);
  }
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    const std::size_t colon = login.find(':');
    Result<std::string> user = percent_decoded(login.substr(0, colon));
    if (!user) return fail(user.error());
    url.user = std::move(*user);
    if (colon != std::string_view::npos) {
      Result<std::string> password = percent_decoded(login.substr(colon + 1));
      if (!password) return fail(password.error());
      url.password = std::move(*password);
    }
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return fail(Errc::invalid, "an IPv6 address ends with ]");
    url.host = std::string(authority.substr(1, end - 1));
    const std::string_view after = authority.substr(end + 1);
    if (!after.empty() && after.front() != ':') return fail(Errc::invalid, "after ] comes :port");
    port = after.empty() ? after : after.substr(1);
    if (!after.empty() && port.empty()) return fail(Errc::invalid, "the port is missing");
  } else {
    const std::size_t colon = authority.find(':');
    url.host = std::string(authority.substr(0, colon));
    if (colon != std::string_view::npos) {
      port = authority.substr(colon + 1);
      if (port.empty()) return fail(Errc::invalid, "the port is missing");
    }
  }
  if (url.host.empty()) return fail(Errc::invalid, "the host is missing");
  url.port = url.tls ? kTlsPort : kPort;
  if (!port.empty()) {
    const auto number = base::parse_uint(port);
    if (!number || *number == 0 || *number > 65'535) return fail(Errc::invalid, "a port is 1 to 65535");
    url.port = static_cast<std::uint16_t>(*number);
  }
  return url;
}

}  // namespace railhead::amqp
