// Fuzz target: any text as a configuration file: YAML -> fields -> rules. It is refused with diagnostics, or it works;
// crashes, leaks and runs of more than a second or so are findings.
// Rooms: gateway/config rules/routing
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/config/gateway_options.h"
#include "rules/routing/routing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace config = railhead::config;
  namespace routing = railhead::routing;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(text, "fuzzed.yaml", diagnostics);
  const config::GatewayOptions options = config::read_gateway(document, diagnostics);
  routing::RoutingInput input;
  input.gateway = options.gateway.value;
  input.labels = options.labels;
  input.rules = options.rules;
  for (const config::Member& source : options.sources.members())
    input.sources.push_back({.name = std::string(source.name())});
  for (const config::Member& sink : options.sinks.members()) {
    input.sinks.push_back({.name = std::string(sink.name()), .kind = "kafka", .needs_topic = true});
  }
  const auto router = routing::build(input, diagnostics);
  if (router && router->open() == nullptr) std::abort();
  for (const config::Diagnostic& one : diagnostics.sorted()) {
    if (one.message.empty() || one.length == 0) std::abort();
  }
  static_cast<void>(diagnostics.render());
  return 0;
}
