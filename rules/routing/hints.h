// Hints about names: which known one was meant, or which ones there are. Threads: pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace railhead::routing {

// "did you mean 'sensors'?", or empty if no known name is near.
[[nodiscard]] std::string hint_of(std::string_view unknown, const std::vector<std::string>& known);
// "a, b, c", at most eight of them.
[[nodiscard]] std::string list_of(const std::vector<std::string>& names);

}  // namespace railhead::routing
