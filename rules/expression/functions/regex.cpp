#include "rules/expression/functions/regex.h"

#include <re2/re2.h>
#include <algorithm>
#include <utility>

namespace railhead::expression {
namespace {

constexpr std::int64_t kMemoryMax = 1 << 20;  // bytes of a compiled pattern and its caches
constexpr std::uint64_t kFewStates = 100;

}  // namespace

struct Regex::State {
  State(std::string_view pattern, const RE2::Options& options)
      : re(re2::StringPiece(pattern.data(), pattern.size()), options) {}
  RE2 re;
};

Regex::Regex(std::unique_ptr<State> state) : state_(std::move(state)) {}
Regex::~Regex() = default;

std::shared_ptr<const Regex> Regex::compile(std::string_view pattern, std::string& why) {
  if (pattern.size() > kPatternMax) {
    why = "the pattern is too long";
    return nullptr;
  }
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemoryMax);
  auto state = std::make_unique<State>(pattern, options);
  if (!state->re.ok()) {
    why = state->re.error();
    return nullptr;
  }
  return std::shared_ptr<const Regex>(new Regex(std::move(state)));
}

bool Regex::search(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), state_->re);
}

std::uint64_t Regex::cost(std::string_view text) const {
  const auto states = static_cast<std::uint64_t>(std::max(0, state_->re.ProgramSize()));
  return text.size() / 4 * (1 + states / kFewStates);
}

std::shared_ptr<const Regex> RegexCache::get(std::string_view pattern, std::string& why) {
  for (const Entry& entry : entries_) {
    if (entry.regex != nullptr && entry.pattern == pattern) return entry.regex;
  }
  auto regex = Regex::compile(pattern, why);
  if (regex == nullptr) return nullptr;
  entries_[next_] = {std::string(pattern), regex};
  next_ = (next_ + 1) % entries_.size();
  return regex;
}

bool RegexCache::holds(std::string_view pattern) const {
  for (const Entry& entry : entries_) {
    if (entry.regex != nullptr && entry.pattern == pattern) return true;
  }
  return false;
}

}  // namespace railhead::expression
