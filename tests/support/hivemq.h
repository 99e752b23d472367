// A real HiveMQ Community Edition, embedded in a small Java program, on a free loopback port: a broker of another
// family than mosquitto. The first use fetches some 96 MB into test_cache(); later ones need no network. A start takes
// 2 to 6 seconds. Sessions and queues are kept over stop() and start(). Threads: one test's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/support/process.h"

namespace railhead::test {

class HiveMq {
 public:
  HiveMq();
  [[nodiscard]] std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }
  void stop();   // SIGTERM, waits for its end
  void start();  // on the same port, with what it kept

 private:
  TemporaryDirectory directory_;
  std::uint16_t port_;
  std::unique_ptr<Process> process_;
};

}  // namespace railhead::test
