// The three spools of one gateway, in a directory of the real disk or each on a disk of the test's, and what works on
// them.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "gateway/flow/dead_letters.h"
#include "gateway/flow/started.h"
#include "gateway/flow/stores.h"
#include "tests/support/capturing_reporter.h"

namespace railhead::test {

struct OpenStores {
  struct Setting {
    std::array<system::Disk*, ports::kSpools> disks{};  // null: the real one
    std::function<void(spool::SpoolOptions&)> change = {};
    flow::DeadLetters::Options letters = {};
  };
  explicit OpenStores(const std::string& directory) : OpenStores(directory, Setting{}) {}
  OpenStores(const std::string& directory, const Setting& setting) {
    flow::Stores::All spools;
    for (const ports::SpoolId id : ports::kAllSpools) {
      const auto at = static_cast<std::size_t>(id);
      spool::SpoolOptions options;
      options.name = ports::name_of(id);
      options.path = directory + "/" + options.name;
      options.limit = 64 << 20;
      options.commit = std::chrono::milliseconds{1};
      if (setting.change) setting.change(options);
      system::Disk& where = setting.disks[at] != nullptr ? *setting.disks[at] : *disk;
      Result<std::unique_ptr<spool::Spool>> opened = spool::Spool::open(where, clock, options, reporter);
      REQUIRE(opened);
      spools[at] = std::move(*opened);
    }
    stores = std::make_unique<flow::Stores>(std::move(spools));
    letters = std::make_unique<flow::DeadLetters>(*stores, setting.letters, reporter);
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
