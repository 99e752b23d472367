#include "gateway/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace railhead::base {

void assertion_failed(const char* file, int line, const char* invariant) noexcept {
  std::fprintf(stderr, "railhead: %s:%d: the program is wrong: expected %s\n", file, line, invariant);
  std::fflush(stderr);
  std::abort();
}

}  // namespace railhead::base
