// What consumers rely on: where records go and what stands in them, as far as it is known before anything runs; and
// what a changed configuration changes of it (`railhead check --against OLD`). Threads: pure.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "gateway/config/fingerprint.h"
#include "gateway/ports/router.h"
#include "rules/routing/routing.h"

namespace railhead::routing {

// One send of one rule.
struct Delivery {
  std::string rule;
  std::string sink;
  std::string destination;  // the topic, else the routing key, as written; may be empty
  std::string key;
  std::string format;
  std::string content_type;
  std::string type;    // of CloudEvents
  std::string stands;  // what one record stands for: "one reading", "a window of 1 min"
  std::string schema;  // that the running gateway enforces; may be empty
  std::uint64_t schema_fingerprint = 0;
  std::map<std::string, std::string> headers;  // as written
  // "celsius" -> "double"; "" when the body is one expression or the reading's document. Where all points of a device
  // are sent and known, each is a field.
  std::map<std::string, std::string> fields;
  std::map<std::string, std::set<std::string>> devices;  // by source; of a source whose devices are not known: globs
  [[nodiscard]] std::string place() const { return destination.empty() ? sink : sink + " " + destination; }
};

struct NamedRule {
  std::string name;
  config::Fingerprint fingerprint = 0;  // equal if it is written alike
  std::set<std::string> behind;         // final rules before it that may take its readings
};

struct NamedTable {
  std::string name;
  std::map<std::string, std::string> rows;  // as JSON, by key
};

struct Contract {
  std::vector<Delivery> deliveries;
  std::vector<NamedRule> rules;
  std::vector<NamedTable> tables;
};

[[nodiscard]] Contract contract_of(const ports::Router& router, std::span<const KnownSource> sources);

// A sentence for each thing that changes for who reads a sink's destination; empty: nothing that is known does.
[[nodiscard]] std::vector<std::string> changes_for_consumers(const Contract& before, const Contract& now);

}  // namespace railhead::routing
