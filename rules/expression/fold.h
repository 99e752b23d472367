// Evaluates at compile time what needs no variable, so that a running program never does it again.
// Errors: what always fails stays as it is and becomes a warning (another branch may be taken).
// Bounds: kFoldStepsMax for a whole expression; results beyond a few KiB stay unfolded.
#pragma once

#include <memory>
#include <vector>

#include "rules/expression/ast.h"
#include "rules/expression/program.h"

namespace railhead::expression {

inline constexpr std::uint64_t kFoldStepsMax = 100'000;

void fold(Ast& ast, const Scope::Names& names, std::vector<Problem>& problems);
// By the compiler: one closed part of a checked tree.
[[nodiscard]] std::unique_ptr<Program::Code> assemble_part(const Ast& ast, NodeId root, const Scope::Names& names);

}  // namespace railhead::expression
