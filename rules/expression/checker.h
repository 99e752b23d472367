// Names and types of a tree: resolves names to slots, locals and functions, infers types as far as they are known, and
// says what cannot work [langdef "Gradual Type Checking"]. Rewrites names of types into literals.
// Errors: Problems, all of them; a mistake is reported once, not again for what contains it.
// Threads: pure function.
#pragma once

#include <string_view>
#include <vector>

#include "rules/expression/ast.h"
#include "rules/expression/scope.h"

namespace railhead::expression {

void check(std::string_view text, Ast& ast, const Scope::Names& names, std::vector<Problem>& problems);

}  // namespace railhead::expression
