// Counts what operator new is asked for, in a program that links allocations.cpp.
#pragma once

#include <cstdint>

namespace railhead::test {

// So far, of all threads.
[[nodiscard]] std::uint64_t allocations() noexcept;

}  // namespace railhead::test
