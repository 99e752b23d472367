// Simulator: publishes the topics that a source subscribes, with plausible payloads, for `railhead simulate`.
// Shapes:  a wildcard level becomes kDevices topics where it names the device (or is the first unnamed one), otherwise
//          one; `#` becomes the level "state". JSON payloads hold the fields that the rules read of `value`, what
//          `time: timestamp(value.ts)` reads, and as many elements as kElements where `split: value.samples` takes them
//          apart; they are wrapped as `compression:` says. Expressions of other forms cannot be played: open() says so.
// Errors:  a broker that is away is tried again by itself, with pauses; run() returns only when asked to.
// Threads: one; Paho's own call back.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/mqtt/publisher.h"
#include "adapters/mqtt/source.h"
#include "gateway/ports/simulation.h"
#include "gateway/system/clock.h"

namespace railhead::mqtt {

// What a document has beside its fields, as paths ("meta.ts"; "" is the document itself).
struct ExampleForm {
  std::optional<std::string> list;       // `elements` documents with the fields, in place of one
  std::optional<std::string> time = {};  // of each document, RFC 3339
  unsigned elements = 1;
};

class Simulator final : public ports::Simulation {
 public:
  static constexpr unsigned kDevices = 3;
  static constexpr unsigned kElements = 3;

  // A row's expressions as they are written; empty: none.
  struct Written {
    std::string time;
    std::string split;
  };
  // `written`: beside the source's rows.
  Simulator(const SourceSettings& source, const std::vector<Written>& written, ports::SimulationOptions options,
            const system::Clock& clock);

  [[nodiscard]] Result<std::vector<std::string>> open() override;
  void run(std::stop_token stop) override;
  [[nodiscard]] std::uint64_t served() const override { return served_.load(std::memory_order_relaxed); }

 private:
  struct Topic {
    std::string name;
    PayloadFormat payload = PayloadFormat::json;
    Compression compression = Compression::none;
    ExampleForm form{};
  };

  [[nodiscard]] std::string payload(const Topic& topic, double seconds) const;

  const ports::SimulationOptions options_;
  const system::Clock& clock_;
  SinkSettings settings_;
  std::vector<Topic> topics_;
  std::vector<std::string> not_played_;  // sentences
  std::atomic<std::uint64_t> served_{0};
};

// The topics that stand for a subscription's pattern.
[[nodiscard]] std::vector<std::string> example_topics(const TopicPattern& pattern, unsigned devices);
// A document with these paths ("ENERGY.Power"), whose values move with `seconds` and differ by `seed`. `now` is the
// time of the last element.
[[nodiscard]] std::string example_document(const std::vector<std::string>& fields, double seconds, std::uint64_t seed,
                                           const ExampleForm& form = {}, Time now = {});
// "meta.ts" of "value.meta.ts", "" of "value"; nullopt of any other expression.
[[nodiscard]] std::optional<std::string> plain_path(std::string_view expression);

}  // namespace railhead::mqtt
