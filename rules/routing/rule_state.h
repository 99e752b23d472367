// RuleStateOf: one source thread's walk through the compiled rules: scratch, lazily computed variables, and what rules
// remember of each device (previous, on_change, throttle; afresh after a restart, S27).
// Order of one reading: candidates from the index -> from -> when -> on_change, throttle -> each send -> final (S26).
// Bounds:  kDevicesRememberedMax devices a rule; beyond it the memory of some other device is given up.
//          kRoutesRememberedMax devices (and topics) with their rules, kRouteNumbersMax rule numbers in them; beyond
//          that they are worked out afresh.
// Threads: one owner. Never throws, never waits.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/ports/router.h"
#include "rules/routing/compiled.h"

namespace railhead::routing {

inline constexpr std::size_t kDevicesRememberedMax = 100'000;
inline constexpr std::size_t kRoutesRememberedMax = 10'000;
inline constexpr std::size_t kRouteNumbersMax = 1'000'000;

class RuleStateOf final : public ports::RuleState, private expression::Bindings {
 public:
  explicit RuleStateOf(std::shared_ptr<const Compiled> compiled);
  void route(const Reading& reading, const ports::Now& now, ports::Routed& out) override;
  void take_over(ports::RuleState& old, const ports::Now& now, std::vector<ports::Group>& closed) override;

 private:
  enum class Outcome : std::uint8_t { sent, failed, dropped, filtered };
  enum class Truth : std::uint8_t { yes, no, failed };

  // What one rule remembers of one device.
  struct DeviceMemory {
    Value previous;                // map, or null before the first reading
    std::vector<Value> last_sent;  // per deadband; null: never
    BootTime sent_at{};
    bool sent = false;
  };

  const Value& get(std::size_t slot) override;
  const std::vector<RuleNumber>& matching_rules(const Reading& reading);
  Outcome run(const Rule& rule, RuleNumber number, ports::Routed& out);
  Outcome run_sends(const Rule& rule, ports::Routed& out);
  Outcome send(const Rule& rule, const Send& send, ports::Routed& out);
  bool write_record(const Rule& rule, const Send& send, Record& record, std::string& why);
  Outcome fail(const Rule& rule, std::string reason, ports::Routed& out);
  void report(const Rule& rule, const std::string& reason, std::string_view outcome);
  // `why` is set when it failed.
  Truth decide(const Condition& condition, std::string& why);
  bool lacks_a_needed_point(const Condition& condition) const;
  bool render(const Template& text, std::string& out, std::string& why);
  bool write_body(const Body& body, std::string& out, std::string& why);
  bool write_raw(const Body& body, std::string& out, std::string& why);
  bool destination(const Send& send, Record& record, std::string& why);
  // False with a reason when an expression failed; `changed` says whether the rule is due.
  bool due(const Rule& rule, bool& is_due, std::string& why);
  void note_sent(const Rule& rule);
  void remember_previous();
  DeviceMemory& memory_of(RuleNumber number);

  const std::shared_ptr<const Compiled> compiled_;
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
  bool device_known_ = false;  // device_ is of this reading
  // Of the rule at hand.
  const Rule* rule_ = nullptr;
  bool took_it_ = false;  // its conditions hold and a send was due, whether it succeeded or failed
  DeviceMemory* memory_ = nullptr;
  std::vector<Value> lets_;
  std::vector<bool> lets_done_;
  std::vector<Value> deadband_values_;

  const Value empty_map_ = Value::map({});
  const Value qualities_[3];
  std::vector<std::unordered_map<std::string, DeviceMemory>> memories_;  // by rule
  std::string key_;                                                      // scratch of the look-ups
  std::string body_;  // grows once, so that a record's body is one allocation
};

}  // namespace railhead::routing
