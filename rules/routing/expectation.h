// Comparing what left with what a test names: a list of differences, each with its path, what was expected and what
// came.
// Threads: pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/message/record.h"
#include "gateway/message/value.h"

namespace railhead::routing {

struct Difference {
  std::string path;      // "body.celsius"
  std::string expected;  // as JSON; empty if nothing was expected there
  std::string got;       // as JSON, or "nothing"
};

// The members of `expected` that `got` lacks or that differ; members of maps that `expected` does not name are not
// compared. Numbers are equal to one part in 10^9.
void compare(const Value& expected, const Value& got, const std::string& path, std::vector<Difference>& differences);

// A record as a test writes it: to, topic, routing_key, key, priority, ttl, type, content_type, quality, headers, body.
[[nodiscard]] Value record_value(const Record& record);

// A node under `expect:` as a value of that shape. Unknown fields are reported with a hint.
[[nodiscard]] Value expected_record(const config::Node& node, config::Diagnostics& diagnostics);

}  // namespace railhead::routing
