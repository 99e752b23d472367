// Batch: what came in one read, on its way into the intake. It can be refused halfway (full, io) and goes on later
// where it stopped, so that nothing is offered twice and nothing is lost. What is read is offered when its payloads,
// unpacked, and the readings that were split come to kPartBytes: only so much and one more message is held as values.
// Threads: the source's.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adapters/mqtt/interpreter.h"
#include "adapters/mqtt/session.h"
#include "gateway/ports/source.h"
#include "gateway/status/reporter.h"
#include "gateway/system/clock.h"

namespace railhead::mqtt {

class Batch {
 public:
  struct Parts {
    std::string source;
    bool durable = true;   // false: acknowledge once offered
    bool answers = false;  // a message that is set aside is answered on its response topic
    Session& link;
    Interpreter& interpreter;
    ports::Intake& intake;
    status::Reporter& reporter;
    const system::Clock& clock;
  };
  explicit Batch(Parts parts) : parts_(std::move(parts)) {}

  // The sessions (as in FieldToken) this source had, under whatever URL, the one at hand among them.
  void set_sessions(std::vector<std::uint64_t> sessions) { sessions_ = std::move(sessions); }
  [[nodiscard]] const std::vector<std::uint64_t>& sessions() const { return sessions_; }

  static constexpr std::size_t kPartBytes = 1024 * 1024;

  // Takes up what is in the session's inbox.
  void begin();
  // Offers, sets aside, acknowledges one part. True: that was the last one, the inbox is cleared. False: call again,
  // what is durable meanwhile may be acknowledged. An error: nothing more was taken; call again later.
  [[nodiscard]] Result<bool> go_on();
  // Messages of QoS 1 and 2 that the intake does not know of yet.
  [[nodiscard]] std::uint32_t held() const;
  // More came at once than memory is kept for.
  [[nodiscard]] bool is_burst() const { return reading_count_ > kKept; }
  // Gives back the memory of a burst.
  void relax();

 private:
  static constexpr std::size_t kKept = 64;  // readings

  enum class Fate : std::uint8_t { offered, refused, left_out, repeat, release };
  struct Refusal {
    std::size_t item;
    std::string device;
    Error why;
    ports::Ticket ticket;
  };

  void begin_part();
  [[nodiscard]] Result<void> offer_part();
  void judge(std::size_t item);
  void judge_split(std::size_t item);
  [[nodiscard]] bool is_repeat(const Publish& publish) const;
  [[nodiscard]] Result<void> acknowledge(std::size_t item);

  Parts parts_;
  std::vector<std::uint64_t> sessions_;
  std::vector<Reading> readings_;
  std::size_t reading_count_ = 0;
  std::vector<Refusal> refusals_;
  std::vector<Fate> fates_;
  std::uint64_t left_out_ = 0;
  std::uint64_t repeated_ = 0;
  Time arrived_{};  // of all of it: it came in one read
  bool clock_trusted_ = false;
  std::size_t part_bytes_ = 0;  // of the part at hand
  // How far it came.
  bool offered_ = false;
  ports::Ticket ticket_;
  std::size_t refused_ = 0;
  std::size_t acknowledged_ = 0;
  std::size_t acknowledged_refusals_ = 0;
};

}  // namespace railhead::mqtt
