#include "rules/routing/rule_state.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "gateway/base/assert.h"
#include "gateway/message/json.h"
#include "gateway/status/reporter.h"
#include "rules/routing/expression_reader.h"

namespace railhead::routing {
namespace {

// Deadbands are decimals (0.1): a step that is as long as the band but for rounding counts as a change.
constexpr double kRounding = 1e-9;

bool moved(const Value& value, const Value& last, const Deadband& band) {
  if (!value.is_number() || !last.is_number()) return !(value == last);
  const double now = value.to_real();
  const double before = last.to_real();
  if (std::isnan(now) || std::isnan(before)) return std::isnan(now) != std::isnan(before);
  const double needed = std::max(band.absolute, band.fraction * std::fabs(before));
  const double by = std::fabs(now - before);
  return by > 0 && by >= needed * (1 - kRounding);
}

}  // namespace

RuleStateOf::RuleStateOf(std::shared_ptr<const Compiled> compiled, Coverage* coverage, std::optional<RuleNumber> only)
    : compiled_(std::move(compiled)),
      coverage_(coverage),
      only_(only),
      lets_(compiled_->lets_max),
      ready_(kFirstLetSlot + compiled_->lets_max),
      remembered_(compiled_->rules.size()),
      qualities_{Value::text(name_of(Quality::good)), Value::text(name_of(Quality::uncertain)),
                 Value::text(name_of(Quality::bad))},
      memories_(compiled_->rules.size()) {
  for (RuleNumber number = 0; number < compiled_->rules.size(); ++number) {
    const Rule& rule = compiled_->rules[number];
    if (rule.remembers()) by_state_id_.emplace(rule.state_id, number);
  }
  ready_[kGatewaySlot] = &compiled_->gateway_value;
  ready_[kLabelsSlot] = &compiled_->labels;
  ready_[kTablesSlot] = &compiled_->tables;
  ready_[kWindowSlot] = &window_;
  ready_[kItemSlot] = &item_;
  ready_[kIndexSlot] = &index_;
  set_ready(ready_.data(), ready_.size());
}

const Value& RuleStateOf::look(const expression::Program& program) {
  if (rule_ == nullptr || !rule_->window) return evaluator_.look(program, *this);
  const auto found = rule_->window->uses.find(&program);
  const Window::Uses* before = std::exchange(uses_, found == rule_->window->uses.end() ? nullptr : &found->second);
  // The slots of its window functions may be those of lets that come later.
  const std::size_t ready_before = limit_ready(uses_ == nullptr ? ready_.size() : uses_->first_slot);
  const Value& value = evaluator_.look(program, *this);
  uses_ = before;
  limit_ready(ready_before);
  return value;
}

void RuleStateOf::attend_to(const Reading* reading) {
  const auto or_empty = [&](const Value& value) { return value.is(Kind::null) ? &empty_map_ : &value; };
  reading_ = reading;
  ready_[kSourceSlot] = nullptr;
  ready_[kDeviceSlot] = nullptr;
  time_ = reading == nullptr ? Value{} : Value::timestamp(reading->time);
  ready_[kTimeSlot] = &time_;
  ready_[kValueSlot] = reading == nullptr ? nullptr : &reading->value;
  ready_[kQualitySlot] = reading == nullptr ? nullptr : &qualities_[static_cast<std::size_t>(reading->quality)];
  ready_[kBadSlot] = reading == nullptr ? nullptr : or_empty(reading->bad);
  ready_[kAttributesSlot] = reading == nullptr ? nullptr : or_empty(reading->attributes);
}

void RuleStateOf::route(const Reading& reading, const ports::Now& now, ports::Routed& out) {
  out.verdict = ports::Verdict::unrouted;
  out.records.clear();
  out.set_aside.clear();
  out.before.clear();
  out.after.clear();
  out.state.clear();
  attend_to(&reading);
  now_ = now.boot;
  wall_ = now.wall;
  bool absorbed = false;
  bool dropped = false;
  bool filtered = false;
  for (const RuleNumber number : matching_rules(reading)) {
    const Rule& rule = compiled_->rules[number];
    const Outcome outcome = run(rule, number, out);
    if (outcome == Outcome::absorbed) absorbed = true;
    if (outcome == Outcome::dropped) dropped = true;
    if (outcome == Outcome::filtered) filtered = true;
    if (took_it_ && rule.is_final) break;
  }
  // S14: the first that applies.
  if (!out.records.empty()) {
    out.verdict = ports::Verdict::routed;
  } else if (absorbed) {
    out.verdict = ports::Verdict::absorbed;
  } else if (!out.set_aside.empty()) {
    out.verdict = ports::Verdict::set_aside;
  } else if (dropped) {
    out.verdict = ports::Verdict::dropped;
  } else if (filtered) {
    out.verdict = ports::Verdict::filtered;
  }
  reading_ = nullptr;
}

const std::vector<RuleNumber>& RuleStateOf::matching_rules(const Reading& reading) {
  key_.assign(reading.source);
  key_.push_back('\0');
  key_ += reading.device;
  if (compiled_->index.looks_at_topics()) {
    key_.push_back('\0');
    key_ += topic_of(reading);
  }
  const auto known = routes_.find(key_);
  if (known != routes_.end()) return known->second;
  if (routes_.size() >= kRoutesRememberedMax || route_numbers_ >= kRouteNumbersMax) {
    routes_.clear();
    route_numbers_ = 0;
  }
  std::vector<RuleNumber> rules;
  compiled_->index.candidates(reading, rules);
  std::erase_if(rules, [&](RuleNumber number) {
    if (only_ && number != *only_) return true;
    const auto& from = compiled_->rules[number].from;
    return std::none_of(from.begin(), from.end(), [&](const Selection& one) { return one.matches(reading); });
  });
  route_numbers_ += rules.size();
  return routes_.emplace(key_, std::move(rules)).first->second;
}

RuleStateOf::Outcome RuleStateOf::run(const Rule& rule, RuleNumber number, ports::Routed& out) {
  rule_ = &rule;
  number_ = number;
  took_it_ = false;
  forget_lets();
  memory_ = rule.keeps_state() ? &memory_of(number) : nullptr;
  if (rule.sends_at_once && coverage_ == nullptr) {
    const Outcome outcome = run_sends(rule, rule.sends, out);
    took_it_ = outcome != Outcome::filtered;
    return outcome;
  }
  return rule.sequence ? in_sequence(rule, out) : decide_and_take(rule, out);
}

RuleStateOf::Outcome RuleStateOf::decide_and_take(const Rule& rule, ports::Routed& out) {
  std::string why;
  Outcome outcome = Outcome::filtered;
  const Truth truth = decide(rule.when, why);
  if (coverage_ != nullptr && truth != Truth::failed) coverage_->decided(number_, truth == Truth::yes);
  const bool passes = truth == Truth::failed && rule.on_error == OnError::pass;
  if (passes) report(rule, "when: " + why, "passed");
  if (truth == Truth::failed && !passes) {
    outcome = fail(rule, "when: " + why, out);
  } else if (truth == Truth::yes || passes) {
    bool is_due = true;
    if (!due(rule, is_due, why)) {
      outcome = fail(rule, why, out);
    } else if (is_due) {
      outcome = rule.for_each ? take_items(rule, out) : take(rule, out);
      took_it_ = outcome != Outcome::filtered;
      if (outcome == Outcome::sent || outcome == Outcome::absorbed) note_sent(rule);
    }
  }
  if (rule.uses_previous) remember_previous();
  return outcome;
}

RuleStateOf::Outcome RuleStateOf::run_sends(const Rule& rule, const std::vector<Send>& sends, ports::Routed& out) {
  Outcome whole = Outcome::filtered;
  for (const Send& one : sends) {
    const Outcome outcome = send(rule, one, out);
    whole = std::min(whole, outcome);
    // `late` is no part of the coverage.
    if (coverage_ == nullptr || &sends != &rule.sends) continue;
    if (outcome == Outcome::sent || outcome == Outcome::filtered) {
      coverage_->sent(number_, static_cast<std::size_t>(&one - sends.data()), outcome == Outcome::sent);
    }
  }
  return whole;
}

RuleStateOf::Outcome RuleStateOf::fail(const Rule& rule, std::string reason, ports::Routed& out) {
  if (rule.on_error == OnError::drop) {
    report(rule, reason, "dropped");
    return Outcome::dropped;
  }
  // on_error: pass comes here only with what cannot be sent, such as a record without a topic.
  out.set_aside.push_back({rule.name, std::move(reason)});
  return Outcome::failed;
}

void RuleStateOf::report(const Rule& rule, const std::string& reason, std::string_view outcome) {
  if (compiled_->reporter == nullptr) return;
  compiled_->reporter->report(status::Event::rule_failed, {{"rule", rule.name},
                                                           {"source", reading_->source},
                                                           {"device", reading_->device},
                                                           {"error", reason},
                                                           {"reading", std::string(outcome)}});
}

RuleStateOf::Truth RuleStateOf::decide(const Condition& condition, std::string& why) {
  if (!condition.expression) return Truth::yes;
  const Value& value = look(*condition.expression);
  if (value.is(Kind::boolean)) return value.as_boolean() ? Truth::yes : Truth::no;
  if (value.is(Kind::error)) {
    if (lacks_a_needed_point(condition)) return Truth::no;
    why = value.as_text();
  } else {
    why = "is " + type_with_article(value) + ", not true or false";
  }
  return Truth::failed;
}

bool RuleStateOf::lacks_a_needed_point(const Condition& condition) const {
  if (condition.reads_previous && memory_ != nullptr && memory_->previous.is(Kind::null)) return true;
  return std::any_of(condition.needed_points.begin(), condition.needed_points.end(),
                     [&](const std::string& point) { return reading_->value.find(point) == nullptr; });
}

bool RuleStateOf::due(const Rule& rule, bool& is_due, std::string& why) {
  if (rule.throttle.count() > 0 && memory_->sent && now_ - memory_->sent_at < rule.throttle) {
    is_due = false;
    return true;
  }
  if (rule.on_change.empty()) return true;
  memory_->last_sent.resize(rule.on_change.size());
  deadband_values_.assign(rule.on_change.size(), std::nullopt);
  is_due = !memory_->sent || (rule.at_least_every.count() > 0 && now_ - memory_->sent_at >= rule.at_least_every);
  bool says_something = false;
  for (std::size_t i = 0; i < rule.on_change.size(); ++i) {
    const Deadband& band = rule.on_change[i];
    Value value = evaluate(*band.value.expression);
    if (value.is(Kind::error)) {
      if (lacks_a_needed_point(band.value)) continue;
      why = "on_change: " + band.value.expression->text() + ": " + std::string(value.as_text());
      return false;
    }
    says_something = true;
    if (!memory_->last_sent[i] || moved(value, *memory_->last_sent[i], band)) is_due = true;
    deadband_values_[i] = std::move(value);
  }
  if (!says_something) is_due = false;
  return true;
}

void RuleStateOf::note_sent(const Rule& rule) {
  if (memory_ == nullptr) return;
  memory_->sent = true;
  memory_->sent_at = now_;
  for (std::size_t i = 0; i < rule.on_change.size(); ++i) {
    if (deadband_values_[i]) memory_->last_sent[i] = deadband_values_[i];
  }
}

void RuleStateOf::remember_previous() {
  Value::Entries entries;
  const auto add = [&](std::string_view name, Value value) {
    entries.emplace_back(Value::text(name), std::move(value));
  };
  add("value", reading_->value);
  add("quality", qualities_[static_cast<std::size_t>(reading_->quality)]);
  add("bad", reading_->bad.is(Kind::null) ? empty_map_ : reading_->bad);
  add("time", time_);
  add("attributes", reading_->attributes.is(Kind::null) ? empty_map_ : reading_->attributes);
  memory_->previous = Value::map(std::move(entries));
}

RuleStateOf::DeviceMemory& RuleStateOf::memory_of(RuleNumber number) {
  auto& memory = memories_[number];
  key_.assign(reading_->source);
  key_.push_back('\0');
  key_ += reading_->device;
  const auto found = memory.find(key_);
  if (found != memory.end()) return found->second;
  if (memory.size() >= kDevicesRememberedMax) memory.erase(memory.begin());
  return memory[key_];
}

const Value& RuleStateOf::get(std::size_t slot) {
  if (uses_ != nullptr && slot >= uses_->first_slot) return results_[uses_->calls[slot - uses_->first_slot]];
  if (slot >= kFirstLetSlot) {
    const std::size_t i = slot - kFirstLetSlot;
    RAILHEAD_ASSERT(i < rule_->lets.size());
    const Value& value = look(*rule_->lets[i].expression);
    if (!value.is(Kind::error) && evaluator_.stands_outside(value)) {
      ready_[slot] = &value;
      return value;
    }
    lets_[i] = value.is(Kind::error) ? Value::error("let " + rule_->lets[i].name + ": " + std::string(value.as_text()))
                                     : value;
    ready_[slot] = &lets_[i];
    return lets_[i];
  }
  switch (static_cast<Slot>(slot)) {
    case kSourceSlot:
      if (!source_.is(Kind::string) || source_.as_text() != reading_->source) source_ = Value::text(reading_->source);
      ready_[slot] = &source_;
      return source_;
    case kDeviceSlot:
      device_ = Value::text(reading_->device);
      ready_[slot] = &device_;
      return device_;
    case kPreviousSlot: return memory_ == nullptr || memory_->previous.is(Kind::null) ? empty_map_ : memory_->previous;
    default: break;
  }
  RAILHEAD_ASSERT(false);
  return empty_map_;
}

}  // namespace railhead::routing
