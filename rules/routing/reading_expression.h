// The compiler of expressions that stand in a source's own configuration (ports/expression.h). They see the reading as
// rules do: value, quality, bad, time, source, device, attributes. Threads: any.
#pragma once

#include "gateway/ports/expression.h"

namespace railhead::routing {

[[nodiscard]] const ports::ExpressionCompiler& reading_expressions();

}  // namespace railhead::routing
