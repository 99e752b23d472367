// RuleStateOf: one source thread's walk through the compiled rules: scratch, lazily computed variables, and what rules
// remember of each device (previous, on_change, throttle; afresh after a restart, S27).
// Order of one reading: candidates from the index -> from -> when -> on_change, throttle -> each send -> final (S26).
// Bounds:  kDevicesRememberedMax devices a rule; beyond it the memory of some other device is given up.
//          kRoutesRememberedMax devices (and topics) with their rules, kRouteNumbersMax rule numbers in them; beyond
//          that they are worked out afresh.
// Threads: one owner. Never throws, never waits.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/message/json.h"
#include "gateway/ports/router.h"
#include "rules/routing/compiled.h"
#include "rules/routing/coverage.h"
#include "rules/routing/rule_memory.h"

namespace railhead::routing {

inline constexpr std::size_t kDevicesRememberedMax = 100'000;
inline constexpr std::size_t kRoutesRememberedMax = 10'000;
inline constexpr std::size_t kRouteNumbersMax = 1'000'000;

class RuleStateOf final : public ports::RuleState, private expression::Bindings {
 public:
  // `coverage`, if there is one, is told of what the readings reach. `only`: no other rule takes any.
  explicit RuleStateOf(std::shared_ptr<const Compiled> compiled, Coverage* coverage = nullptr,
                       std::optional<RuleNumber> only = {});
  void route(const Reading& reading, const ports::Now& now, ports::Routed& out) override;
  void take_over(ports::RuleState& old, const ports::Now& now, std::vector<ports::Group>& closed) override;
  void end(const ports::Now& now, std::vector<ports::Group>& closed) override;
  std::optional<BootTime> next_due() const override { return due_; }
  void close_due(const ports::Now& now, std::vector<ports::Group>& out) override;
  bool recall(std::string_view source, std::string_view entry, Duration age, const ports::Now& now) override;
  void restate(std::string_view source, const ports::Now& now, const std::function<void(std::string)>& take) override;

 private:
  // In the order of S14.
  enum class Outcome : std::uint8_t { sent, absorbed, failed, dropped, filtered };
  enum class Truth : std::uint8_t { yes, no, failed };

  // What one rule remembers of one device.
  struct DeviceMemory {
    Value previous;                               // map, or null before the first reading
    std::vector<std::optional<Value>> last_sent;  // per deadband; none: never
    BootTime sent_at{};
    bool sent = false;
  };

  const Value& get(std::size_t slot) override;
  // What the variables are about from now on; nullptr: nothing.
  void attend_to(const Reading* reading);
  void forget_lets() { std::fill(ready_.begin() + kFirstLetSlot, ready_.end(), nullptr); }
  const std::vector<RuleNumber>& matching_rules(const Reading& reading);
  Outcome run(const Rule& rule, RuleNumber number, ports::Routed& out);
  // From `when` on.
  Outcome decide_and_take(const Rule& rule, ports::Routed& out);
  Outcome run_sends(const Rule& rule, const std::vector<Send>& sends, ports::Routed& out);

  // What remembers (rule_state_memory.cpp, rule_windows.cpp, rule_sequence.cpp).
  Outcome take_items(const Rule& rule, ports::Routed& out);
  Outcome take(const Rule& rule, ports::Routed& out);  // dedup, then window, snapshot or sends
  Outcome in_sequence(const Rule& rule, ports::Routed& out);
  Outcome absorb_in_window(const Rule& rule, ports::Routed& out);
  Outcome absorb_points(const Rule& rule, ports::Routed& out);
  Outcome late(const Rule& rule, ports::Routed& out);
  RuleMemory& rule_memory(RuleNumber number, std::string_view source);
  // Closes what is due at `event_time` (of windows, snapshots).
  void close_windows(RuleMemory& memory, Time event_time, bool partial, std::vector<ports::Group>& out);
  void close_cell(const Rule& rule, RuleMemory& memory, const Span& span, const std::string& key, WindowCell& cell,
                  bool partial, std::vector<ports::Group>& out);
  void send_snapshots(RuleMemory& memory, Time event_time, std::vector<ports::Group>& out);
  // Lets go the readings that need wait no longer.
  void release(RuleMemory& memory, const std::string& sender, std::vector<ports::Group>& out);
  // Runs the rule on a reading of its own and puts what comes of it into a group.
  void as_group(const Rule& rule, const Reading& reading, const std::function<void(ports::Routed&)>& run,
                ports::Group& group);
  // Of a piece of work: the same when it is done again after a kill (S11).
  [[nodiscard]] static std::uint64_t identity_of(const Rule& rule, std::string_view source, std::string_view what,
                                                 Time time);
  // What a rule that is no more still owes: open windows, waiting readings.
  void settle_debts(RuleNumber number, const ports::Now& now, std::vector<ports::Group>& out);
  void due_at(BootTime when) {
    if (!due_ || when < *due_) due_ = when;
  }
  [[nodiscard]] std::optional<BootTime> due_of(const RuleMemory& memory) const;
  void tell_bound(const Rule& rule, std::string_view what);
  void apply(RuleMemory& memory, std::uint8_t kind, std::string_view body, Duration age, BootTime now);

