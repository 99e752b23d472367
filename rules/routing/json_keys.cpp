#include "rules/routing/json_keys.h"

#include <map>
#include <vector>

namespace railhead::routing {

std::optional<RepeatedKey> repeated_key(std::string_view text) {
  struct Level {
    bool is_object = false;
    bool key_is_due = false;
    std::map<std::string_view, std::size_t> lines;  // by key
  };
  std::vector<Level> levels;
  std::size_t line = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '\n': ++line; break;
      case '{': levels.push_back({true, true, {}}); break;
      case '[': levels.push_back({}); break;
      case '}':
      case ']':
        if (!levels.empty()) levels.pop_back();
        break;
      case ',':
        if (!levels.empty()) levels.back().key_is_due = levels.back().is_object;
        break;
      case '"': {
        const std::size_t begin = i + 1;
        for (++i; i < text.size() && text[i] != '"'; ++i) {
          if (text[i] == '\\') ++i;
        }
        if (levels.empty() || !levels.back().key_is_due || i >= text.size()) break;
        levels.back().key_is_due = false;
        const std::string_view key = text.substr(begin, i - begin);
        const auto [first, fresh] = levels.back().lines.emplace(key, line);
        if (!fresh) return RepeatedKey{std::string(key), line, first->second};
        break;
      }
      default: break;
    }
  }
  return {};
}

}  // namespace railhead::routing
