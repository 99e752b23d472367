// Configuration: everything a configuration says, read and checked whole, before anything is opened or connected.
// Threads: one owner; what it holds is immutable once loaded.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/config/fingerprint.h"
#include "gateway/config/gateway_options.h"
#include "gateway/config/reference.h"
#include "gateway/flow/requeue.h"
#include "gateway/ports/adapter.h"
#include "rules/routing/routing.h"

namespace railhead::app {

struct Configuration {
  config::Document document;
  config::GatewayOptions options;
  struct NamedSource {
    std::string name;
    std::string kind;
    std::unique_ptr<ports::SourcePlan> plan;
    config::Fingerprint fingerprint = 0;  // a reload leaves alone what has the same
  };
  struct NamedSink {
    std::string name;
    std::string kind;
    std::unique_ptr<ports::SinkPlan> plan;
    config::Fingerprint fingerprint = 0;
  };
  std::vector<NamedSource> sources;
  std::vector<NamedSink> sinks;
  std::string dead_topic;                         // dead_letters.topic with its ${...} filled in
  std::vector<std::filesystem::path> referenced;  // certificates and secrets, for a watch
  config::Fingerprint frame = 0;                // of what has to do with spools and panel: all but the parts and rules
  routing::RoutingInput routing;                // what the rules were built from
  std::shared_ptr<const ports::Router> router;  // null if there are errors
};

// Reads all of it; the mistakes are in `diagnostics`. A configuration with errors must not be run.
// `for_tests`: every schema counts and all bodies are readable, as railhead test wants it.
// `running`: what this one is to replace; the certificates of a source or sink that is another there must fit (S32).
[[nodiscard]] Configuration load_configuration(const std::filesystem::path& path, config::Diagnostics& diagnostics,
                                               status::Reporter* reporter = nullptr, bool for_tests = false,
                                               const Configuration* running = nullptr);
// Reads by the sources of `configuration`, which it keeps.
[[nodiscard]] flow::Requeue::ReadAgain read_again_by(std::shared_ptr<const Configuration> configuration);
// Every field of every part, for `railhead reference`.
void describe_everything(config::Reference& reference);

}  // namespace railhead::app
