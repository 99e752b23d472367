// CSV text to rows of cells. Standard: RFC 4180 (quotes, doubled quotes, line breaks inside quotes), plus what
// spreadsheets write: a byte order mark, lines ending in LF alone, an empty line at the end, `;` or tab as separator
// (the first line tells). Bounds: kCsvBytesMax, kCsvCellsMax. Threads: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

namespace railhead::routing {

inline constexpr std::size_t kCsvBytesMax = std::size_t{16} << 20;
inline constexpr std::size_t kCsvCellsMax = 1'000'000;

struct CsvCell {
  std::string text;
  bool quoted = false;  // "007" in quotes is a text, never a number
};
struct CsvRow {
  std::uint32_t line = 0;  // 1-based, where the row begins
  std::vector<CsvCell> cells;
};

// The first row is the header. Every row has as many cells as the header.
// Errors: Errc::invalid "line 3: ...".
[[nodiscard]] Result<std::vector<CsvRow>> parse_csv(std::string_view text);

}  // namespace railhead::routing
