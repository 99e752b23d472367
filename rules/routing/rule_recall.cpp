// RuleStateOf's part that writes and reads what outlives a restart.
#include <algorithm>
#include <utility>

#include "gateway/base/bytes.h"
#include "rules/routing/rule_state.h"
#include "rules/routing/state_bytes.h"
#include "rules/routing/state_kind.h"

namespace railhead::routing {
namespace {

constexpr std::size_t kEntryBytes = 32 * 1024;  // restated parts are gathered into entries of about this size

Time read_time(base::ByteReader& reader) { return Time{Duration{reader.i64()}}; }

// The bytes of a key as they index the cells.
std::string bytes_of(const Value& key) {
  std::string bytes;
  write_value(key, bytes);
  return bytes;
}

void drop_cell(RuleMemory& memory, Time start, const std::string& key) {
  const auto window = memory.windows.find(start);
  if (window == memory.windows.end()) return;
  memory.cells -= window->second.cells.erase(key);
  if (window->second.cells.empty()) memory.windows.erase(window);
}

WindowCell& cell_of(RuleMemory& memory, const Window& plan, Time start, Time end, const Value& key,
                    std::string_view device) {
  OpenWindow& open = memory.windows[start];
  open.end = end;
  const auto [found, is_new] = open.cells.try_emplace(bytes_of(key));
  if (is_new) {
    ++memory.cells;
    found->second.key = key;
    found->second.device = device;
    for (const WindowCall& call : plan.calls) found->second.values.emplace_back(call.function, call.percent);
  }
  return found->second;
}

}  // namespace

bool RuleStateOf::recall(std::string_view source, std::string_view entry, Duration age, const ports::Now& now) {
  bool known = true;
  base::ByteReader reader(entry);
  while (!reader.at_end() && reader.ok()) {
    const std::uint64_t state_id = reader.u64();
    const std::uint8_t kind = reader.u8();
    const std::string_view body = reader.text();
    if (!reader.ok()) break;
    const auto rule = by_state_id_.find(state_id);
    if (rule == by_state_id_.end()) {
      known = false;
      continue;
    }
    apply(rule_memory(rule->second, source), kind, body, age, now.boot);
  }
  due_at(now.boot);  // the next close_due() works out when
  return known;
}

void RuleStateOf::apply(RuleMemory& memory, std::uint8_t kind, std::string_view body, Duration age, BootTime now) {
  const Rule& rule = compiled_->rules[memory.rule];
  base::ByteReader reader(body);
  switch (static_cast<StateKind>(kind)) {
    case StateKind::absorbed: {
      if (!rule.window) return;
      const Time time = read_time(reader);
      const bool trusted = reader.u8() != 0;
      const std::optional<Value> key = read_value(reader);
      const std::string_view device = reader.text();
      if (!key || reader.varint() != rule.window->calls.size()) return;
      std::vector<Value> arguments;
      for (std::size_t i = 0; i < rule.window->calls.size(); ++i) {
        std::optional<Value> argument = read_value(reader);
        if (!argument || !Accumulator::fault(rule.window->calls[i].function, *argument).empty()) return;
        arguments.push_back(std::move(*argument));
      }
      const Span span = span_of(time, rule.window->every, rule.window->zone);
      WindowCell& cell = cell_of(memory, *rule.window, span.start, span.end, *key, device);
      cell.one_device = cell.one_device && cell.device == device;
      cell.clock_trusted = cell.clock_trusted && trusted;
      for (std::size_t i = 0; i < arguments.size(); ++i) cell.values[i].add(arguments[i], time);
      memory.clock.advance(time, now);
      return;
    }
    case StateKind::closed: {
      const Time start = read_time(reader);
      const std::optional<Value> key = read_value(reader);
      const Time newest = read_time(reader);
      const Time closed_through = read_time(reader);
      if (!key || !reader.ok()) return;
      drop_cell(memory, start, bytes_of(*key));
      memory.clock.advance(newest, now);
      memory.clock.closed_through = std::max(memory.clock.closed_through, closed_through);
      return;
    }
    case StateKind::clock: {
      const Time newest = read_time(reader);
      const Time closed_through = read_time(reader);
      const bool has_period = reader.u8() != 0;
      const Time period_end = read_time(reader);
      if (!reader.ok()) return;
      memory.clock.advance(newest, now);
      memory.clock.closed_through = std::max(memory.clock.closed_through, closed_through);
      memory.period_end = has_period ? std::optional(period_end) : std::nullopt;
      return;
    }
    case StateKind::cell: {
      if (!rule.window) return;
      const Time start = read_time(reader);
      const std::optional<Value> key = read_value(reader);
      const std::string_view device = reader.text();
      const bool one_device = reader.u8() != 0;
      const bool trusted = reader.u8() != 0;
      if (!key || !reader.ok()) return;
      const Span span = span_of(start, rule.window->every, rule.window->zone);
      WindowCell& cell = cell_of(memory, *rule.window, start, span.end, *key, device);
      cell.one_device = one_device;
      cell.clock_trusted = trusted;
      for (Accumulator& value : cell.values) {
        if (!value.read(reader)) return;
      }
      return;
    }
    case StateKind::seen: {
      if (!rule.dedup) return;
      std::string key(reader.text());
      const Duration before = age + Duration{reader.i64()};
      if (reader.ok() && before < rule.dedup->period) memory.seen.add(std::move(key), now - before, rule.dedup->limit);
      return;
    }
    case StateKind::number: {
      const std::string sender(reader.text());
      const std::uint64_t highest = reader.u64();
      const std::uint64_t seen = reader.u64();
      if (!reader.ok()) return;
      memory.numbers[sender].highest = highest;
      memory.numbers[sender].seen = seen;
      return;
    }
    case StateKind::waiting: {
      const std::string sender(reader.text());
      const std::uint64_t number = reader.u64();
      std::optional<Reading> reading = read_reading(reader);
      if (reading) memory.numbers[sender].waiting.insert_or_assign(number, Numbered::Waiting{now, std::move(*reading)});
      return;
    }
    case StateKind::released: {
      const std::string sender(reader.text());
      const std::uint64_t number = reader.u64();
      if (reader.ok()) memory.numbers[sender].waiting.erase(number);
      return;
    }
    case StateKind::points: {
      std::optional<Reading> reading = read_reading(reader);
      const bool heard = reader.u8() != 0;
      const Time period_end = read_time(reader);
      if (!reading || !reader.ok()) return;
      memory.clock.advance(reading->time, now);
      LastPoints& last = memory.devices[reading->device];
      Value points = merged_points(last.reading.value, reading->value);
      last.reading = std::move(*reading);
      last.reading.value = std::move(points);
      last.heard = heard;
      if (heard) memory.period_end = period_end;
      return;
    }
    case StateKind::sent: {
      const Time newest = read_time(reader);
      const Time period_end = read_time(reader);
      const std::string device(reader.text());
      if (!reader.ok()) return;
      memory.clock.advance(newest, now);
      memory.devices[device].heard = false;
      // Others of this period may not have been sent yet.
      const bool all = std::none_of(memory.devices.begin(), memory.devices.end(),
                                    [](const auto& entry) { return entry.second.heard; });
      if (all && memory.period_end == period_end) memory.period_end.reset();
      return;
    }
  }
}

void RuleStateOf::restate(std::string_view source, const ports::Now& now,
                          const std::function<void(std::string)>& take) {
  std::string entry;
  for (const auto& of_rule : remembered_) {
    for (const auto& memory : of_rule) {
      if (memory->source != source) continue;
      const Rule& rule = compiled_->rules[memory->rule];
      const auto part = [&](StateKind kind, auto write) {
        add_part(rule.state_id, kind, entry, write);
        if (entry.size() >= kEntryBytes) take(std::exchange(entry, {}));
      };
      if (rule.window || rule.snapshot) {
        part(StateKind::clock, [&](std::string& body) {
          write_time(memory->clock.newest, body);
          write_time(memory->clock.closed_through, body);
          base::ByteWriter(body).u8(memory->period_end ? 1 : 0);
          write_time(memory->period_end.value_or(Time{}), body);
        });
      }
      for (const auto& [start, open] : memory->windows) {
        for (const auto& [key, cell] : open.cells) {
          part(StateKind::cell, [&, at = start, &cell = cell](std::string& body) {
            write_time(at, body);
            write_value(cell.key, body);
            base::ByteWriter writer(body);
            writer.text(cell.device);
            writer.u8(cell.one_device ? 1 : 0);
            writer.u8(cell.clock_trusted ? 1 : 0);
            for (const Accumulator& value : cell.values) value.write(body);
          });
        }
      }
      for (const auto& [at, key] : memory->seen.order) {
        part(StateKind::seen, [&, since = at, &key = key](std::string& body) {
          base::ByteWriter writer(body);
          writer.text(key);
          writer.i64((now.boot - since).count());
        });
      }
      for (const auto& [sender, numbers] : memory->numbers) {
        part(StateKind::number, [&, &sender = sender, &numbers = numbers](std::string& body) {
          base::ByteWriter writer(body);
          writer.text(sender);
          writer.u64(numbers.highest);
          writer.u64(numbers.seen);
        });
        for (const auto& [number, waiting] : numbers.waiting) {
          part(StateKind::waiting, [&, which = number, &sender = sender, &waiting = waiting](std::string& body) {
            base::ByteWriter writer(body);
            writer.text(sender);
            writer.u64(which);
            write_reading(waiting.reading, body);
          });
        }
      }
      for (const auto& [device, last] : memory->devices) {
        part(StateKind::points, [&, &last = last](std::string& body) {
          write_reading(last.reading, body);
          base::ByteWriter(body).u8(last.heard ? 1 : 0);
          write_time(memory->period_end.value_or(Time{}), body);
        });
      }
    }
  }
  if (!entry.empty()) take(std::move(entry));
}

}  // namespace railhead::routing
