// The `tables:` section: reads each file and types it. Faults of a file are reported where the file is named.
// Threads: one caller.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "rules/routing/table.h"

namespace railhead::routing {

inline constexpr std::size_t kTablesMax = 1000;

// Where each table lies: its name and its file, for a watch.
[[nodiscard]] std::map<std::string, std::filesystem::path> places_of_tables(const config::Node& tables);
// One of them, read by itself.
[[nodiscard]] Table read_one_table(const config::Node& tables, std::string_view name, config::Diagnostics& diagnostics);
// What could be read; a table with faults is there with its columns, so that rules are checked against it all the same.
[[nodiscard]] std::map<std::string, Table> read_tables(const config::Node& tables, config::Diagnostics& diagnostics);

}  // namespace railhead::routing
