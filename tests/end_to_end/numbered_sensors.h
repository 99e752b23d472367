// Publishes numbered QoS 1 messages of many devices at a steady rate, {"n": 0}, {"n": 1}, ... for each device, to
// plant/hall/<device>/telemetry. On a thread of its own; a message counts as published at the broker's PUBACK.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>

namespace railhead::test {

class NumberedSensors {
 public:
  struct Options {
    std::string url;  // tcp://127.0.0.1:1883
    std::size_t devices = 100;
    std::size_t messages = 10'000;  // of all devices together
    std::size_t per_second = 2'000;
  };
  explicit NumberedSensors(Options options);
  ~NumberedSensors();

  std::size_t published() const { return published_; }
  // Waits for all PUBACKs; false if something failed.
  bool finish();
  // Publishes no more than what every device has an equal share of. The messages of each device, or nullopt if
  // something failed.
  std::optional<std::size_t> end();

 private:
  void run();
  const Options options_;
  std::atomic<std::size_t> published_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> stop_{false};
  std::atomic<bool> end_{false};
  std::thread thread_;
};

}  // namespace railhead::test
