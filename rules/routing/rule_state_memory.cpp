// RuleStateOf's part that remembers: for_each, dedup, expect_sequence, windows, snapshots.
#include <algorithm>
#include <cmath>
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

constexpr Duration kFuture = std::chrono::hours{1};  // S28
constexpr std::size_t kItemsOfAReadingMax = 10'000;  // of for_each
constexpr std::uint64_t kAfresh = 8;                 // a sender that begins at 0 or 1 again, from this far on

void write_time(Time time, std::string& out) { base::ByteWriter(out).i64(time.time_since_epoch().count()); }

std::uint64_t identity_of(const Rule& rule, std::string_view source, std::string_view what, Time time) {
  std::uint64_t hash = stable_hash(source, rule.state_id);
  hash = stable_hash(std::string_view("\0", 1), hash);
  hash = stable_hash(what, hash);
  const std::uint64_t identity = stable_hash(std::to_string(time.time_since_epoch().count()), hash);
  return identity == 0 ? 1 : identity;
}

// An int, or a double that is one.
std::optional<std::uint64_t> number_of(const Value& value) {
  if (value.is(Kind::uinteger)) return value.as_uinteger();
  if (value.is(Kind::integer) && value.as_integer() >= 0) return static_cast<std::uint64_t>(value.as_integer());
  if (value.is(Kind::real) && value.as_real() >= 0 && value.as_real() < 9e15 &&
      std::floor(value.as_real()) == value.as_real()) {
    return static_cast<std::uint64_t>(value.as_real());
  }
  return {};
}

}  // namespace

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

