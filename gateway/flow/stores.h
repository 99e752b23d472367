// Stores: the three spools of one gateway (S11, S15): telemetry, alarms, dead letters; and their names for one lane.
// Threads: any.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "gateway/ports/ticket.h"
#include "gateway/spool/spool.h"

namespace railhead::flow {

class Stores {
 public:
  using All = std::array<std::unique_ptr<spool::Spool>, ports::kSpools>;
  explicit Stores(All spools) : spools_(std::move(spools)) {}

  [[nodiscard]] spool::Spool& of(ports::SpoolId id) const { return *spools_[static_cast<std::size_t>(id)]; }
  // Everything up to here is on disk.
  [[nodiscard]] ports::Ticket durable() const {
    ports::Ticket ticket;
    for (std::size_t i = 0; i < ports::kSpools; ++i) ticket.through[i] = spools_[i]->durable();
    return ticket;
  }
  void subscribe(const system::EventFd* event) const {
    for (const auto& spool : spools_) spool->subscribe(event);
  }
  void unsubscribe(const system::EventFd* event) const {
    for (const auto& spool : spools_) spool->unsubscribe(event);
  }

 private:
  All spools_;
};

[[nodiscard]] constexpr std::uint8_t bit_of(ports::SpoolId id) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(id));
}

// The lane of the gateway's own state in the telemetry spool (S7).
inline constexpr std::string_view kStateLane = "@state";
// The one lane of the dead letters' spool: what a person has not dropped or requeued yet.
inline constexpr std::string_view kDeadLane = "dead";

}  // namespace railhead::flow
