// RuleStateOf's expect_sequence: numbers that are missing, repeated, or come too early.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "gateway/message/json.h"
#include "gateway/status/reporter.h"
#include "rules/routing/rule_state.h"
#include "rules/routing/state_bytes.h"
#include "rules/routing/state_kind.h"

namespace railhead::routing {
namespace {

// A sender that begins at 0 or 1 again, from this far on. Why so near: what is taken for a repeat may be kept back for
// good, what is taken for a new beginning is sent once more than needed at worst.
constexpr std::uint64_t kAfresh = 2;

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
      while (!numbers.waiting.empty()) {
        std::vector<ports::Group> some;
        release(memory, sender, some);
        out.before.insert(out.before.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
      }
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
      std::string said_when_it_leaves;
      took_it_ = decide(rule.when, said_when_it_leaves) == Truth::yes;
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

}  // namespace railhead::routing
