// Coverage: which rules, sends and branches of `when` the readings of the tests reached. Threads: one owner.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <vector>

#include "rules/routing/compiled.h"

namespace railhead::routing {

class Coverage {
 public:
  explicit Coverage(const Compiled& compiled);

  void decided(RuleNumber rule, bool truth) { branch(rules_[rule].when, truth); }
  void sent(RuleNumber rule, std::size_t send, bool truth) { branch(rules_[rule].sends[send], truth); }

  // A line for each that no test reached, then "rules 3 of 4, sends 5 of 6, branches 9 of 12". True: all of them.
  bool print(std::ostream& out) const;

 private:
  struct Branch {
    bool yes = false;
    bool no = false;
  };
  struct Seen {
    Branch when;
    std::vector<Branch> sends;
  };
  static void branch(Branch& branch, bool truth) { (truth ? branch.yes : branch.no) = true; }

  const Compiled& compiled_;
  std::vector<Seen> rules_;
};

}  // namespace railhead::routing
