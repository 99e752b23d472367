// An MQTT sink on a thread of its own, with an outlet in the test's hand.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "adapters/mqtt/sink.h"
#include "gateway/status/link.h"
#include "gateway/system/clock.h"
#include "gateway/system/thread.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/process.h"
#include "tests/support/scripted_outlet.h"

namespace railhead::mqtt {

struct SinkRunner {
  static SinkSettings settings(const std::string& url, std::uint8_t qos = 1) {
    SinkSettings made;
    made.urls = {*parse_url(url)};
    made.client_id = "railhead-sink";
    made.qos = qos;
    made.drain = std::chrono::milliseconds{50};
    made.backoff = {std::chrono::milliseconds{20}, std::chrono::milliseconds{200}};
    return made;
  }

  explicit SinkRunner(SinkSettings settings)
      : sink(make_sink(std::move(settings), {"bus", "plant-7", clock, reporter, link})),
        thread(system::start_thread("sink", [this](std::stop_token token) { sink->run(outlet, std::move(token)); })) {}
  ~SinkRunner() { stop(); }
  void stop() {
    thread.request_stop();
    if (thread.joinable()) thread.join();
  }
  ports::Place append(const std::string& topic, const std::string& body) {
    Record record;
    record.sink = "bus";
    record.topic = topic;
    record.source = "sensors";
    record.device = "pump";
    record.key = "sensors/pump";
    record.body = body;
    return outlet.append(std::move(record));
  }
  [[nodiscard]] bool done() const {
    return test::eventually(std::chrono::seconds{30}, [&] { return outlet.done(); });
  }

  system::SystemClock clock;
  test::CapturingReporter reporter;
  status::LinkStatus link;
  test::ScriptedOutlet outlet;
  std::unique_ptr<ports::Sink> sink;
  std::jthread thread;
};

}  // namespace railhead::mqtt
