// OwnSource: the gateway as a source of readings (S25), so that an alarm about the box is a rule like any other. Device
// = the gateway's name; `value` of
//   an event:  {event, level, text, action, left_out?, and the event's own fields as texts}, made from each report;
//              a change of health is the event health_changed {from, to, why}
//   counters:  {event: "counters", level: "info"} and the status document without its list of events, once an interval
// It must not feed on itself: an event that its own offer() causes, or that names `source: railhead`, makes no reading;
// of the events that a reading of ours may cause elsewhere (a sink refuses its record) no kind makes more than
// kEventsPerMinute; the outcome of a command is owed to who gave it, so of these kOutcomesPerMinute. What is left out
// is counted: in `left_out` of the next of its kind, and as own_readings_left_out. Bounds:  kQueueMax readings wait;
// the oldest give way. Threads: on_event() any, waits for nothing; run() is the source's thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "gateway/base/mutex.h"
#include "gateway/message/json.h"
#include "gateway/ports/source.h"
#include "gateway/status/link.h"
#include "gateway/status/reporter.h"
#include "gateway/system/clock.h"

namespace railhead::flow {

class OwnSource final : public ports::Source, public status::EventListener {
 public:
  static constexpr std::size_t kQueueMax = 1000;
  static constexpr std::uint32_t kEventsPerMinute = 100;  // of one kind
  static constexpr std::uint32_t kOutcomesPerMinute = 60'000;

  struct Options {
    std::string gateway;
    status::Level least = status::Level::info;
    Duration counters = std::chrono::minutes{1};   // 0: never
    std::function<std::string()> status_document;  // JSON; called on the source's thread
  };
  // All outlive it.
  OwnSource(Options options, const system::Clock& clock, status::Reporter& reporter, status::LinkStatus& link);

  void on_event(status::Event event, status::Fields fields) noexcept override RAILHEAD_EXCLUDES(mutex_);
  void run(ports::Intake& intake, std::stop_token stop) override RAILHEAD_EXCLUDES(mutex_);

 private:
  struct Share {  // of one kind of event
    BootTime since;
    std::uint32_t given = 0;
    std::uint64_t left_out = 0;
  };

  void push(Value value) RAILHEAD_REQUIRES(mutex_);
  void take_counters() RAILHEAD_EXCLUDES(mutex_);
  void tell_left_out(BootTime now) RAILHEAD_EXCLUDES(mutex_);
  bool hand_over(ports::Intake& intake) RAILHEAD_EXCLUDES(mutex_);

  const Options options_;
  const system::Clock& clock_;
  status::Reporter& reporter_;
  status::LinkStatus& link_;

  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<Reading> queue_ RAILHEAD_GUARDED_BY(mutex_);
  std::array<Share, status::kEvents.size()> shares_ RAILHEAD_GUARDED_BY(mutex_){};
  std::uint64_t left_out_ RAILHEAD_GUARDED_BY(mutex_) = 0;  // not yet told
  bool stopping_ RAILHEAD_GUARDED_BY(mutex_) = false;

  // The source's thread alone.
  JsonParser parser_;
  std::vector<Reading> offered_;  // taken off the queue, perhaps not yet taken by the intake
  BootTime counters_due_{};
  BootTime told_{};
};

}  // namespace railhead::flow
