// What a Scope holds, for the checker.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "rules/expression/expression.h"

namespace railhead::expression {

struct Scope::Names {
  struct Variable {
    std::string name;
    Type type = Type::any;
    std::string shape;  // path of its known fields
  };
  struct Known {
    Fields fields;
    bool complete = false;
  };
  struct AggregateName {
    std::string name;
    std::size_t arguments_min = 0;
    std::size_t arguments_max = 0;
    Type result = Type::any;
  };

  std::vector<Variable> variables;
  std::unordered_map<std::string, std::size_t> by_name;
  std::map<std::string, Known, std::less<>> known;
  struct Texts {
    std::vector<std::string> known;
    bool or_digits = false;
  };
  std::map<std::string, Texts, std::less<>> texts;  // all that the text at a path ever is
  std::vector<AggregateName> aggregates;
  std::size_t dots_max = 3;  // in a name; the longest that constant_named() knows has three
  bool types_at_run_time = false;

  [[nodiscard]] const Known* known_at(std::string_view path) const {
    const auto found = known.find(path);
    return found == known.end() ? nullptr : &found->second;
  }
  [[nodiscard]] const AggregateName* aggregate(std::string_view name) const;
};

}  // namespace railhead::expression
