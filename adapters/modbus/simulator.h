// Simulator: servers for all devices of a Modbus source, on one epoll loop: 1,000 links and more in one thread, which
// libmodbus's modbus_reply (blocking, select) does not reach; so the codec is ours, and tests ask it with libmodbus and
// pymodbus too.
// Lines:   rtu:// is served at the configured serial port, or with `listen` at a pseudo-terminal whose path is told;
//          rtu+tcp:// as tcp://; tls:// is not.
// Errors:  open(): an address that is not this machine's, a port in use or below 1024 without the right to it.
// Bounds:  kConnectionsMax a port; a connection's unread answers kOutputMax, then it is closed.
// Threads: one.
#pragma once

#include <memory>

#include "adapters/modbus/source.h"
#include "gateway/ports/simulation.h"
#include "gateway/system/clock.h"

namespace railhead::modbus {

class Simulator final : public ports::Simulation {
 public:
  static constexpr std::size_t kConnectionsMax = 10'000;
  static constexpr std::size_t kOutputMax = 256 * 1024;

  Simulator(const SourceOptions& source, ports::SimulationOptions options, const system::Clock& clock);
  ~Simulator() override;

  [[nodiscard]] Result<std::vector<std::string>> open() override;
  void run(std::stop_token stop) override;
  [[nodiscard]] std::uint64_t served() const override;
  // Of the link with this number in the configuration, after open().
  [[nodiscard]] std::uint16_t port(std::size_t link) const;
  [[nodiscard]] std::string path(std::size_t link) const;  // of a serial line

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace railhead::modbus
