// The two ledgers of the delivery contract (S14). Every term has its own counter, raised where it happens; none is
// computed from the others. Plain counts; whoever owns a ledger guards it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace railhead::status {

// Readings: each counts once in `in`, and once by the first of the others that applies.
struct ReadingLedger {
  std::uint64_t in = 0;
  std::uint64_t redelivered = 0;
  std::uint64_t refused = 0;
  std::uint64_t routed = 0;
  std::uint64_t absorbed = 0;
  std::uint64_t set_aside = 0;
  std::uint64_t dropped = 0;
  std::uint64_t filtered = 0;
  std::uint64_t unrouted = 0;
  ReadingLedger& operator+=(const ReadingLedger& more) {
    in += more.in;
    redelivered += more.redelivered;
    refused += more.refused;
    routed += more.routed;
    absorbed += more.absorbed;
    set_aside += more.set_aside;
    dropped += more.dropped;
    filtered += more.filtered;
    unrouted += more.unrouted;
    return *this;
  }
  [[nodiscard]] bool adds_up() const {
    return in == redelivered + refused + routed + absorbed + set_aside + dropped + filtered + unrouted;
  }
};

// Records of one lane: carried_over + accepted = delivered + spooled + held + set_aside + expired + damaged + dropped.
struct LaneLedger {
  std::uint64_t carried_over = 0;  // found at the start of the ledger (a new epoch, an adopted orphan)
  std::uint64_t accepted = 0;
  std::uint64_t delivered = 0;
  std::uint64_t spooled = 0;
  std::uint64_t held = 0;
  std::uint64_t set_aside = 0;
  std::uint64_t expired = 0;
  std::uint64_t damaged = 0;
  std::uint64_t dropped = 0;       // for any reason
  std::uint64_t repeats = 0;       // beside the equation: sent more than once
  std::uint64_t dropped_full = 0;  // of `dropped`: a bound of the spool did it
  [[nodiscard]] bool adds_up() const {
    return carried_over + accepted == delivered + spooled + held + set_aside + expired + damaged + dropped;
  }
  [[nodiscard]] std::uint64_t owed() const { return spooled + held; }  // what its sink is still to have
  friend bool operator==(const LaneLedger&, const LaneLedger&) = default;
};

}  // namespace railhead::status
