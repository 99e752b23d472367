// What a changed configuration means for those who read what the gateway sends (`railhead check --against OLD`).
// Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "gateway/app/configuration.h"

namespace railhead::app {

// Sentences. Where both are empty, nothing that consumers could notice is written differently.
struct ConsumerChanges {
  std::vector<std::string> certain;   // a field gone, a type changed, a topic renamed
  std::vector<std::string> possible;  // what is written differently, field by field, where the effect is not known
  // A line each: "changes: ...", "may change: ...", or that nothing does.
  [[nodiscard]] std::string text() const;
};

// REQUIRES: both without errors.
[[nodiscard]] ConsumerChanges consumer_changes(const Configuration& before, const Configuration& now);

}  // namespace railhead::app
