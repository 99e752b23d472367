// The `tables:` section: reads each file and types it. Faults of a file are reported where the file is named.
// Threads: one caller.
#pragma once

#include <map>
#include <string>

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "rules/routing/table.h"

namespace railhead::routing {

inline constexpr std::size_t kTablesMax = 1000;

// What could be read; a table with faults is there with its columns, so that rules are checked against it all the same.
[[nodiscard]] std::map<std::string, Table> read_tables(const config::Node& tables, config::Diagnostics& diagnostics);

}  // namespace railhead::routing
