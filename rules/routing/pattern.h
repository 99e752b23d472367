// Patterns in `from:`: device globs and topic filters. Pure functions, no allocation, linear in practice
// (a glob backtracks only to its last star).
#pragma once

#include <string_view>

namespace railhead::routing {

// `*` any run of characters, `?` one byte; everything else is itself. The whole name must match.
[[nodiscard]] bool glob_matches(std::string_view glob, std::string_view name);
// No `*` and no `?`: the glob is one name.
[[nodiscard]] bool is_literal_glob(std::string_view glob);
// False only if no name matches both. Two that both hold wildcards may be taken to meet where they do not.
[[nodiscard]] bool globs_meet(std::string_view a, std::string_view b);

// MQTT 5.0 section 4.7: levels between `/`, `+` one level, `#` last: the rest, the parent included. A filter that
// begins with a wildcard does not match topics that begin with `$`.
[[nodiscard]] bool topic_matches(std::string_view filter, std::string_view topic);
[[nodiscard]] bool is_literal_topic(std::string_view filter);
// Some topic matches both filters.
[[nodiscard]] bool topic_filters_meet(std::string_view a, std::string_view b);
// Empty if the filter is well formed, otherwise the sentence that says what is wrong.
[[nodiscard]] std::string_view topic_filter_fault(std::string_view filter);

}  // namespace railhead::routing
