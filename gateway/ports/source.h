// Source: an adapter that reads the field. Intake: the one door it talks to.
// Threads: an Intake has one caller at a time, the source's own thread; durable_fd() may be polled there too.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/base/time.h"
#include "gateway/message/reading.h"
#include "gateway/ports/ticket.h"

namespace railhead::ports {

// What could not become a reading, kept with its bytes as a dead letter (S15).
struct RawInput {
  std::string_view source;
  std::string_view device;  // if known
  std::string_view topic;   // or the request it answered
  std::string_view payload;
  std::optional<FieldToken> token;
  bool cut = false;  // the payload is only its beginning
};

// What is known of MQTT deliveries (S19, and S7 for QoS 2), recovered with the spool. `session` as in FieldToken.
class Deliveries {
 public:
  virtual ~Deliveries() = default;
  // QoS 2: this PUBLISH (same session, identifier and content) was taken before and its PUBREL has not come: do not
  // offer it again; answer PUBREC when durable() covers open_ticket(). QoS 1: it certainly repeats what was taken and
  // perhaps not acknowledged (offer() finds that out too). False while a part of it is missing after a kill.
  [[nodiscard]] virtual bool is_open(const FieldToken& token) const = 0;
  [[nodiscard]] virtual Ticket open_ticket(const FieldToken& token) const = 0;
  // QoS 2: PUBREL came. PUBCOMP must wait until the ticket is durable, or the identifier's reuse could look like a
  // repeat. An identifier that is not open gives an empty ticket. (offer() and refuse() open the identifiers of QoS 2
  // tokens.)
  [[nodiscard]] virtual Result<Ticket> close(std::uint64_t session, std::uint16_t packet_id) = 0;
  // QoS 1: the whole PUBACK of each was handed to the socket.
  virtual void acknowledged(std::uint64_t session, std::span<const std::uint16_t> packet_ids) = 0;
  // The broker had no session of ours: its packet identifiers start afresh.
  virtual void session_lost(std::uint64_t session) = 0;
  // The broker may have lost this session too: it may be one that was lost, under another URL. What is open of it at
  // QoS 2 is recognised from now on only with DUP, as a broker must set it [MQTT-3.3.1-1]; otherwise it would swallow a
  // new message. (If the session is another broker's, it is still there.)
  virtual void doubt(std::uint64_t session) { static_cast<void>(session); }
  // All sessions, of any source, that have identifiers open at QoS 2.
  [[nodiscard]] virtual std::vector<std::uint64_t> open_sessions() const { return {}; }
  // A text of the source's own, in a format of its own, which outlives the process: what it must know of its sessions
  // at the brokers. keep_note() is durable soon after; errors as offer(). An intake that keeps nothing has an empty
  // one.
  [[nodiscard]] virtual std::string note() const { return {}; }
  [[nodiscard]] virtual Result<void> keep_note(std::string note) {
    static_cast<void>(note);
    return {};
  }
};

class Intake {
 public:
  virtual ~Intake() = default;
  // Rules + append of all readings; never waits for the disk. Errc::full or io: nothing of the batch was taken, offer
  // it again later and acknowledge nothing. An empty batch lets due windows close.
  [[nodiscard]] virtual Result<Ticket> offer(std::span<const Reading> batch) = 0;
  // A malformed input: durable as a dead letter before it may be acknowledged. Errors as offer().
  [[nodiscard]] virtual Result<Ticket> refuse(const RawInput& raw, const Error& why) = 0;
  // A reading the source itself leaves out for a reason the ledger knows (retained: ignore).
  virtual void ignored(std::uint64_t count) = 0;
  // A redelivery that the source itself recognised (Deliveries::is_open).
  virtual void repeated(std::uint64_t count) = 0;
  // What is at or below this watermark is on disk and may be acknowledged.
  [[nodiscard]] virtual Ticket durable() const = 0;
  // Readable after the watermark rose; the source reads it empty (8 bytes, eventfd) before it looks at durable().
  [[nodiscard]] virtual int durable_fd() const = 0;
  // When a window closes by time: then offer({}).
  [[nodiscard]] virtual std::optional<BootTime> next_due() const = 0;
  [[nodiscard]] virtual Deliveries& deliveries() = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  // Reads the field until `stop`; reconnects by itself; returns only when asked to.
  virtual void run(Intake& intake, std::stop_token stop) = 0;
};

}  // namespace railhead::ports
