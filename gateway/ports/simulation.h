// Simulation: an adapter's stand-in for the field that a source would read (`railhead simulate`): servers that answer
// its requests, or a publisher of its topics, with plausible moving values.
// Threads: open() and run() belong to one thread.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/base/time.h"

namespace railhead::system {
class Clock;
}

namespace railhead::ports {

// What goes wrong on purpose: a line of the fault script.
struct Fault {
  std::string source{};  // empty: all
  std::string device{};  // empty: all; * any text
  std::string table{};   // of a request that touches these addresses; empty: any request
  std::uint32_t first = 0;
  std::uint32_t last = 65535;
  enum class Kind : std::uint8_t { exception, silent, delay, close, garbage };
  Kind kind = Kind::silent;
  std::uint8_t exception = 2;
  Duration delay{};
  double share = 1;     // of the requests
  Duration after{};     // since the start
  Duration for_time{};  // 0: for ever
};

struct SimulationOptions {
  std::string source{};  // its name
  std::string listen{};  // serve here instead of where the configuration says; empty: there
  std::uint64_t seed = 1;
  Duration every = std::chrono::seconds{1};  // of what is published
  std::vector<std::string> fields{};         // paths that rules read of a value: "temperature", "ENERGY.Power"
  std::vector<Fault> faults{};
};

class Simulation {
 public:
  virtual ~Simulation() = default;
  // One line for people per thing served: "tcp://10.0.0.17:502 -> tcp://127.0.0.1:40123, 3 devices".
  [[nodiscard]] virtual Result<std::vector<std::string>> open() = 0;
  virtual void run(std::stop_token stop) = 0;
  // What was answered or published.
  [[nodiscard]] virtual std::uint64_t served() const = 0;
};

}  // namespace railhead::ports
