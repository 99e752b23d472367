// Small things about text: hints for misspelt names and human quantities. Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/time.h"

namespace railhead::base {

// The known name nearest to `unknown` by edit distance (insert, delete, change, swap of neighbours), if near enough to
// be worth a hint: at most a third of the longer name's length, at least 1.
[[nodiscard]] std::optional<std::string> nearest(std::string_view unknown, std::span<const std::string> known);

// "100 ms", "5 s", "1.5 h", "30 d", "0"; units ns us ms s min h d. A number without a unit is refused unless it is 0.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);
[[nodiscard]] std::string format_duration(Duration duration);
// "2 GiB", "64 KiB", "512 B", "0"; units B KiB MiB GiB TiB and kB MB GB TB.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
[[nodiscard]] std::string format_size(std::uint64_t bytes);
// "500/s", "10/min", "1/h", in events per second.
[[nodiscard]] std::optional<double> parse_rate(std::string_view text);

[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
[[nodiscard]] std::string_view trim(std::string_view text);
// A name as expressions and topic patterns know it: [A-Za-z_][A-Za-z0-9_]*.
[[nodiscard]] bool is_identifier(std::string_view text);

// "1 request", "3 requests".
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view noun);

// The shortest decimal that reads back as the same double ("0.1", "200.3", "1e+22"); NaN and infinities as
// "NaN" "Infinity" "-Infinity".
[[nodiscard]] std::string shortest(double number);
// Whole-text conversions: nullopt on anything left over ("80x"), on overflow, and on an empty text.
[[nodiscard]] std::optional<std::int64_t> parse_int(std::string_view text);
[[nodiscard]] std::optional<std::uint64_t> parse_uint(std::string_view text);
[[nodiscard]] std::optional<double> parse_double(std::string_view text);

}  // namespace railhead::base
