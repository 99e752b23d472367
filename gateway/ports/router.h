// Router: the rules as the intake sees them. A Router is immutable and shared; a RuleState is one source thread's.
//
// What rules must not forget (S7) leaves them as *state entries*: bytes that only the rules understand, appended to the
// spool in the same group as the records they belong to. After a start the entries that were not settled come back
// through recall() in their order. restate() gives entries that together replace all given out before, so that a long
// window does not keep old segments.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/time.h"
#include "gateway/message/encoded_records.h"
#include "gateway/message/reading.h"

namespace railhead::ports {

// What became of one reading: the first that applies, in the order of S14.
enum class Verdict : std::uint8_t { routed, absorbed, set_aside, dropped, filtered, unrouted };

// A rule failed with on_error: set_aside.
struct SetAside {
  std::string rule;
  std::string reason;
};

// Records that no reading at hand made: a window that closed, a snapshot that is due, a reading that had waited. One
// atomic group (S6).
struct Group {
  std::uint64_t identity = 0;  // of this piece of work; the same when it is done again after a kill (S11)
  EncodedRecords records;
  std::vector<SetAside> set_aside;
  std::string state;  // the entry that says it is done
  Time time{};        // for dead letters: when, whose, and what the rule worked on, as JSON
  std::string device;
  std::string about;
};

struct Routed {
  Verdict verdict = Verdict::unrouted;
  std::vector<Group> before;  // what the reading's time made due
  EncodedRecords records;     // all that this reading became, one atomic group (S6) with `state`
  std::vector<SetAside> set_aside;
  std::string state;         // a state entry, or empty
  std::vector<Group> after;  // what had waited for this reading
};

// The moment at which rules run. Without wall time (recorded readings, an untrusted clock) nothing lies in the future.
struct Now {
  // NOLINTNEXTLINE(google-explicit-constructor)
  Now(BootTime at) : boot(at) {}
  Now(BootTime at, std::optional<Time> clock) : boot(at), wall(clock) {}
  BootTime boot;
  std::optional<Time> wall;
};

inline constexpr std::size_t kGroupsAtOnce = 256;  // of close_due(), so that one call makes a bounded batch

class RuleState {
 public:
  virtual ~RuleState() = default;
  // Routes one reading. `out` is cleared first. Never throws, never waits.
  virtual void route(const Reading& reading, const Now& now, Routed& out) = 0;

  // When something falls due by time alone; it may be early, never late.
  [[nodiscard]] virtual std::optional<BootTime> next_due() const { return std::nullopt; }
  // Adds what is due now, at most kGroupsAtOnce groups; if there is more, next_due() is past.
  virtual void close_due(const Now& now, std::vector<Group>& out) {
    static_cast<void>(now);
    static_cast<void>(out);
  }

  // A state entry of `source`, found at start, in the order in which they were given out; `age` since then. False if no
  // rule knows what it is about: it may be forgotten.
  virtual bool recall(std::string_view source, std::string_view entry, Duration age, const Now& now) {
    static_cast<void>(source);
    static_cast<void>(entry);
    static_cast<void>(age);
    static_cast<void>(now);
    return false;
  }
  // Everything that is remembered of `source`, as entries that replace all given out before.
  virtual void restate(std::string_view source, const Now& now, const std::function<void(std::string)>& take) {
    static_cast<void>(source);
    static_cast<void>(now);
    static_cast<void>(take);
  }

  // Takes what `old`, the same source's state of an earlier Router, remembers for rules that did not change: same name,
  // same text (S31). What changed and removed rules still owe (windows closed early) is added to `closed`; what is
  // remembered then is to be restated. `old` is of no use afterwards.
  virtual void take_over(RuleState& old, const Now& now, std::vector<Group>& closed) {
    static_cast<void>(old);
    static_cast<void>(now);
    static_cast<void>(closed);
  }
  // The source is gone for good: adds all that the rules still owe of its readings. Nothing is remembered then.
  virtual void end(const Now& now, std::vector<Group>& closed) {
    static_cast<void>(now);
    static_cast<void>(closed);
  }
};

class Router {
 public:
  virtual ~Router() = default;
  [[nodiscard]] virtual std::unique_ptr<RuleState> open() const = 0;
  // As if there were this rule alone; null if there is no such rule.
  [[nodiscard]] virtual std::unique_ptr<RuleState> open_one(std::string_view rule) const = 0;
  // Some rule takes readings of this source.
  [[nodiscard]] virtual bool takes_from(std::string_view source) const = 0;
};

}  // namespace railhead::ports
