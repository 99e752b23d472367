// Ticket: what must be durable before the field may be acknowledged: a sequence per spool (S11).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "gateway/base/strong.h"

namespace railhead::ports {

enum class SpoolId : std::uint8_t { telemetry, alarms, dead };
inline constexpr std::size_t kSpools = 3;

struct Ticket {
  std::array<Sequence, kSpools> through{};  // 0: nothing to wait for there

  // As a watermark: everything `wanted` names is durable.
  [[nodiscard]] bool covers(const Ticket& wanted) const {
    for (std::size_t i = 0; i < kSpools; ++i) {
      if (through[i] < wanted.through[i]) return false;
    }
    return true;
  }
  friend bool operator==(const Ticket&, const Ticket&) = default;
};

}  // namespace railhead::ports