  // Valid until the next evaluation.
  const Value& look(const expression::Program& program);
  Value evaluate(const expression::Program& program) { return look(program); }
  // What a send makes (rule_record.cpp, rule_body.cpp).
  Outcome send(const Rule& rule, const Send& send, ports::Routed& out);
  bool add_record(const Rule& rule, const Send& send, EncodedRecords& records, std::string& why);
  Outcome fail(const Rule& rule, std::string reason, ports::Routed& out);
  void report(const Rule& rule, const std::string& reason, std::string_view outcome);
  // `why` is set when it failed.
  Truth decide(const Condition& condition, std::string& why);
  bool lacks_a_needed_point(const Condition& condition) const;
  bool render(const Template& text, std::string& out, std::string& why);
  bool write_body(const Send& send, std::string& out, std::string& why);
  bool write_raw(const Body& body, std::string& out, std::string& why);
  bool write_document(BodyFormat format, std::string& out, std::string& why);  // the canonical one
  bool body_value(const Body& body, Value& out, std::string& why);
  bool fits_schema(const Send& send, std::string_view written, std::string& why);
  struct Destination {
    std::string_view topic;
    std::string_view routing_key;
    std::optional<std::string_view> key;
  };
  bool render_destination(const Send& send, Destination& out, std::string& why);
  bool render_headers(const Rule& rule, const Send& send, std::string& why);
  // False with a reason when an expression failed; `changed` says whether the rule is due.
  bool due(const Rule& rule, bool& is_due, std::string& why);
  void note_sent(const Rule& rule);
  void remember_previous();
  DeviceMemory& memory_of(RuleNumber number);

  const std::shared_ptr<const Compiled> compiled_;
  Coverage* const coverage_;
  const std::optional<RuleNumber> only_;
  expression::Evaluator evaluator_;
  // Which rules' `from` takes a source's device (and topic): worked out once for each.
  std::unordered_map<std::string, std::vector<RuleNumber>> routes_;
  std::size_t route_numbers_ = 0;  // in all of routes_

  // Of the reading at hand.
  const Reading* reading_ = nullptr;
  BootTime now_{};
  Value time_;
  Value source_;
  Value device_;
  // Of the rule at hand.
  const Rule* rule_ = nullptr;
  bool took_it_ = false;  // its conditions hold and a send was due, whether it succeeded or failed
  DeviceMemory* memory_ = nullptr;
  std::vector<Value> lets_;
  std::vector<const Value*> ready_;  // by slot: where the variables stand that are known; the lets' when they are done
  std::vector<std::optional<Value>> deadband_values_;  // none: this reading does not say

  // Of windows and for_each.
  const Window::Uses* uses_ = nullptr;  // of the program at hand
  std::vector<Value> results_;          // of the window that closes, as Window::calls
  Value window_;
  Value item_;
  Value index_;
  std::optional<Time> wall_;
  std::vector<std::vector<std::unique_ptr<RuleMemory>>> remembered_;  // by rule, one a source
  std::unordered_map<std::uint64_t, RuleNumber> by_state_id_;
  std::optional<BootTime> due_;
  RuleNumber number_ = 0;  // of the rule at hand

  const Value empty_map_ = Value::map({});
  const Value qualities_[3];
  std::vector<std::unordered_map<std::string, DeviceMemory>> memories_;  // by rule
  std::string key_;                                                      // scratch of the look-ups
  JsonParser parser_;                                                    // of bodies, for schemas
  // Of the record at hand.
  std::string topic_;
  std::string routing_key_;
  std::string record_key_;
  std::vector<Header> headers_;
  std::string body_;
};

}  // namespace railhead::routing
