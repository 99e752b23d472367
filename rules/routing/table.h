// Tables: what rules look up, `tables.assets[device].owner`. A table is a Value: a map key -> row; a row is a map
// column -> cell. Keys are texts, unless `types` says otherwise, because device names and captures are texts ("007" and
// "7" differ).
// CSV:     columns are typed as a whole by what stands in them: int, double, bool (true, false), else text; a quoted
//          cell or a leading zero makes the column text. An empty cell is null, in a text column "".
// Errors:  sentences for the person who wrote the file, several at once, at most kTableFaultsMax.
// Threads: pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/message/value.h"

namespace railhead::routing {

inline constexpr std::size_t kTableFaultsMax = 10;

enum class CellType : std::uint8_t { integer, real, boolean, text };

struct TableOptions {
  std::string key = {};                        // the column that holds the keys
  std::map<std::string, CellType> types = {};  // columns whose type is said, not guessed
};

struct Table {
  Value rows = Value::map({});
  std::vector<std::string> columns;  // of every row (CSV), or of any row
  std::vector<std::string> doubts;   // sentences about what may not be meant
  std::vector<std::uint32_t> lines;  // of a CSV file: where each row begins; else empty
};

// Cells of columns that were numbers or bools in `before` and are texts now, a sentence for the first of each column.
[[nodiscard]] std::vector<std::string> cells_of_another_type(const Table& before, const Table& now);

[[nodiscard]] Table table_from_csv(std::string_view text, const TableOptions& options,
                                   std::vector<std::string>& faults);
// From YAML or JSON: a list of rows that hold the key column, or a map key -> row (then `key` may be empty).
[[nodiscard]] Table table_from_document(const Value& document, const TableOptions& options,
                                        std::vector<std::string>& faults);

}  // namespace railhead::routing
