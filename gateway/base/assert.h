// An assertion that is always on. Use it for "the program is wrong", never for the world or for input.
// Effect: prints file, line and the broken invariant to standard error, then aborts. The spool makes a restart cheap.
#pragma once

namespace railhead::base {

[[noreturn]] void assertion_failed(const char* file, int line, const char* invariant) noexcept;

}  // namespace railhead::base

#define RAILHEAD_ASSERT(invariant) \
  (static_cast<bool>(invariant) ? void(0) : ::railhead::base::assertion_failed(__FILE__, __LINE__, #invariant))
