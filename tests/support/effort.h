// How much of an exhaustive test a build does. Sanitizers make a step some 20 times as dear and look for other faults
// than such a test does, so under them it does a part.
#pragma once

namespace railhead::test {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

template <class T>
[[nodiscard]] constexpr T effort(T plain, T sanitized) {
  return kSanitized ? sanitized : plain;
}

}  // namespace railhead::test
