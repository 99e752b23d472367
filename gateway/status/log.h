// Log: the real Reporter. One event, one line, one write to standard error:
//   2026-01-01T00:00:00.123Z warning sink_lost sink=plant-kafka error="timed out": sentence; what to do
// or with LogFormat::json {"time","level","event","fields":{...},"sentence","action"}. Under systemd's journal a line
// begins with <3>, <4> or <6>, its severity.
// Repetition: the same event with the same fields is written at once, then counted, and said once a window: "repeated
// 17 times in the last 1 min". One event with ever new fields is limited to `lines_per_window`, the rest is counted the
// same way. Counters (count()) see every report.
// Bounds: kRepeatsTracked kinds of repetition, kRecent latest events, kFieldBytesMax of a field's value; a field cannot
// break the line, control characters are escaped.
// Threads: any.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/time.h"
#include "gateway/status/reporter.h"
#include "gateway/system/clock.h"

namespace railhead::status {

enum class LogFormat : std::uint8_t { text, json };

// Standard error is connected to the journal: JOURNAL_STREAM names its device and inode (systemd.exec(5)).
[[nodiscard]] bool standard_error_is_journal();

struct LogOptions {
  LogFormat format = LogFormat::text;
  bool severity_prefix = false;
  Duration window = std::chrono::minutes{1};
  std::uint32_t lines_per_window = 100;
  std::ostream* to = nullptr;  // null: standard error
};

// One written event. `number` counts from 1 without gaps, so a reader of the ring sees what it missed.
struct RecentEvent {
  std::uint64_t number = 0;
  Time time;
  Event event = Event::started;
  std::vector<std::pair<std::string, std::string>> fields;
  std::uint64_t repeated = 0;  // since then, with the same fields and without a line
};

class Log final : public Reporter {
 public:
  static constexpr std::size_t kRepeatsTracked = 1024;
  static constexpr std::size_t kRecent = 100;
  static constexpr std::size_t kFieldBytesMax = 512;

  Log(const system::Clock& clock, LogOptions options);
  ~Log() override;  // says what is still counted
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void report(Event event, Fields fields) override;

  // Writes the summaries that are due. Call it about once a second.
  void tick();

  // One listener at a time; null for none. When it returns, the one before is no longer called.
  void listen(EventListener* listener);

  [[nodiscard]] std::uint64_t count(Event event) const;
  // The latest events, oldest first, only those with a number above `after`.
  [[nodiscard]] std::vector<RecentEvent> recent(std::uint64_t after = 0) const;

 private:
  struct State;
  const system::Clock& clock_;
  const LogOptions options_;
  std::unique_ptr<State> state_;
};

[[nodiscard]] std::string_view name_of(Level level);
// `key=value` as the text log writes it: quoted and escaped where needed.
void append_text_field(std::string_view name, std::string_view value, std::string& out);

}  // namespace railhead::status
