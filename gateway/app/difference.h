// Difference: what became of the parts of one kind between two configurations (S31).
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace railhead::app {

// Names, each list in the order of its configuration.
struct Difference {
  std::vector<std::string> added;
  std::vector<std::string> changed;
  std::vector<std::string> removed;
  [[nodiscard]] bool is_added(const std::string& name) const { return holds(added, name); }
  [[nodiscard]] bool is_changed(const std::string& name) const { return holds(changed, name); }

 private:
  static bool holds(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
};

// Part has a name and a fingerprint.
template <class Part>
[[nodiscard]] Difference difference(const std::vector<Part>& before, const std::vector<Part>& now) {
  const auto named = [](const std::vector<Part>& parts, const std::string& name) {
    return std::find_if(parts.begin(), parts.end(), [&](const Part& part) { return part.name == name; });
  };
  Difference difference;
  for (const Part& part : now) {
    const auto old = named(before, part.name);
    if (old == before.end()) {
      difference.added.push_back(part.name);
    } else if (old->fingerprint != part.fingerprint) {
      difference.changed.push_back(part.name);
    }
  }
  for (const Part& part : before) {
    if (named(now, part.name) == now.end()) difference.removed.push_back(part.name);
  }
  return difference;
}

}  // namespace railhead::app
