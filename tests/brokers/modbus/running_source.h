// A Modbus source made from a configuration text, running on its own thread into a capturing intake.
// Threads: one test's thread.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "adapters/modbus/modbus.h"
#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/ports/commands.h"
#include "gateway/status/link.h"
#include "gateway/system/clock.h"
#include "tests/support/capturing_intake.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/process.h"

namespace railhead::modbus {

class RunningSource {
 public:
  // `text` is a configuration whose source is named `field`.
  explicit RunningSource(const std::string& text) {
    config::Diagnostics diagnostics;
    const config::Document document = config::Document::parse(text, "test.yaml", diagnostics);
    plan_ = source_kind().read(document.root().find("sources").find("field").find("modbus"),
                               document.root().find("models"), diagnostics);
    REQUIRE_MESSAGE(plan_ != nullptr, diagnostics.render());
    source_ = plan_->make(
        {.name = "field", .gateway = "test", .clock = clock_, .reporter = reporter, .link = link, .commands = &desk});
    thread_ = std::jthread([this](const std::stop_token& stop) { source_->run(intake, stop); });
  }

  // The first reading with values of this device.
  std::optional<Reading> first(const std::string& device, test::milliseconds at_most = std::chrono::seconds{20}) {
    std::optional<Reading> found;
    test::eventually(at_most, [&] {
      for (const Reading& reading : intake.readings()) {
        if (reading.device == device && reading.value.is(Kind::map) && !reading.value.as_map().empty()) found = reading;
        if (found) return true;
      }
      return false;
    });
    return found;
  }

  test::CapturingIntake intake;
  test::CapturingReporter reporter;
  status::LinkStatus link;
  ports::CommandDesk desk;

 private:
  system::SystemClock clock_;
  std::unique_ptr<ports::SourcePlan> plan_;
  std::unique_ptr<ports::Source> source_;
  std::jthread thread_;
};

}  // namespace railhead::modbus
