// Endpoint: where a link leads, as a url writes it:
//   tcp://host[:502]      Modbus TCP                     rtu+tcp://host:port   RTU frames over TCP (serial device
//   servers) tls://host[:802]      Modbus/TCP Security rtu:///dev/ttyUSB0?baud=19200&parity=even&stop=1     a serial
//   line; SerialOptions
// Standard: MODBUS over Serial Line V1.02, cited [SL 2.5.1].
// Threads:  plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/base/time.h"

namespace railhead::modbus {

enum class Transport : std::uint8_t { tcp, tls, rtu_tcp, rtu };
enum class Parity : std::uint8_t { none, even, odd };
// Who switches the direction of a two-wire line: the adapter by itself, or the kernel by RTS (TIOCSRS485).
enum class Rs485 : std::uint8_t { off, rts_high_on_send, rts_low_on_send };

struct SerialOptions {
  std::uint32_t baud = 19200;
  Parity parity = Parity::even;  // [SL 2.5.1]
  std::uint8_t data = 8;
  std::uint8_t stop = 1;  // also without parity: nearly all devices mean 8N1
  Rs485 rs485 = Rs485::off;
  std::uint16_t delay_before_ms = 0;  // of RTS, with rs485
  std::uint16_t delay_after_ms = 0;
  bool echo = false;  // the line gives back what we send
  friend auto operator<=>(const SerialOptions&, const SerialOptions&) = default;

  // On the line; [SL 2.5.1.1]: between frames at least 3.5 characters, and 1.75 ms above 19,200 baud.
  [[nodiscard]] Duration character() const;
  [[nodiscard]] Duration gap() const;
};

struct Endpoint {
  std::string host;  // or the path of a serial line
  std::uint16_t port = 502;
  Transport transport = Transport::tcp;
  SerialOptions serial = {};
  [[nodiscard]] bool secure() const { return transport == Transport::tls; }
  [[nodiscard]] bool rtu() const { return transport == Transport::rtu || transport == Transport::rtu_tcp; }
  [[nodiscard]] std::string text() const;  // "10.0.0.17:502", "[::1]:502", "/dev/ttyUSB0"
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// Or what is wrong with it.
[[nodiscard]] Result<Endpoint> parse_url(std::string_view url);

}  // namespace railhead::modbus