template <class Run>
void RuleStateOf::as_group(const Rule& rule, const Reading& reading, Run run, ports::Group& group) {
  const Reading* reading_before = std::exchange(reading_, &reading);
  const Rule* rule_before = std::exchange(rule_, &rule);
  const bool took_before = took_it_;
  DeviceMemory* memory_before = std::exchange(memory_, nullptr);
  const auto fresh = [&] {
    time_ = reading_ == nullptr ? Value{} : Value::timestamp(reading_->time);
    device_known_ = false;
    std::fill(lets_done_.begin(), lets_done_.end(), false);
  };
  fresh();
  ports::Routed scratch;
  run(scratch);
  group.records = std::move(scratch.records);
  group.set_aside = std::move(scratch.set_aside);
  group.state += scratch.state;
  group.time = reading.time;
  group.device = reading.device;
  reading_ = reading_before;
  rule_ = rule_before;
  took_it_ = took_before;
  memory_ = memory_before;
  fresh();
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
    std::fill_n(lets_done_.begin(), rule.lets.size(), false);
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

// --- windows

RuleStateOf::Outcome RuleStateOf::late(const Rule& rule, ports::Routed& out) {
  if (compiled_->reporter != nullptr) {
    compiled_->reporter->report(status::Event::reading_late,
                                {{"rule", rule.name},
                                 {"source", reading_->source},
                                 {"device", reading_->device},
                                 {"time", to_rfc3339(reading_->time)},
                                 {"reading", rule.late_sends.empty() ? "dropped" : "sent as late"}});
  }
  return rule.late_sends.empty() ? Outcome::dropped : run_sends(rule, rule.late_sends, out);
}

RuleStateOf::Outcome RuleStateOf::absorb_in_window(const Rule& rule, ports::Routed& out) {
  const Window& window = *rule.window;
  const Time time = reading_->time;
  if (wall_ && reading_->clock_trusted && time > *wall_ + kFuture) return late(rule, out);
  RuleMemory& memory = rule_memory(number_, reading_->source);
  const Span span = span_of(time, window.every, window.zone);
  const bool over =
      memory.clock.running() && span.end <= std::max(memory.clock.closed_through, memory.clock.newest - window.late);
  if (over) return late(rule, out);
  Value key;
  if (window.by) {
    key = evaluate(*window.by);
    if (key.is(Kind::error)) return fail(rule, "by: " + std::string(key.as_text()), out);
  }
  std::vector<Value> arguments(window.calls.size());
  for (std::size_t i = 0; i < window.calls.size(); ++i) {
    const WindowCall& call = window.calls[i];
    if (!call.argument) {
      arguments[i] = Value::boolean(true);
      continue;
    }
    Value value = evaluate(*call.argument);
    if (value.is(Kind::error)) {
      if (!evaluator_.missing_member()) return fail(rule, std::string(value.as_text()), out);
      value = Value{};  // a point that this reading does not hold counts for nothing
    }
    if (std::string why = Accumulator::fault(call.function, value); !why.empty())
      return fail(rule, std::move(why), out);
    arguments[i] = std::move(value);
  }
  memory.clock.advance(time, now_);
  close_windows(memory, memory.clock.newest, false, out.before);

  std::string key_bytes;
  write_value(key, key_bytes);
  OpenWindow& open = memory.windows[span.start];
  open.end = span.end;
  auto found = open.cells.find(key_bytes);
  if (found == open.cells.end()) {
    if (memory.cells >= window.keys_max) {
      if (open.cells.empty()) memory.windows.erase(span.start);
      tell_bound(rule, "keys");
      return Outcome::dropped;
    }
    ++memory.cells;
    found = open.cells.try_emplace(key_bytes).first;
    found->second.key = key;
    found->second.device = reading_->device;
    for (const WindowCall& call : window.calls) found->second.values.emplace_back(call.function, call.percent);
  }
  WindowCell& cell = found->second;
  cell.one_device = cell.one_device && cell.device == reading_->device;
  cell.clock_trusted = cell.clock_trusted && reading_->clock_trusted;
  for (std::size_t i = 0; i < arguments.size(); ++i) cell.values[i].add(arguments[i], time);
  due_at(memory.clock.when(memory.windows.begin()->second.end + window.late));
  add_part(rule.state_id, StateKind::absorbed, out.state, [&](std::string& body) {
    base::ByteWriter writer(body);
    write_time(time, body);
    writer.u8(reading_->clock_trusted ? 1 : 0);
    writer.raw(key_bytes);
    writer.text(reading_->device);
    writer.varint(arguments.size());
    for (const Value& argument : arguments) write_value(argument, body);
  });
  return Outcome::absorbed;
}

void RuleStateOf::close_windows(RuleMemory& memory, Time event_time, bool partial, std::vector<ports::Group>& out) {
  const Rule& rule = compiled_->rules[memory.rule];
  const Window& window = *rule.window;
  while (!memory.windows.empty()) {
    const auto first = memory.windows.begin();
    const Span span{first->first, first->second.end};
    if (!partial && span.end + window.late > event_time) return;
    memory.clock.closed_through = std::max(memory.clock.closed_through, span.end);
    // In the order of the keys' bytes: the same after a crash.
    std::vector<std::string> keys;
    for (const auto& [key, cell] : first->second.cells) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    for (const std::string& key : keys) {
      if (!partial && out.size() >= ports::kGroupsAtOnce) return;
      const auto cell = first->second.cells.find(key);
      WindowCell taken = std::move(cell->second);
      first->second.cells.erase(cell);
      --memory.cells;
      close_cell(rule, memory, span, key, taken, partial, out);
    }
    memory.windows.erase(first);
  }
}

void RuleStateOf::close_cell(const Rule& rule, RuleMemory& memory, const Span& span, const std::string& key,
                             WindowCell& cell, bool partial, std::vector<ports::Group>& out) {
  ports::Group& group = out.emplace_back();
  group.identity = identity_of(rule, memory.source, key, span.start);
  Reading reading;
  reading.source = memory.source;
  if (cell.one_device) {
    reading.device = cell.device;
  } else if (cell.key.is(Kind::string)) {
    reading.device = cell.key.as_text();
  }
  reading.time = span.end;
  reading.clock_trusted = cell.clock_trusted;
  Value::Entries entries;
  entries.emplace_back(Value::text("start"), Value::timestamp(span.start));
  entries.emplace_back(Value::text("end"), Value::timestamp(span.end));
  entries.emplace_back(Value::text("key"), cell.key);
  entries.emplace_back(Value::text("partial"), Value::boolean(partial));
  window_ = Value::map(std::move(entries));
  results_.clear();
  for (const Accumulator& value : cell.values) results_.push_back(value.result());
  as_group(
      rule, reading, [&](ports::Routed& scratch) { (void)run_sends(rule, rule.sends, scratch); }, group);
  group.about = to_json(window_);
  add_part(rule.state_id, StateKind::closed, group.state, [&](std::string& body) {
    write_time(span.start, body);
    body += key;
    write_time(memory.clock.newest, body);
    write_time(memory.clock.closed_through, body);
  });
}

// --- snapshots

RuleStateOf::Outcome RuleStateOf::absorb_points(const Rule& rule, ports::Routed& out) {
  const Time time = reading_->time;
  if (wall_ && reading_->clock_trusted && time > *wall_ + kFuture) return late(rule, out);
  RuleMemory& memory = rule_memory(number_, reading_->source);
  memory.clock.advance(time, now_);
  send_snapshots(memory, memory.clock.newest, out.before);
  auto found = memory.devices.find(reading_->device);
  if (found == memory.devices.end()) {
    if (memory.devices.size() >= rule.snapshot->devices_max) {
      tell_bound(rule, "devices");
      return Outcome::dropped;
    }
    found = memory.devices.try_emplace(reading_->device).first;
  }
  LastPoints& last = found->second;
  Value points = merged_points(last.reading.value, reading_->value);
  last.reading = *reading_;
  last.reading.token.reset();
  last.reading.value = std::move(points);
  last.heard = true;
  if (!memory.period_end) memory.period_end = span_of(memory.clock.newest, rule.snapshot->every, {}).end;
  due_at(memory.clock.when(*memory.period_end));
  add_part(rule.state_id, StateKind::points, out.state, [&](std::string& body) {
    write_reading(*reading_, body);
    base::ByteWriter(body).u8(1);
    write_time(*memory.period_end, body);
  });
  return Outcome::absorbed;
}

void RuleStateOf::send_snapshots(RuleMemory& memory, Time event_time, std::vector<ports::Group>& out) {
  if (!memory.period_end || *memory.period_end > event_time) return;
  const Rule& rule = compiled_->rules[memory.rule];
  std::vector<std::string> devices;
  for (const auto& [device, last] : memory.devices) {
    if (last.heard) devices.push_back(device);
  }
  std::sort(devices.begin(), devices.end());
  for (const std::string& device : devices) {
    if (out.size() >= ports::kGroupsAtOnce) return;
    LastPoints& last = memory.devices[device];
    last.heard = false;
    ports::Group& group = out.emplace_back();
    group.identity = identity_of(rule, memory.source, device, *memory.period_end);
    Reading reading = last.reading;
    reading.time = *memory.period_end;
    as_group(
        rule, reading, [&](ports::Routed& scratch) { (void)run_sends(rule, rule.sends, scratch); }, group);
    group.about = canonical_json(reading, compiled_->gateway);
    add_part(rule.state_id, StateKind::sent, group.state, [&](std::string& body) {
      write_time(memory.clock.newest, body);
      write_time(*memory.period_end, body);
      base::ByteWriter(body).text(device);
    });
  }
  memory.period_end.reset();
}

// --- expect_sequence

RuleStateOf::Outcome RuleStateOf::in_sequence(const Rule& rule, ports::Routed& out) {
  const ExpectedSequence& sequence = *rule.sequence;
  const Value by = sequence.by ? evaluate(*sequence.by) : Value::text(reading_->device);
  if (by.is(Kind::error)) return fail(rule, "expect_sequence: by: " + std::string(by.as_text()), out);
  const Value written = evaluate(*sequence.number);
  if (written.is(Kind::error)) return fail(rule, "expect_sequence: number: " + std::string(written.as_text()), out);
  const std::optional<std::uint64_t> number = number_of(written);
  if (!number) {
    return fail(rule, "expect_sequence: number: " + to_json(written) + " is not a number from 0 on", out);
  }
  std::string sender;
  write_value(by, sender);
  RuleMemory& memory = rule_memory(number_, reading_->source);
  if (memory.numbers.size() >= kDevicesRememberedMax && !memory.numbers.contains(sender)) {
    tell_bound(rule, "senders");
    return decide_and_take(rule, out);
  }
  const auto [found, is_new] = memory.numbers.try_emplace(sender);
  Numbered& numbers = found->second;
  const auto tell = [&](status::Event event, std::uint64_t count) {
    if (compiled_->reporter == nullptr) return;
    compiled_->reporter->report(event, {{"rule", rule.name},
                                        {"source", reading_->source},
                                        {"device", reading_->device},
                                        {"number", std::to_string(*number)},
                                        {"count", std::to_string(count)}});
  };
  const auto remember = [&] {
    add_part(rule.state_id, StateKind::number, out.state, [&](std::string& body) {
      base::ByteWriter writer(body);
      writer.text(sender);
      writer.u64(numbers.highest);
      writer.u64(numbers.seen);
    });
  };
  const auto go_on_after = [&] {
    remember();
    const Outcome outcome = decide_and_take(rule, out);
    release(memory, sender, out.after);
    return outcome;
  };
  if (is_new) {
    numbers.highest = *number;
    numbers.seen = 1;
    return go_on_after();
  }
  if (*number <= numbers.highest) {
    const std::uint64_t behind = numbers.highest - *number;
    if (behind >= Numbered::kRemembered || (*number <= 1 && behind >= kAfresh)) {
      tell(status::Event::sequence_restarted, 1);
      // What waited belongs to the numbers before.
      for (auto& [waiting_number, waiting] : numbers.waiting) waiting.since = BootTime::min();
      release(memory, sender, out.before);
      numbers.highest = *number;
      numbers.seen = 1;
      return go_on_after();
    }
    if ((numbers.seen >> behind & 1) == 0) {  // late, but the first of its number
      numbers.seen |= std::uint64_t{1} << behind;
      return go_on_after();
    }
  } else if (!numbers.waiting.contains(*number)) {
    const std::uint64_t ahead = *number - numbers.highest;
    if (ahead > 1 && sequence.reorders) {
      numbers.waiting.emplace(*number, Numbered::Waiting{now_, *reading_});
      numbers.waiting.at(*number).reading.token.reset();
      due_at(now_ + sequence.wait);
      add_part(rule.state_id, StateKind::waiting, out.state, [&](std::string& body) {
        base::ByteWriter writer(body);
        writer.text(sender);
        writer.u64(*number);
        write_reading(*reading_, body);
      });
      release(memory, sender, out.after);
      return Outcome::absorbed;
    }
    if (ahead > 1) tell(status::Event::sequence_gap, ahead - 1);
    numbers.seen = ahead >= Numbered::kRemembered ? 1 : (numbers.seen << ahead) | 1;
    numbers.highest = *number;
    return go_on_after();
  }
  tell(status::Event::sequence_repeated, 1);
  if (sequence.repeats == Repeats::filter) return Outcome::filtered;
  return decide_and_take(rule, out);
}

void RuleStateOf::release(RuleMemory& memory, const std::string& sender, std::vector<ports::Group>& out) {
  const Rule& rule = compiled_->rules[memory.rule];
  const ExpectedSequence& sequence = *rule.sequence;
  const auto found = memory.numbers.find(sender);
  if (found == memory.numbers.end()) return;
  Numbered& numbers = found->second;
  while (!numbers.waiting.empty()) {
    const auto first = numbers.waiting.begin();
    const std::uint64_t number = first->first;
    const std::uint64_t ahead = number - numbers.highest;
    const bool is_next = number > numbers.highest && ahead == 1;
    BootTime oldest = BootTime::max();
    for (const auto& [other, waiting] : numbers.waiting) oldest = std::min(oldest, waiting.since);
    const bool waited = oldest == BootTime::min() || now_ - oldest >= sequence.wait;
    if (!is_next && !waited && numbers.waiting.size() <= sequence.limit) {
      due_at(oldest + sequence.wait);
      return;
    }
    if (out.size() >= ports::kGroupsAtOnce) {
      due_at(now_);
      return;
    }
    const Reading reading = std::move(first->second.reading);
    numbers.waiting.erase(first);
    if (number > numbers.highest) {
      if (!is_next && compiled_->reporter != nullptr) {
        compiled_->reporter->report(status::Event::sequence_gap, {{"rule", rule.name},
                                                                  {"source", reading.source},
                                                                  {"device", reading.device},
                                                                  {"number", std::to_string(number)},
                                                                  {"count", std::to_string(ahead - 1)}});
      }
      numbers.seen = ahead >= Numbered::kRemembered ? 1 : (numbers.seen << ahead) | 1;
      numbers.highest = number;
    }
    ports::Group& group = out.emplace_back();
    group.identity = identity_of(rule, memory.source, sender, Time{Duration{static_cast<std::int64_t>(number)}});
    const std::uint64_t highest = numbers.highest;
    const std::uint64_t seen = numbers.seen;
    // What the reading makes may find a group of its own due (a window): then that one comes first.
    std::vector<ports::Group> before;
    as_group(
        rule, reading,
        [&](ports::Routed& scratch) {
          memory_ = rule.keeps_state() ? &memory_of(memory.rule) : nullptr;
          number_ = memory.rule;
          (void)decide_and_take(rule, scratch);
          before = std::move(scratch.before);
        },
        group);
    group.about = canonical_json(reading, compiled_->gateway);
    add_part(rule.state_id, StateKind::released, group.state, [&](std::string& body) {
      base::ByteWriter writer(body);
      writer.text(sender);
      writer.u64(number);
    });
    add_part(rule.state_id, StateKind::number, group.state, [&](std::string& body) {
      base::ByteWriter writer(body);
      writer.text(sender);
      writer.u64(highest);
      writer.u64(seen);
    });
    if (!before.empty()) {
      out.insert(out.end() - 1, std::make_move_iterator(before.begin()), std::make_move_iterator(before.end()));
    }
  }
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
  reading_ = nullptr;
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
