// Regular expressions in RE2's syntax: linear in the text whatever the pattern is, bounded in memory.
// Why a room of its own: the library's headers stay in the .cpp. Threads: a Regex is immutable; a RegexCache one
// thread's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace railhead::expression {

inline constexpr std::size_t kPatternMax = 16 * 1024;  // bytes of a pattern

class Regex {
 public:
  // nullptr if the pattern is wrong or too large; `why` says so.
  static std::shared_ptr<const Regex> compile(std::string_view pattern, std::string& why);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // Whether some part of the text matches.
  [[nodiscard]] bool search(std::string_view text) const;
  // What that may take, in steps: a pattern of many states is, at the worst, in all of them at each byte.
  [[nodiscard]] std::uint64_t cost(std::string_view text) const;

 private:
  struct State;
  explicit Regex(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The last few patterns that were computed at run time.
class RegexCache {
 public:
  [[nodiscard]] std::shared_ptr<const Regex> get(std::string_view pattern, std::string& why);
  [[nodiscard]] bool holds(std::string_view pattern) const;

 private:
  struct Entry {
    std::string pattern;
    std::shared_ptr<const Regex> regex;
  };
  std::array<Entry, 8> entries_;
  std::size_t next_ = 0;
};

}  // namespace railhead::expression
