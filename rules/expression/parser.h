// Tokens -> tree [langdef "Syntax": the grammar], macros included [langdef "Macros"].
// Errors: the first syntax error ends the parse, small slips ('=' for '==') do not. At least one Problem for each
// failure. Bounds: kNestingMax is the depth of recursion, kNodesMax and kDepthMax bound the tree. Threads: pure
// function.
#pragma once

#include <string_view>
#include <vector>

#include "rules/expression/ast.h"
#include "rules/expression/expression.h"

namespace railhead::expression {

// False if there is no tree.
[[nodiscard]] bool parse(std::string_view text, Ast& ast, std::vector<Problem>& problems);

}  // namespace railhead::expression
