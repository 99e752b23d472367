// YAML nodes as values, for readings and expectations in tests and for tables. YAML 1.2 core schema, strict: plain
// null and ~, true and false, decimal integers and numbers; everything quoted and everything else is a text.
// Threads: pure.
#pragma once

#include "gateway/config/document.h"
#include "gateway/message/value.h"

namespace railhead::routing {

[[nodiscard]] Value value_of(const config::Node& node);

}  // namespace railhead::routing
