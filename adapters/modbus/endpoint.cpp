#include "adapters/modbus/endpoint.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>
#include <utility>

#include "gateway/base/text.h"

namespace railhead::modbus {
namespace {

std::optional<std::uint16_t> delay_of(std::string_view value) {
  const auto duration = base::parse_duration(value);
  if (!duration || *duration < Duration{0} || *duration > std::chrono::seconds{1}) return std::nullopt;
  return static_cast<std::uint16_t>(std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count());
}

// One NAME=VALUE of a serial url; what is wrong with it, or "".
std::string take_option(SerialOptions& serial, std::string_view name, std::string_view value) {
  const auto number = base::parse_uint(value);
  if (name == "baud") {
    constexpr std::uint32_t kBauds[] = {300,    600,    1200,   1800,   2400,   4800,   9600,   14400,
                                        19200,  28800,  38400,  57600,  76800,  115200, 128000, 230400,
                                        250000, 256000, 460800, 500000, 576000, 921600, 1000000};
    if (!number || std::find(std::begin(kBauds), std::end(kBauds), *number) == std::end(kBauds)) {
      return "expected a baud of 300, ... 9600, 14400, 19200, 28800, 38400, 57600, 76800, 115200, ... 1000000";
    }
    serial.baud = static_cast<std::uint32_t>(*number);
  } else if (name == "parity") {
    if (value != "none" && value != "even" && value != "odd") return "parity is none, even or odd";
    serial.parity = value == "none" ? Parity::none : value == "even" ? Parity::even : Parity::odd;
  } else if (name == "data") {
    if (!number || *number < 7 || *number > 8) return "data is 8, or 7";
    serial.data = static_cast<std::uint8_t>(*number);
  } else if (name == "stop") {
    if (!number || *number < 1 || *number > 2) return "stop is 1 or 2";
    serial.stop = static_cast<std::uint8_t>(*number);
  } else if (name == "rs485") {
    if (value != "off" && value != "high" && value != "low")
      return "rs485 is off, high or low: the level of RTS on send";
    serial.rs485 = value == "off" ? Rs485::off : value == "high" ? Rs485::rts_high_on_send : Rs485::rts_low_on_send;
  } else if (name == "delay_before" || name == "delay_after") {
    const auto delay = delay_of(value);
    if (!delay) return std::string(name) + " is a time of 0..1 s, like 1ms";
    (name == "delay_before" ? serial.delay_before_ms : serial.delay_after_ms) = *delay;
  } else if (name == "echo") {
    if (value != "on" && value != "off") return "echo is on or off";
    serial.echo = value == "on";
  } else {
    return "unknown option '" + std::string(name) +
           "': baud, parity, data, stop, rs485, delay_before, delay_after and echo are known";
  }
  return "";
}

Result<Endpoint> parse_serial(std::string_view rest) {
  Endpoint endpoint;
  endpoint.transport = Transport::rtu;
  endpoint.port = 0;
  const std::size_t question = rest.find('?');
  endpoint.host = std::string(rest.substr(0, question));
  if (endpoint.host.size() < 2 || endpoint.host.front() != '/') {
    return fail(Errc::invalid, "expected the path of a serial line: rtu:///dev/ttyUSB0?baud=19200&parity=even");
  }
  if (question == std::string_view::npos) return endpoint;
  for (const std::string_view option : base::split(rest.substr(question + 1), '&')) {
    const std::size_t equals = option.find('=');
    const std::string_view name = option.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : option.substr(equals + 1);
    if (std::string fault = take_option(endpoint.serial, name, value); !fault.empty()) {
      return fail(Errc::invalid, std::move(fault));
    }
  }
  return endpoint;
}

}  // namespace

Duration SerialOptions::character() const {
  const unsigned bits = 1u + data + (parity == Parity::none ? 0u : 1u) + stop;
  return Duration{std::chrono::nanoseconds{std::chrono::seconds{1}}} * bits / baud;
}

Duration SerialOptions::gap() const {
  return baud > 19200 ? Duration{std::chrono::microseconds{1750}} : character() * 7 / 2;
}

std::string Endpoint::text() const {
  if (transport == Transport::rtu) return host;
  const bool bracketed = host.find(':') != std::string::npos;
  return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> parse_url(std::string_view url) {
  const std::size_t mark = url.find("://");
  if (mark == std::string_view::npos) {
    const bool path = url.starts_with("/");
    return fail(Errc::invalid, path ? "expected a url like rtu:///dev/ttyUSB0?baud=19200&parity=even"
                                    : "expected a url like tcp://10.0.0.17:502");
  }
  const std::string_view scheme = url.substr(0, mark);
  if (scheme == "rtu") return parse_serial(url.substr(mark + 3));
  if (scheme != "tcp" && scheme != "tls" && scheme != "rtu+tcp") {
    return fail(Errc::invalid, "unknown scheme '" + std::string(scheme) + "': expected tcp://host:port");
  }
  std::string_view rest = url.substr(mark + 3);
  Endpoint endpoint;
  endpoint.transport = scheme == "tls" ? Transport::tls : scheme == "rtu+tcp" ? Transport::rtu_tcp : Transport::tcp;
  endpoint.port = endpoint.secure() ? 802 : 502;
  std::size_t colon = rest.rfind(':');
  if (!rest.empty() && rest.front() == '[') {
    const std::size_t bracket = rest.find(']');
    if (bracket == std::string_view::npos) return fail(Errc::invalid, "the bracket of the IPv6 address is not closed");
    endpoint.host = std::string(rest.substr(1, bracket - 1));
    rest.remove_prefix(bracket + 1);
    if (!rest.empty() && rest.front() != ':') return fail(Errc::invalid, "expected :port after the address");
    colon = rest.empty() ? std::string_view::npos : 0;
  } else {
    endpoint.host = std::string(rest.substr(0, colon));
  }
  const bool plain = std::all_of(endpoint.host.begin(), endpoint.host.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
  });
  if (endpoint.host.empty() || !plain) return fail(Errc::invalid, "expected a host: tcp://host:port");
  if (colon != std::string_view::npos) {
    const auto port = base::parse_uint(rest.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) return fail(Errc::invalid, "expected a port of 1..65535 after the host");
    endpoint.port = static_cast<std::uint16_t>(*port);
  } else if (endpoint.transport == Transport::rtu_tcp) {
    return fail(Errc::invalid, "rtu+tcp:// needs a port: every device server has its own");
  }
  return endpoint;
}

}  // namespace railhead::modbus
