// Sink: an adapter that feeds an upstream. Outlet: the one door it talks to. Sinks pull; a record is settled when the
// upstream confirmed it.
//
// A destination (destination_of) that the upstream does not take is held, so that it waits without stopping its
// neighbours (S9, S17): hold() keeps back all its records, those given out and not settled too; probe() lets the first
// of them out alone, to see whether it is taken again; release() lets them follow in order, beginning with the first
// unsettled one. Memory does not grow with how much is held: it is read again from the spool.
// Threads: next(), next_due(), started() and rewind() belong to the sink's thread; settle, set_aside, retry, hold,
// probe and release may be called from any thread of the adapter (delivery reports).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/message/record.h"
#include "gateway/ports/ticket.h"

namespace railhead::ports {

// Where a record lies; what a sink hands back.
struct Place {
  SpoolId spool = SpoolId::telemetry;
  Sequence sequence;
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct Outgoing {
  Place place;
  std::string identity;  // <gateway>/<epoch>/<sequence>, the same at every repeat (S3)
  Record record;
  bool late = false;                 // refused once by the upstream: rh-late (S17)
  std::optional<BootTime> appended;  // nullopt: before the last reboot
  bool started_before = false;       // started() was durable in an earlier life: its outcome is unknown (S33)
};

// What can be held: the topic, or the routing key where there is none.
[[nodiscard]] inline std::string_view destination_of(const Record& record) {
  return record.topic.empty() ? record.routing_key : record.topic;
}

struct Limits {
  std::size_t records = 1000;
  std::size_t bytes = 1024 * 1024;                 // of bodies; one record may exceed it
  Duration wait = std::chrono::milliseconds{500};  // for the first record; then an empty batch
};

class Outlet {
 public:
  virtual ~Outlet() = default;
  // The next durable records of this lane in order; waits up to limits.wait (or until stop) if there is none. The span
  // is valid until the next call. Expired records are left out and counted.
  [[nodiscard]] virtual std::span<const Outgoing> next(const Limits& limits, std::stop_token stop) = 0;
  // For sinks that wait by themselves, also for their upstream (next() with no wait). An eventfd that is readable when
  // next() would have something new, or next_due() changed; next() clears it.
  [[nodiscard]] virtual int ready_fd() const = 0;
  // When next() may have something though nothing signals it: what was refused comes again, a hold ends. nullopt:
  // never. May lie behind. On the sink's thread, after next().
  [[nodiscard]] virtual std::optional<BootTime> next_due() const = 0;
  // The upstream has it. Any order; again for the same place is fine.
  virtual void settle(Place place) = 0;
  // Poison: it becomes a dead letter with the reason, durable before it counts as settled; its neighbours go on.
  virtual void set_aside(const Outgoing& outgoing, const Error& why) = 0;
  // The upstream refused this one for now: next() gives it again after a backoff, marked late; while its destination is
  // held, when that is let out.
  virtual void retry(const Outgoing& outgoing, const Error& why) = 0;
  // Its records wait from now on; again for a held one is fine. Those given out come again unless they are settled.
  virtual void hold(std::string_view destination) = 0;
  // The first record of a held destination, or the next one that comes, is given alone; the others stay held.
  virtual void probe(std::string_view destination) = 0;
  // Not while the sink still has unanswered records of it, or those may be sent twice. Nothing if it is not held.
  virtual void release(std::string_view destination) = 0;
  // Durable on return: this record is about to be done, once (S33). After a crash it is given with started_before.
  // Errors: io, timeout: it must not be done now.
  [[nodiscard]] virtual Result<void> started(Place place) = 0;
  // After a reconnect: next() begins again at the first unsettled record.
  virtual void rewind() = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Feeds the upstream until `stop`; then sends nothing new, waits a bounded time for outstanding confirms, returns.
  virtual void run(Outlet& outlet, std::stop_token stop) = 0;
};

}  // namespace railhead::ports
