// The field as both clients see it: a server that answers whatever reads arrive, as cheaply as it can. A process of its
// own (`bench_modbus --field`), on any loopback address of one port, so that every device is a connection of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace railhead::bench {

// Registers 2n and 2n+1 hold the float n: what a client decodes shows that it was sent these bytes.
inline float value_at(unsigned address) { return static_cast<float>(address / 2); }

// Until its standard input ends; prints its port first and the tally last.
int run_field();

// What a client and the field must agree on, and when the requests came.
struct Tally {
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;     // answered
  std::uint64_t checksum = 0;  // sum of all bytes of registers that were answered
  double late_p50 = 0;         // seconds behind the connection's own grid of one second
  double late_p99 = 0;
};

class Field {
 public:
  Field(const std::string& self, int core);
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Ends it.
  [[nodiscard]] Tally tally();

 private:
  std::unique_ptr<test::Process> process_;
  std::uint16_t port_ = 0;
};

}  // namespace railhead::bench
