// report(): the one way to print a line or to raise an event counter. The real one is Log (log.h): one line per event
// on standard error (text or JSON), repetition of the same event and fields limited, the suppressed ones counted and
// said. Threads: any.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/status/events.h"

namespace railhead::status {

struct FieldValue {
  std::string_view name;
  std::string value;
};
using Fields = std::initializer_list<FieldValue>;

class Reporter {
 public:
  virtual ~Reporter() = default;
  // Log line: "2026-01-01T00:00:00.123Z warning sink_lost sink=plant-kafka error=\"...\": sentence; what to do".
  virtual void report(Event event, Fields fields) = 0;
};

// Told of every report, also of those whose line was left out as a repetition (Log::listen).
// Threads: called on the reporting thread, which may hold locks of its own part: do not wait and do not report.
class EventListener {
 public:
  virtual ~EventListener() = default;
  virtual void on_event(Event event, Fields fields) noexcept = 0;
};

}  // namespace railhead::status
