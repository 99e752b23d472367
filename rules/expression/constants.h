// Arguments that are written out and can only fail, found before a reading does: a time zone that there is not, a text
// that is no timestamp, an item before a list's first.
// Threads: pure.
#pragma once

#include <vector>

#include "rules/expression/ast.h"

namespace railhead::expression {

// REQUIRES: check() found no error in the tree. Problems: errors; warnings where the data could still make it right.
void check_constants(const Ast& ast, std::vector<Problem>& problems);

}  // namespace railhead::expression
