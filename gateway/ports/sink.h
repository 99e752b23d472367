// Sink: an adapter that feeds an upstream. Outlet: the one door it talks to. Sinks pull; a record is settled when the
// upstream confirmed it.
// Threads: next() and rewind() belong to the sink's thread; settle, set_aside, retry, hold and release may be called
// from any thread of the adapter (delivery reports).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>

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
  bool late = false;  // refused once by the upstream: rh-late (S17)
};

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
  // An eventfd that is readable when next() would have something new; for sinks with an event loop of their own.
  [[nodiscard]] virtual int ready_fd() const = 0;
  // The upstream has it. Any order; again for the same place is fine.
  virtual void settle(Place place) = 0;
  // Poison: it becomes a dead letter with the reason, durable before it counts as settled; its neighbours go on.
  virtual void set_aside(const Outgoing& outgoing, const Error& why) = 0;
  // The upstream refused this one for now: next() gives it again after a backoff, marked late.
  virtual void retry(const Outgoing& outgoing, const Error& why) = 0;
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
