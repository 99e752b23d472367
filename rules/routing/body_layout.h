// How a body is written: what the configuration alone decides as bytes of its format, values between them.
// Why: what all bodies of a `send` have in common - braces, names, constants - is put into its format once.
// Threads: pure.
#pragma once

#include "rules/routing/compiled.h"
#include "rules/routing/configured.h"

namespace railhead::routing {

// REQUIRES: not BodyFormat::raw, which has no layout of its own.
[[nodiscard]] BodyLayout lay_out(const Body& body, BodyFormat format, Configured& configured);

}  // namespace railhead::routing
