// Checked tree -> Program. Constants are folded on the way.
// REQUIRES: check() found no error in the tree.
// Threads: pure function.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "rules/expression/ast.h"
#include "rules/expression/program.h"

namespace railhead::expression {

// A wrong constant pattern of matches() is a Problem.
[[nodiscard]] std::shared_ptr<const Program> assemble(std::string_view text, Ast& ast, const Scope::Names& names,
                                                      std::vector<Problem>& problems);

}  // namespace railhead::expression
