// The rules: YAML -> an immutable Router (gateway/ports/router.h) that turns readings into records.
// Language: rules/README.md; rules by example: rules/routing/README.md. Meaning: S14, S16, S22-S30.
// Errors:   all of a human's mistakes at once, each at its place inside the expression inside the YAML.
// Effects:  reads the tables' files and touches nothing else.
// Threads:  the Router is immutable and shared; each open() gives one thread's state.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/config/scalars.h"
#include "gateway/ports/adapter.h"
#include "gateway/ports/router.h"

namespace railhead::status {
class Reporter;
}
namespace railhead::config {
class Reference;
}

namespace railhead::routing {

// The gateway's own source (S25): its events and health as readings.
inline constexpr std::string_view kOwnSource = "railhead";

struct KnownSource {
  std::string name;
  std::vector<ports::KnownDevice> devices = {};
  bool devices_complete = false;                        // any other device is a mistake
  std::optional<std::vector<std::string>> topics = {};  // filters of all topics of its readings; none: not known
};

struct KnownSink {
  std::string name;
  std::string kind;  // "kafka", "mqtt", "amqp", "file": decides which topics are legal
  bool needs_topic = false;
  bool takes_routing_key = false;
  config::Located<std::filesystem::path> schema = {};  // of what has no schema of its own in `send`
  bool enforce = false;
};

struct RoutingInput {
  std::string gateway;
  std::map<std::string, std::string> labels = {};
  config::Node rules = {};   // the list under `rules:`, or absent
  config::Node tables = {};  // the map under `tables:`, or absent
  std::vector<KnownSource> sources = {};
  std::vector<KnownSink> sinks = {};
  // Every `schema` is enforced, as railhead test does.
  bool enforce_schemas = false;
  // MessagePack and CBOR bodies are written as JSON under their own content type, for tests to compare.
  bool bodies_as_json = false;
  // Told of what on_error drops or passes; what it sets aside is in Routed. May be null; outlives the Router.
  status::Reporter* reporter = nullptr;
};

// nullptr after reporting errors; warnings may stand beside a Router. Nothing of the input is kept but `reporter`.
[[nodiscard]] std::shared_ptr<const ports::Router> build(const RoutingInput& input, config::Diagnostics& diagnostics);

// Where the tables of a configuration lie: name and file, for a watch.
[[nodiscard]] std::map<std::string, std::filesystem::path> table_places(const RoutingInput& input);
// The rules of `running`, which was built from `input`, with its table `name` read anew and the others as they are. The
// rules are checked against the new rows as build() does: nullptr after reporting errors.
[[nodiscard]] std::shared_ptr<const ports::Router> with_table_read_anew(const ports::Router& running,
                                                                        const RoutingInput& input,
                                                                        const std::string& name,
                                                                        config::Diagnostics& diagnostics);

// The pages of `rules`, `tables` and `tests` for `railhead reference` and the JSON Schema; sets the places itself.
void describe(config::Reference& reference);

}  // namespace railhead::routing
