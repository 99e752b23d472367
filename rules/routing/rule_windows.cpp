// RuleStateOf's windows and snapshots.
#include <algorithm>
#include <utility>

#include "gateway/message/json.h"
#include "gateway/status/reporter.h"
#include "rules/routing/rule_state.h"
#include "rules/routing/state_bytes.h"
#include "rules/routing/state_kind.h"

namespace railhead::routing {
namespace {

constexpr Duration kFuture = std::chrono::hours{1};  // S28

}  // namespace

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
      if (!expression::Evaluator::missing_member(value)) return fail(rule, std::string(value.as_text()), out);
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

}  // namespace railhead::routing
