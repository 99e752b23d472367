// The three spools of one gateway in a directory of the real disk, and what works on them.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "gateway/flow/dead_letters.h"
#include "gateway/flow/started.h"
#include "gateway/flow/stores.h"
#include "tests/support/capturing_reporter.h"

namespace railhead::test {

struct OpenStores {
  explicit OpenStores(const std::string& directory) {
    constexpr std::array<std::pair<ports::SpoolId, const char*>, ports::kSpools> kNames{
        {{ports::SpoolId::telemetry, "telemetry"}, {ports::SpoolId::alarms, "alarms"}, {ports::SpoolId::dead, "dead"}}};
    flow::Stores::All spools;
    for (const auto& [id, name] : kNames) {
      spool::SpoolOptions options;
      options.path = directory + "/" + name;
      options.name = name;
      options.limit = 64 << 20;
      options.commit = std::chrono::milliseconds{1};
      Result<std::unique_ptr<spool::Spool>> opened = spool::Spool::open(*disk, clock, options, reporter);
      REQUIRE(opened);
      spools[static_cast<std::size_t>(id)] = std::move(*opened);
    }
    stores = std::make_unique<flow::Stores>(std::move(spools));
    letters = std::make_unique<flow::DeadLetters>(*stores, flow::DeadLetters::Options{}, reporter);
    started = std::make_unique<flow::StartedRecords>(*stores);
  }

  const std::string gateway = "g";
  std::unique_ptr<system::Disk> disk = system::posix_disk();
  system::SystemClock clock;
  CapturingReporter reporter;
  std::unique_ptr<flow::Stores> stores;
  std::unique_ptr<flow::DeadLetters> letters;
  std::unique_ptr<flow::StartedRecords> started;
};

}  // namespace railhead::test
