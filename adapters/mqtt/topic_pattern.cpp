#include "adapters/mqtt/topic_pattern.h"

#include <algorithm>

#include "adapters/mqtt/packet.h"
#include "gateway/base/text.h"

namespace railhead::mqtt {
Result<TopicPattern> TopicPattern::parse(std::string_view text) {
  constexpr std::string_view kShare = "$share/";
  if (text.empty()) return fail(Errc::invalid, "the topic is empty");
  TopicPattern pattern;
  std::string_view rest = text;
  if (rest.substr(0, kShare.size()) == kShare) {
    const std::size_t slash = rest.find('/', kShare.size());
    if (slash == std::string_view::npos || slash == kShare.size() || slash + 1 == rest.size()) {
      return fail(Errc::invalid, "a shared subscription is written $share/<group>/<topic>");
    }
    if (rest.substr(0, slash).find_first_of("+#{}") != std::string_view::npos) {
      return fail(Errc::invalid, "the group of a shared subscription is a plain name");
    }
    pattern.filter_ = rest.substr(0, slash + 1);
    rest.remove_prefix(slash + 1);
  }
  const std::vector<std::string_view> levels = base::split(rest, '/');
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const std::string_view level = levels[i];
    if (i > 0) pattern.filter_ += '/';
    if (level == "+") {
      pattern.levels_.push_back({Kind::any, {}});
      pattern.filter_ += '+';
    } else if (level == "#") {
      if (i + 1 != levels.size()) return fail(Errc::invalid, "'#' is allowed only as the last level");
      pattern.levels_.push_back({Kind::rest, {}});
      pattern.filter_ += '#';
    } else if (level.size() >= 2 && level.front() == '{' && level.back() == '}') {
      const std::string name(level.substr(1, level.size() - 2));
      if (!base::is_identifier(name))
        return fail(Errc::invalid, "'" + std::string(level) + "': a name has letters, digits and '_' only");
      if (std::find(pattern.names_.begin(), pattern.names_.end(), name) != pattern.names_.end()) {
        return fail(Errc::invalid, "the name '" + name + "' comes twice");
      }
      pattern.levels_.push_back({Kind::named, name});
      pattern.names_.push_back(name);
      pattern.filter_ += '+';
    } else if (level.find_first_of("{}") != std::string_view::npos) {
      return fail(Errc::invalid, "'" + std::string(level) + "': {name} must be a whole level");
    } else if (level.find_first_of("+#") != std::string_view::npos) {
      return fail(Errc::invalid, "'" + std::string(level) + "': a wildcard must be a whole level");
    } else {
      pattern.levels_.push_back({Kind::literal, std::string(level)});
      pattern.filter_ += level;
    }
  }
  if (!is_topic_filter(pattern.filter_)) return fail(Errc::invalid, "not a topic filter MQTT allows");
  return pattern;
}

std::string TopicPattern::topics() const {
  std::string out;
  for (const Level& level : levels_) {
    if (&level != &levels_.front()) out += '/';
    out += level.kind == Kind::literal ? level.text : level.kind == Kind::rest ? "#" : "+";
  }
  return out;
}

bool TopicPattern::overlaps(const TopicPattern& other) const {
  const std::vector<Level>& a = levels_;
  const std::vector<Level>& b = other.levels_;
  // A wildcard in the first level matches no topic that begins with `$`.
  const auto hidden = [](const Level& literal, const Level& wild) {
    return literal.kind == Kind::literal && wild.kind != Kind::literal && literal.text.rfind('$', 0) == 0;
  };
  if (hidden(a.front(), b.front()) || hidden(b.front(), a.front())) return false;
  for (std::size_t i = 0;; ++i) {
    const bool a_rest = i < a.size() && a[i].kind == Kind::rest;
    const bool b_rest = i < b.size() && b[i].kind == Kind::rest;
    if (a_rest || b_rest) return true;
    if (i == a.size() || i == b.size()) return a.size() == b.size();
    if (a[i].kind == Kind::literal && b[i].kind == Kind::literal && a[i].text != b[i].text) return false;
  }
}

bool TopicPattern::match(std::string_view topic, std::vector<std::string_view>& captures) const {
  captures.clear();
  if (topic.empty()) return false;
  if (topic.front() == '$' && levels_.front().kind != Kind::literal) return false;
  bool ended = false;
  for (const Level& level : levels_) {
    if (level.kind == Kind::rest) return true;  // also the parent itself: a/# matches a
    if (ended) return false;
    const std::size_t slash = topic.find('/');
    const std::string_view here = topic.substr(0, slash);
    if (level.kind == Kind::literal && here != level.text) return false;
    if (level.kind == Kind::named) captures.push_back(here);
    ended = slash == std::string_view::npos;
    if (!ended) topic.remove_prefix(slash + 1);
  }
  return ended;
}

}  // namespace railhead::mqtt
