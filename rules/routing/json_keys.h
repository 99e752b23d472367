// Keys that stand twice in one object of a JSON text: a parser takes one of them and says nothing. Threads: pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace railhead::routing {

struct RepeatedKey {
  std::string key;  // as written, without its quotes
  std::size_t line = 0;
  std::size_t first_line = 0;
};

// The first one. REQUIRES: `text` is JSON (a parser took it).
[[nodiscard]] std::optional<RepeatedKey> repeated_key(std::string_view text);

}  // namespace railhead::routing
