// Simulator: publishes the topics that a source subscribes, with plausible payloads, for `railhead simulate`.
// Shapes:  a wildcard level becomes kDevices topics where it names the device (or is the first unnamed one), otherwise
//          one; `#` becomes the level "state". JSON payloads hold the fields that the rules read of `value`.
// Errors:  a broker that is away is tried again by itself, with pauses; run() returns only when asked to.
// Threads: one; Paho's own call back.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "adapters/mqtt/publisher.h"
#include "adapters/mqtt/source.h"
#include "gateway/ports/simulation.h"
#include "gateway/system/clock.h"

namespace railhead::mqtt {

class Simulator final : public ports::Simulation {
 public:
  static constexpr unsigned kDevices = 3;

  Simulator(const SourceSettings& source, ports::SimulationOptions options, const system::Clock& clock);

  [[nodiscard]] Result<std::vector<std::string>> open() override;
  void run(std::stop_token stop) override;
  [[nodiscard]] std::uint64_t served() const override { return served_.load(std::memory_order_relaxed); }

 private:
  struct Topic {
    std::string name;
    PayloadFormat payload = PayloadFormat::json;
  };

  [[nodiscard]] std::string payload(const Topic& topic, double seconds) const;

  const ports::SimulationOptions options_;
  const system::Clock& clock_;
  SinkSettings settings_;
  std::vector<Topic> topics_;
  std::atomic<std::uint64_t> served_{0};
};

// The topics that stand for a subscription's pattern.
[[nodiscard]] std::vector<std::string> example_topics(const TopicPattern& pattern, unsigned devices);
// A document with these paths ("ENERGY.Power"), whose values move with `seconds` and differ by `seed`.
[[nodiscard]] std::string example_document(const std::vector<std::string>& fields, double seconds, std::uint64_t seed);

}  // namespace railhead::mqtt
