#include "rules/routing/pattern.h"

#include <cstddef>

namespace railhead::routing {
namespace {

// Takes the first level off `rest`; `more` says whether a separator followed it.
std::string_view take_level(std::string_view& rest, bool& more) {
  const std::size_t slash = rest.find('/');
  const std::string_view level = rest.substr(0, slash);
  more = slash != std::string_view::npos;
  rest.remove_prefix(more ? slash + 1 : rest.size());
  return level;
}

}  // namespace

bool glob_matches(std::string_view glob, std::string_view name) {
  std::size_t g = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_covers = 0;
  while (n < name.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      star_covers = n;
    } else if (g < glob.size() && (glob[g] == '?' || glob[g] == name[n])) {
      ++g;
      ++n;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      n = ++star_covers;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

bool is_literal_glob(std::string_view glob) { return glob.find_first_of("*?") == std::string_view::npos; }

bool globs_meet(std::string_view a, std::string_view b) {
  if (is_literal_glob(a)) return glob_matches(b, a);
  if (is_literal_glob(b)) return glob_matches(a, b);
  const auto plain_head = [](std::string_view glob) { return glob.substr(0, glob.find_first_of("*?")); };
  const std::string_view head_a = plain_head(a);
  const std::string_view head_b = plain_head(b);
  return head_a.starts_with(head_b) || head_b.starts_with(head_a);
}

bool topic_matches(std::string_view filter, std::string_view topic) {
  if (!topic.empty() && topic.front() == '$' && !filter.empty() && (filter.front() == '+' || filter.front() == '#')) {
    return false;
  }
  bool filter_more = true;
  bool topic_more = true;
  while (filter_more) {
    const std::string_view wanted = take_level(filter, filter_more);
    if (wanted == "#") return true;
    if (!topic_more) return false;
    const std::string_view level = take_level(topic, topic_more);
    if (wanted != "+" && wanted != level) return false;
  }
  return !topic_more;
}

bool is_literal_topic(std::string_view filter) { return filter.find_first_of("+#") == std::string_view::npos; }

bool topic_filters_meet(std::string_view a, std::string_view b) {
  const auto is_wild = [](std::string_view level) { return level == "+" || level == "#"; };
  const auto bars_dollar = [&](std::string_view one, std::string_view other) {
    return other.starts_with('$') && is_wild(one.substr(0, one.find('/')));
  };
  if (bars_dollar(a, b) || bars_dollar(b, a)) return false;
  bool more_a = true;
  bool more_b = true;
  while (more_a && more_b) {
    const std::string_view level_a = take_level(a, more_a);
    const std::string_view level_b = take_level(b, more_b);
    if (level_a == "#" || level_b == "#") return true;
    if (level_a != "+" && level_b != "+" && level_a != level_b) return false;
  }
  // "a/#" matches "a", too.
  if (more_a) return a == "#";
  if (more_b) return b == "#";
  return true;
}

std::string_view topic_filter_fault(std::string_view filter) {
  if (filter.empty()) return "a topic filter is not empty";
  bool more = true;
  while (more) {
    const std::string_view level = take_level(filter, more);
    if (level == "#" && more) return "'#' stands only at the end of a topic filter";
    if (level.size() > 1 && level.find_first_of("+#") != std::string_view::npos) {
      return "'+' and '#' stand for whole levels of a topic, between slashes";
    }
  }
  return {};
}

}  // namespace railhead::routing
