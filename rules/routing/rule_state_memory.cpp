// RuleStateOf's part that remembers: for_each, dedup, what is due by time alone, reload.
#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/message/json.h"
#include "gateway/status/reporter.h"
#include "rules/routing/expression_reader.h"
#include "rules/routing/rule_state.h"
#include "rules/routing/state_bytes.h"
#include "rules/routing/state_kind.h"

namespace railhead::routing {
namespace {

constexpr std::size_t kItemsOfAReadingMax = 10'000;  // of for_each

}  // namespace

std::uint64_t RuleStateOf::identity_of(const Rule& rule, std::string_view source, std::string_view what, Time time) {
  std::uint64_t hash = stable_hash(source, rule.state_id);
  hash = stable_hash(std::string_view("\0", 1), hash);
  hash = stable_hash(what, hash);
  const std::uint64_t identity = stable_hash(std::to_string(time.time_since_epoch().count()), hash);
  return identity == 0 ? 1 : identity;
}

RuleMemory& RuleStateOf::rule_memory(RuleNumber number, std::string_view source) {
  auto& of_rule = remembered_[number];
  for (const auto& memory : of_rule) {
    if (memory->source == source) return *memory;
  }
  of_rule.push_back(std::make_unique<RuleMemory>());
  of_rule.back()->rule = number;
  of_rule.back()->source = source;
  return *of_rule.back();
}

void RuleStateOf::tell_bound(const Rule& rule, std::string_view what) {
  if (compiled_->reporter == nullptr) return;
  compiled_->reporter->report(
      status::Event::rule_keys_full,
      {{"rule", rule.name}, {"source", reading_->source}, {"device", reading_->device}, {"bound", std::string(what)}});
}

void RuleStateOf::as_group(const Rule& rule, const Reading& reading, const std::function<void(ports::Routed&)>& run,
                           ports::Group& group) {
  const Reading* const reading_before = reading_;
  const Rule* rule_before = std::exchange(rule_, &rule);
  const RuleNumber number_before = std::exchange(number_, static_cast<RuleNumber>(&rule - compiled_->rules.data()));
  const bool took_before = took_it_;
  const DeviceMemory* const memory_before = std::exchange(memory_, nullptr);
  attend_to(&reading);
  forget_lets();
  ports::Routed scratch;
  run(scratch);
  group.records = std::move(scratch.records);
  group.set_aside = std::move(scratch.set_aside);
  group.state += scratch.state;
  group.time = reading.time;
  group.device = reading.device;
  attend_to(reading_before);
  forget_lets();
  rule_ = rule_before;
  number_ = number_before;
  took_it_ = took_before;
  // Looked up again: what ran may have given up the memory of any device.
  memory_ = memory_before == nullptr ? nullptr : &memory_of(number_);
}

// --- for_each and dedup

RuleStateOf::Outcome RuleStateOf::take_items(const Rule& rule, ports::Routed& out) {
  const Value items = evaluate(*rule.for_each);
  if (items.is(Kind::null)) return Outcome::filtered;
  if (items.is(Kind::error)) return fail(rule, "for_each: " + std::string(items.as_text()), out);
  if (!items.is(Kind::list) && !items.is(Kind::map)) {
    return fail(
        rule, "for_each: " + with_article(expression::name_of(expression::type_of(items))) + " is not a list or a map",
        out);
  }
  const std::size_t count = items.is(Kind::list) ? items.as_list().size() : items.as_map().size();
  if (count > kItemsOfAReadingMax) {
    return fail(rule, "for_each: more than " + std::to_string(kItemsOfAReadingMax) + " items", out);
  }
  Outcome whole = Outcome::filtered;
  for (std::size_t i = 0; i < count; ++i) {
    if (items.is(Kind::list)) {
      item_ = items.as_list()[i];
      index_ = Value::integer(static_cast<std::int64_t>(i));
    } else {
      item_ = items.as_map()[i].second;
      index_ = items.as_map()[i].first;
    }
    forget_lets();
    whole = std::min(whole, take(rule, out));
  }
  return whole;
}

RuleStateOf::Outcome RuleStateOf::take(const Rule& rule, ports::Routed& out) {
  const auto go_on = [&] {
    if (rule.window) return absorb_in_window(rule, out);
    if (rule.snapshot) return absorb_points(rule, out);
    return run_sends(rule, rule.sends, out);
  };
  if (!rule.dedup) return go_on();
  const Value by = evaluate(*rule.dedup->by);
  if (by.is(Kind::error)) return fail(rule, "dedup: " + std::string(by.as_text()), out);
  std::string key;
  write_value(by, key);
  RuleMemory& memory = rule_memory(number_, reading_->source);
  memory.seen.expire(now_ - rule.dedup->period);
  if (memory.seen.keys.contains(key)) return Outcome::filtered;
  const Outcome outcome = go_on();
  if (outcome == Outcome::sent || outcome == Outcome::absorbed) {
    add_part(rule.state_id, StateKind::seen, out.state, [&](std::string& body) {
      base::ByteWriter writer(body);
      writer.text(key);
      writer.i64(0);
    });
    rule_memory(number_, reading_->source).seen.add(std::move(key), now_, rule.dedup->limit);
  }
  return outcome;
}

// --- by time alone

std::optional<BootTime> RuleStateOf::due_of(const RuleMemory& memory) const {
  const Rule& rule = compiled_->rules[memory.rule];
  std::optional<BootTime> due;
  const auto at = [&](BootTime when) { due = due ? std::min(*due, when) : when; };
  if (!memory.windows.empty()) at(memory.clock.when(memory.windows.begin()->second.end + rule.window->late));
  if (memory.period_end) at(memory.clock.when(*memory.period_end));
  for (const auto& [sender, numbers] : memory.numbers) {
    for (const auto& [number, waiting] : numbers.waiting) at(waiting.since + rule.sequence->wait);
  }
  return due;
}

void RuleStateOf::close_due(const ports::Now& now, std::vector<ports::Group>& out) {
  now_ = now.boot;
  wall_ = now.wall;
  due_.reset();
  for (const auto& of_rule : remembered_) {
    for (const auto& memory : of_rule) {
      const std::optional<BootTime> due = due_of(*memory);
      if (due && *due <= now_) {
        if (!memory->windows.empty()) close_windows(*memory, memory->clock.at(now_), false, out);
        if (memory->period_end) send_snapshots(*memory, memory->clock.at(now_), out);
        std::vector<std::string> senders;
        for (const auto& [sender, numbers] : memory->numbers) {
          if (!numbers.waiting.empty()) senders.push_back(sender);
        }
        std::sort(senders.begin(), senders.end());
        for (const std::string& sender : senders) release(*memory, sender, out);
      }
      if (const std::optional<BootTime> next = due_of(*memory)) due_at(*next);
    }
  }
  attend_to(nullptr);
}

// --- reload

void RuleStateOf::settle_debts(RuleNumber number, const ports::Now& now, std::vector<ports::Group>& out) {
  now_ = now.boot;
  wall_ = now.wall;
  for (const auto& memory : remembered_[number]) {
    for (auto& [sender, numbers] : memory->numbers) {
      for (auto& [waiting_number, waiting] : numbers.waiting) waiting.since = BootTime::min();
      while (!numbers.waiting.empty()) {
        std::vector<ports::Group> some;
        release(*memory, sender, some);
        out.insert(out.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
      }
    }
    if (compiled_->rules[number].window) close_windows(*memory, Time::max(), true, out);
    while (memory->period_end) {
      std::vector<ports::Group> some;
      send_snapshots(*memory, Time::max(), some);
      out.insert(out.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    }
  }
}

void RuleStateOf::end(const ports::Now& now, std::vector<ports::Group>& closed) {
  for (RuleNumber number = 0; number < remembered_.size(); ++number) {
    settle_debts(number, now, closed);
    remembered_[number].clear();
  }
}

void RuleStateOf::take_over(ports::RuleState& old, const ports::Now& now, std::vector<ports::Group>& closed) {
  auto* const before = dynamic_cast<RuleStateOf*>(&old);
  if (before == nullptr) return;
  std::unordered_map<std::string_view, RuleNumber> by_name;
  for (RuleNumber i = 0; i < compiled_->rules.size(); ++i) by_name.emplace(compiled_->rules[i].name, i);
  for (RuleNumber i = 0; i < before->compiled_->rules.size(); ++i) {
    const Rule& rule = before->compiled_->rules[i];
    const auto same = by_name.find(rule.name);
    if (same == by_name.end() || compiled_->rules[same->second].fingerprint != rule.fingerprint) {
      before->settle_debts(i, now, closed);
      continue;
    }
    memories_[same->second] = std::move(before->memories_[i]);
    remembered_[same->second] = std::move(before->remembered_[i]);
    for (const auto& memory : remembered_[same->second]) memory->rule = same->second;
  }
  due_at(now.boot);  // the next close_due() works out when
}

}  // namespace railhead::routing
