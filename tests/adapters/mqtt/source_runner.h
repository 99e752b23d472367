// An MQTT source on a thread of its own, with an intake in the test's hand.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapters/mqtt/source.h"
#include "gateway/status/link.h"
#include "gateway/system/clock.h"
#include "gateway/system/thread.h"
#include "tests/support/capturing_intake.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/process.h"

namespace railhead::mqtt {

// A stand-in for what the rules' room compiles.
class FixedExpression final : public ports::ExpressionPlan {
 public:
  using Function = std::function<Value(const Reading&)>;
  explicit FixedExpression(Function function) : function_(std::move(function)) {}
  std::unique_ptr<ports::ReadingExpression> open() const override { return std::make_unique<Open>(function_); }

 private:
  struct Open final : ports::ReadingExpression {
    explicit Open(Function made) : function(std::move(made)) {}
    Value evaluate(const Reading& reading) override { return function(reading); }
    Function function;
  };
  Function function_;
};

struct SourceRunner {
  static SourceSettings settings(const std::string& url, std::uint8_t qos = 1,
                                 const char* pattern = "plant/{device}/#") {
    SourceSettings made;
    made.urls = {*parse_url(url)};
    made.session.client_id = "railhead-test";
    made.session.session_expiry_seconds = 3600;
    made.rows.push_back({*TopicPattern::parse(pattern), PayloadFormat::json, {}});
    made.qos.push_back(qos);
    made.drain = std::chrono::milliseconds{50};
    made.backoff = {std::chrono::milliseconds{20}, std::chrono::milliseconds{200}};
    return made;
  }

  explicit SourceRunner(SourceSettings settings, bool held = false) : intake(held) { start(std::move(settings)); }
  ~SourceRunner() { stop(); }

  void start(SourceSettings settings) {
    source = make_source(std::move(settings), {"sensors", "test", clock, reporter, link});
    thread = system::start_thread("source", [this](std::stop_token token) { source->run(intake, std::move(token)); });
  }
  void stop() {
    thread.request_stop();
    if (thread.joinable()) thread.join();
  }
  [[nodiscard]] bool connected() const { return link.state() == status::LinkStatus::State::up; }
  [[nodiscard]] bool reaches(std::size_t readings) const {
    return test::eventually(std::chrono::seconds{20}, [&] { return intake.size() >= readings; });
  }

  system::SystemClock clock;
  test::CapturingReporter reporter;
  status::LinkStatus link;
  test::CapturingIntake intake;
  std::unique_ptr<ports::Source> source;
  std::jthread thread;
};

}  // namespace railhead::mqtt
