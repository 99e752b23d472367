#include "rules/routing/coverage.h"

#include <ostream>

namespace railhead::routing {

Coverage::Coverage(const Compiled& compiled) : compiled_(compiled), rules_(compiled.rules.size()) {
  for (std::size_t i = 0; i < rules_.size(); ++i) rules_[i].sends.resize(compiled.rules[i].sends.size());
}

bool Coverage::print(std::ostream& out) const {
  std::size_t rules = 0;
  std::size_t sends = 0;
  std::size_t sends_all = 0;
  std::size_t branches = 0;
  std::size_t branches_all = 0;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = compiled_.rules[i];
    const Seen& seen = rules_[i];
    const auto branch = [&](const Condition& when, const Branch& was, const std::string& what) {
      if (!when.expression) return;
      branches_all += 2;
      branches += (was.yes ? 1u : 0u) + (was.no ? 1u : 0u);
      if (was.yes && !was.no) out << "not covered: " << what << ": `when` was never false\n";
    };
    const std::string name = "rule '" + rule.name + "'";
    if (seen.when.yes) {
      ++rules;
    } else {
      out << "not covered: " << name << ": no test's reading is taken by it\n";
    }
    branch(rule.when, seen.when, name);
    sends_all += seen.sends.size();
    for (std::size_t k = 0; k < seen.sends.size(); ++k) {
      const std::string what = name + ", send " + std::to_string(k + 1) + " to " + rule.sends[k].sink;
      if (seen.sends[k].yes) {
        ++sends;
      } else if (seen.when.yes) {
        out << "not covered: " << what << ": nothing was sent\n";
      }
      branch(rule.sends[k].when, seen.sends[k], what);
    }
  }
  out << "coverage: rules " << rules << " of " << rules_.size() << ", sends " << sends << " of " << sends_all
      << ", branches " << branches << " of " << branches_all << "\n";
  return rules == rules_.size() && sends == sends_all && branches == branches_all;
}

}  // namespace railhead::routing
