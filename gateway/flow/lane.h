// Lane: the Outlet of one sink: reads its records from the alarms' and the telemetry's spool, alarms first, and settles
// what the sink reports.
// Threads: next(), ready_fd() and rewind() are the sink thread's; settle, set_aside and retry may come from any thread.
#pragma once

#include <array>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/flow/dead_letters.h"
#include "gateway/flow/stores.h"
#include "gateway/ports/sink.h"
#include "gateway/system/backoff.h"
#include "gateway/system/clock.h"
#include "gateway/system/descriptor.h"

namespace railhead::flow {

// A record the upstream refused for now is given again after this (S17).
inline constexpr Duration kRetryAfter = std::chrono::seconds{2};
// While this many records, or bodies of this size, wait to be given again, nothing new is read: what the upstream keeps
// refusing must not gather in memory.
inline constexpr std::size_t kRetriesMax = 2'000;
inline constexpr std::size_t kRetryBytesMax = std::size_t{8} << 20;

class Lane final : public ports::Outlet {
 public:
  Lane(std::string sink, std::string gateway, Stores& stores, DeadLetters& dead_letters, const system::Clock& clock);
  ~Lane() override;

  std::span<const ports::Outgoing> next(const ports::Limits& limits, std::stop_token stop) override
      RAILHEAD_EXCLUDES(mutex_);
  int ready_fd() const override { return ready_.fd(); }
  void settle(ports::Place place) override;
  void set_aside(const ports::Outgoing& outgoing, const Error& why) override RAILHEAD_EXCLUDES(mutex_);
  void retry(const ports::Outgoing& outgoing, const Error& why) override RAILHEAD_EXCLUDES(mutex_);
  void rewind() override RAILHEAD_EXCLUDES(mutex_);

  // Settles what was set aside once its dead letter is on disk; next() does it too. Any thread.
  void finish_set_aside() RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] const std::string& sink() const { return sink_; }
  [[nodiscard]] spool::LaneId id(ports::SpoolId spool) const { return ids_[static_cast<std::size_t>(spool)]; }

 private:
  struct Waiting {  // to be given again
    BootTime due;
    ports::Outgoing outgoing;
  };
  struct SetAside {
    ports::Place place;
    Sequence letter;
    bool appended = false;
    DeadLetter content;  // until appended
  };

  [[nodiscard]] bool may_read() RAILHEAD_EXCLUDES(mutex_);
  void take_due_retries(const ports::Limits& limits) RAILHEAD_EXCLUDES(mutex_);
  void read(ports::SpoolId spool, const ports::Limits& limits);
  [[nodiscard]] bool is_expired(const Record& record, const spool::Frame& frame) const;
  void wait(Duration at_most, const std::stop_token& stop) RAILHEAD_EXCLUDES(mutex_);

  const std::string sink_;
  const std::string gateway_;
  Stores& stores_;
  DeadLetters& dead_letters_;
  const system::Clock& clock_;
  std::array<spool::LaneId, 2> ids_;  // by SpoolId: telemetry, alarms
  system::EventFd ready_;

  // The sink's thread alone.
  std::array<Sequence, 2> position_{};
  std::array<Sequence, 2> given_through_{};  // a sequence at or below it that is given again is a repeat
  std::vector<spool::Frame> frames_;
  std::vector<ports::Outgoing> batch_;
  std::size_t batch_bytes_ = 0;

  base::Mutex mutex_;
  std::deque<Waiting> retries_ RAILHEAD_GUARDED_BY(mutex_);
  std::size_t retry_bytes_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::deque<SetAside> set_aside_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::flow
