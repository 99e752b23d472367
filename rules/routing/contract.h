// What consumers rely on: where records go and what stands in them, as far as it is known before anything runs; and
// what a changed configuration changes of it (`railhead check --against OLD`). Threads: pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gateway/config/fingerprint.h"
#include "gateway/ports/router.h"

namespace railhead::routing {

// One send of one rule.
struct Delivery {
  std::string rule;
  std::string sink;
  std::string destination;  // the topic, else the routing key, as written; may be empty
  std::string key;
  std::string format;
  std::string type;                           // of CloudEvents
  std::map<std::string, std::string> fields;  // "celsius" -> "double"; "" when the body is one expression
  [[nodiscard]] std::string place() const { return destination.empty() ? sink : sink + " " + destination; }
};

[[nodiscard]] std::vector<Delivery> contract_of(const ports::Router& router);

// A sentence for each thing that changes for who reads a sink's destination; empty: nothing does.
[[nodiscard]] std::vector<std::string> changes_for_consumers(const std::vector<Delivery>& before,
                                                             const std::vector<Delivery>& now);

// A rule, and what its text comes to: equal if it is written alike.
struct NamedRule {
  std::string name;
  config::Fingerprint fingerprint = 0;
};
[[nodiscard]] std::vector<NamedRule> rules_of(const ports::Router& router);

}  // namespace railhead::routing
