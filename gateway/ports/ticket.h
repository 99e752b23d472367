// Ticket: what must be durable before the field may be acknowledged: a sequence per spool (S11).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/base/strong.h"

namespace railhead::ports {

enum class SpoolId : std::uint8_t { telemetry, alarms, dead };
inline constexpr std::array kAllSpools{SpoolId::telemetry, SpoolId::alarms, SpoolId::dead};
inline constexpr std::size_t kSpools = kAllSpools.size();

// As users see it; also the folder's name under spool.path.
[[nodiscard]] constexpr std::string_view name_of(SpoolId id) {
  return id == SpoolId::telemetry ? "telemetry" : id == SpoolId::alarms ? "alarms" : "dead";
}

struct Ticket {
  std::array<Sequence, kSpools> through{};  // 0: nothing to wait for there

  // As a watermark: everything `wanted` names is durable.
  [[nodiscard]] bool covers(const Ticket& wanted) const {
    for (std::size_t i = 0; i < kSpools; ++i) {
      if (through[i] < wanted.through[i]) return false;
    }
    return true;
  }
  // Waits for what `other` waits for too.
  void raise(const Ticket& other) {
    for (std::size_t i = 0; i < kSpools; ++i) through[i] = std::max(through[i], other.through[i]);
  }
  friend bool operator==(const Ticket&, const Ticket&) = default;
};

}  // namespace railhead::ports
