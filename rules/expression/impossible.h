// What is well formed and cannot have been meant: a comparison that is never true because the text is none that the
// name ever holds, a conjunction that contradicts itself, a disjunction that leaves nothing out.
// Threads: pure.
#pragma once

#include <string_view>
#include <vector>

#include "rules/expression/ast.h"
#include "rules/expression/scope.h"

namespace railhead::expression {

// Adds warnings. `ast` has been through check() without an error.
void find_impossible(std::string_view text, const Ast& ast, const Scope::Names& names, std::vector<Problem>& problems);

}  // namespace railhead::expression
