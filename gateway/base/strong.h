// Strong<Tag, Rep>: an integer with a meaning. Explicit both ways; .value() to read. Ordered, hashable, no arithmetic
// but next(): places are compared and stepped, never added.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace railhead {

template <class Tag, class Rep>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() noexcept = default;
  constexpr explicit Strong(Rep value) noexcept : value_(value) {}
  [[nodiscard]] constexpr Rep value() const noexcept { return value_; }
  [[nodiscard]] constexpr Strong next() const noexcept { return Strong(static_cast<Rep>(value_ + 1)); }
  friend constexpr auto operator<=>(const Strong&, const Strong&) noexcept = default;

 private:
  Rep value_{};
};

// Place of a record in a spool; never reused within an epoch (S1). 0 = none; the first record has 1.
using Sequence = Strong<struct SequenceTag, std::uint64_t>;
// 64 random bits made when a spool is created (S1).
using Epoch = Strong<struct EpochTag, std::uint64_t>;

}  // namespace railhead

template <class Tag, class Rep>
struct std::hash<railhead::Strong<Tag, Rep>> {
  std::size_t operator()(const railhead::Strong<Tag, Rep>& strong) const noexcept {
    return std::hash<Rep>{}(strong.value());
  }
};
