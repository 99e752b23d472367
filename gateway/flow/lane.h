// Lane: the Outlet of one sink: reads its records from the alarms' and the telemetry's spool, alarms first, steps over
// those of held destinations, and settles what the sink reports.
// Threads: next(), next_due(), ready_fd(), started() and rewind() are the sink thread's; the rest may come from any
// thread.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/flow/dead_letters.h"
#include "gateway/flow/held_destinations.h"
#include "gateway/flow/started.h"
#include "gateway/flow/stores.h"
#include "gateway/ports/sink.h"
#include "gateway/system/backoff.h"
#include "gateway/system/clock.h"
#include "gateway/system/descriptor.h"

namespace railhead::flow {

// A record the upstream refused for now is given again after this (S17).
inline constexpr Duration kRetryAfter = std::chrono::seconds{2};
// When this many records, or bodies of this size, wait to be given again, the destination of the next one is held for
// kRetryAfter: what the upstream keeps refusing must not gather in memory.
inline constexpr std::size_t kRetriesMax = 2'000;
inline constexpr std::size_t kRetryBytesMax = std::size_t{8} << 20;
// When this many dead letters, or of this size, wait for their spool, the destination of the next one is held likewise.
inline constexpr std::size_t kSetAsideMax = 2'000;
inline constexpr std::size_t kSetAsideBytesMax = std::size_t{8} << 20;
// Of so many refused records it is remembered that they are late, while their destination is held.
inline constexpr std::size_t kLateMax = 50'000;

class Lane final : public ports::Outlet {
 public:
  // What all lanes of a gateway have in common.
  struct Shared {
    const std::string& gateway;
    Stores& stores;
    DeadLetters& dead_letters;
    StartedRecords& started;
    const system::Clock& clock;
  };
  Lane(std::string sink, const Shared& shared);
  ~Lane() override;

  std::span<const ports::Outgoing> next(const ports::Limits& limits, std::stop_token stop) override
      RAILHEAD_EXCLUDES(mutex_);
  int ready_fd() const override { return ready_.fd(); }
  std::optional<BootTime> next_due() const override RAILHEAD_EXCLUDES(mutex_);
  void settle(ports::Place place) override RAILHEAD_EXCLUDES(mutex_);
  void set_aside(const ports::Outgoing& outgoing, const Error& why) override RAILHEAD_EXCLUDES(mutex_);
  void retry(const ports::Outgoing& outgoing, const Error& why) override RAILHEAD_EXCLUDES(mutex_);
  void hold(std::string_view destination) override RAILHEAD_EXCLUDES(mutex_);
  void probe(std::string_view destination) override RAILHEAD_EXCLUDES(mutex_);
  void release(std::string_view destination) override RAILHEAD_EXCLUDES(mutex_);
  Result<void> started(ports::Place place) override;
  void rewind() override RAILHEAD_EXCLUDES(mutex_);

  // For another sink: nothing is held, and what is not settled is given from the first on. Only while no sink runs.
  void begin_again() RAILHEAD_EXCLUDES(mutex_);
  // Settles what was set aside once its dead letter is on disk; next() does it too. Any thread.
  void finish_set_aside() RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] const std::string& sink() const { return sink_; }
  [[nodiscard]] spool::LaneId id(ports::SpoolId spool) const { return ids_[static_cast<std::size_t>(spool)]; }

 private:
  struct Waiting {  // to be given again
    BootTime due;
    ports::Outgoing outgoing;
  };
  struct SetAside {  // whose letter, or the copy for a sink, is not appended yet
    ports::Place place;
    AppendBatch batch;
    std::size_t bytes = 0;
    bool has_letter = false;
  };
  struct Letter {  // appended
    ports::Place place;
    Sequence sequence;
  };

  // How much of the batch may be filled, and how many frames may still be looked at.
  struct Room {
    std::size_t records = 0;
    std::size_t bytes = 0;
  };
  void take_due_retries(const ports::Limits& limits) RAILHEAD_EXCLUDES(mutex_);
  void read(ports::SpoolId spool, const Room& room) RAILHEAD_EXCLUDES(mutex_);
  // What was held and is let out, up to where read() is.
  void follow(ports::SpoolId spool, const Room& room) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] bool full(const Room& room) const {
    return batch_.size() >= room.records || (!batch_.empty() && batch_bytes_ >= room.bytes) || looks_left_ == 0;
  }
  // Decodes and looks at the time; what cannot leave is settled or set aside, and gives nullopt.
  [[nodiscard]] std::optional<Record> decode(ports::Place place, spool::Frame& frame);
  void give(ports::Place place, const spool::Frame& frame, Record record, bool repeat) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] bool steps_over(std::string_view destination, ports::Place place) RAILHEAD_EXCLUDES(mutex_);
  void hold_now(std::string_view destination, std::optional<BootTime> until) RAILHEAD_REQUIRES(mutex_);
  // It comes again, marked late, when its destination is let out.
  void wait_held(ports::Place place) RAILHEAD_REQUIRES(mutex_);
  void remember_late(ports::Place place) RAILHEAD_REQUIRES(mutex_);
  // Its dead letter is on the way: it is not given again.
  [[nodiscard]] bool is_aside(ports::Place place) RAILHEAD_EXCLUDES(mutex_);
  void settle(ports::Place place, spool::Outcome outcome) RAILHEAD_EXCLUDES(mutex_);
  [[nodiscard]] bool is_expired(const Record& record, const spool::Frame& frame) const;
  void wait(Duration at_most, const std::stop_token& stop) RAILHEAD_EXCLUDES(mutex_);

  const std::string sink_;
  const std::string gateway_;
  Stores& stores_;
  DeadLetters& dead_letters_;
  StartedRecords& started_;
  const system::Clock& clock_;
  std::array<spool::LaneId, 2> ids_;  // by SpoolId: telemetry, alarms
  system::EventFd ready_;

  // The sink's thread alone.
  std::array<Sequence, 2> position_{};
  std::array<Sequence, 2> given_through_{};  // a sequence at or below it that is given again is a repeat
  std::size_t looks_left_ = 0;               // frames that this call of next() may still look at
  bool unreadable_ = false;                  // this round of next() met something that the spool cannot read now
  std::array<bool, 2> marks_left_over_{};    // an earlier lane of this name left records counted as held
  std::vector<spool::Frame> frames_;
  std::vector<Sequence> marks_;  // scratch
  std::vector<ports::Outgoing> batch_;
  std::stop_token stop_;  // of the latest next()
  std::size_t batch_bytes_ = 0;

  std::atomic<bool> holding_{false};    // held_ is not empty
  std::atomic<bool> any_late_{false};   // late_ is not empty
  std::atomic<bool> any_aside_{false};  // aside_ is not empty

  mutable base::Mutex mutex_;
  HeldDestinations held_ RAILHEAD_GUARDED_BY(mutex_);
  std::set<ports::Place> late_ RAILHEAD_GUARDED_BY(mutex_);
  std::deque<Waiting> retries_ RAILHEAD_GUARDED_BY(mutex_);
  std::size_t retry_bytes_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::set<ports::Place> aside_ RAILHEAD_GUARDED_BY(mutex_);  // set aside, and not settled yet
  std::deque<SetAside> unwritten_ RAILHEAD_GUARDED_BY(mutex_);
  std::size_t unwritten_bytes_ RAILHEAD_GUARDED_BY(mutex_) = 0;
  std::deque<Letter> letters_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::flow
