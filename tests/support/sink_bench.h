// SinkBench: a sink on its own thread between a scripted outlet and whatever upstream its options name.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gateway/ports/adapter.h"
#include "gateway/status/link.h"
#include "gateway/system/clock.h"
#include "gateway/system/thread.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/process.h"
#include "tests/support/scripted_outlet.h"
#include "tests/support/upstream_seen.h"

namespace railhead::test {

class SinkBench {
 public:
  static constexpr int kDevices = 100;

  SinkBench() = default;
  ~SinkBench() { stop(); }
  SinkBench(const SinkBench&) = delete;
  SinkBench& operator=(const SinkBench&) = delete;

  [[nodiscard]] ports::Context context() {
    return {.name = "plant", .gateway = "gw", .clock = clock, .reporter = reporter, .link = link};
  }
  void start(std::unique_ptr<ports::Sink> which) {
    sink = std::move(which);
    thread = system::start_thread("sink", [this](std::stop_token stop) { sink->run(outlet, std::move(stop)); });
  }
  // How long the sink took to stop.
  std::chrono::milliseconds stop() {
    const auto before = std::chrono::steady_clock::now();
    if (thread.joinable()) {
      thread.request_stop();
      thread.join();
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - before);
  }

  // Record n of device n % kDevices: key the device, body the number.
  [[nodiscard]] static Record numbered(int n, const std::string& topic, const std::string& routing_key = {}) {
    Record record;
    record.sink = "plant";
    record.topic = topic;
    record.routing_key = routing_key;
    record.source = "sensors";
    record.device = "d" + std::to_string(n % kDevices);
    record.key = record.device;
    record.time = Time{std::chrono::milliseconds{1'780'000'000'000 + n}};
    record.body = std::to_string(n);
    return record;
  }
  void append(int from, int through, const std::string& topic, const std::string& routing_key = {}) {
    for (int n = from; n <= through; ++n) outlet.append(numbered(n, topic, routing_key));
  }
  [[nodiscard]] bool done(std::chrono::milliseconds at_most) {
    return eventually(at_most, [this] { return outlet.done(); });
  }
  [[nodiscard]] bool is_up(std::chrono::milliseconds at_most) {
    return eventually(at_most, [this] { return link.state() == status::LinkStatus::State::up; });
  }
  [[nodiscard]] bool is_down(std::chrono::milliseconds at_most) {
    return eventually(at_most, [this] { return link.state() == status::LinkStatus::State::down; });
  }

  system::SystemClock clock;
  CapturingReporter reporter;
  status::LinkStatus link;
  ScriptedOutlet outlet;
  std::unique_ptr<ports::Sink> sink;
  std::jthread thread;
};

// After discarding repeats by identity (the header `id`): every number of from..through but those `without`, and first
// occurrences in order per device, but for records the upstream refused once (rh-late).
inline void check_complete(const std::vector<Seen>& seen, const std::string& id, int from, int through,
                           const std::set<int>& without = {}) {
  std::set<std::string> identities;
  std::set<int> numbers;
  std::map<std::string, int> last;
  std::size_t out_of_order = 0;
  for (const Seen& one : seen) {
    if (!identities.insert(one.headers.at(id)).second) continue;
    const int n = std::stoi(one.value);
    numbers.insert(n);
    if (one.headers.contains("rh-late")) continue;
    int& before = last["d" + std::to_string(n % SinkBench::kDevices)];
    if (n < before) ++out_of_order;
    before = n;
  }
  CHECK(out_of_order == 0);
  std::size_t missing = 0;
  for (int n = from; n <= through; ++n) {
    if (!numbers.contains(n) && !without.contains(n)) ++missing;
  }
  CHECK(missing == 0);
  CHECK(numbers.size() == static_cast<std::size_t>(through - from + 1) - without.size());
}

}  // namespace railhead::test
