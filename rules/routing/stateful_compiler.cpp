// RuleCompiler's part that reads what remembers: for_each, dedup, expect_sequence, window, snapshot, late.
#include <algorithm>

#include "gateway/base/text.h"
#include "rules/expression/functions/zone.h"
#include "rules/routing/hints.h"
#include "rules/routing/rule_compiler.h"
#include "rules/routing/state_bytes.h"

namespace railhead::routing {
namespace {

constexpr Duration kDay = std::chrono::hours{24};
constexpr std::size_t kCallsMax = 256;  // window functions of one rule

WindowFunction function_named(std::string_view name) {
  if (name == "count") return WindowFunction::count;
  if (name == "sum") return WindowFunction::sum;
  if (name == "mean") return WindowFunction::mean;
  if (name == "min") return WindowFunction::min;
  if (name == "max") return WindowFunction::max;
  if (name == "first") return WindowFunction::first;
  if (name == "last") return WindowFunction::last;
  if (name == "stddev") return WindowFunction::stddev;
  return WindowFunction::percentile;
}

// What is not of numbers alone takes anything, as far as is known.
bool takes(WindowFunction function, expression::Type type) {
  using expression::Type;
  switch (function) {
    case WindowFunction::sum:
    case WindowFunction::mean:
    case WindowFunction::stddev:
    case WindowFunction::percentile:
      return type == Type::any || type == Type::integer || type == Type::uinteger || type == Type::real;
    default: return true;
  }
}

std::uint64_t hash_of(std::uint64_t from, Duration duration) {
  return stable_hash(std::to_string(duration.count()), from);
}

}  // namespace

void RuleCompiler::forbid(ExpressionReader::ForbiddenSlots forbidden, bool aggregates) {
  const ExpressionReader::ForbiddenSlots builtins = forbidden;
  for (std::size_t i = 0; i < let_needs_.size(); ++i) {
    const Needs& needs = let_needs_[i];
    if (needs.aggregates && !aggregates) {
      forbidden[kFirstLetSlot + i] = {"is known when the window closes, not here", "it stands in `send`"};
    }
    for (const auto& [slot, why] : builtins) {
      if (needs.slots.contains(slot)) forbidden[kFirstLetSlot + i] = why;
    }
  }
  reader_.forbid(std::move(forbidden), aggregates);
}

void RuleCompiler::expect_reading(bool with_item) {
  ExpressionReader::ForbiddenSlots slots;
  slots[kWindowSlot] = {"is known when the window closes, not here", "it stands in `send`"};
  if (!with_item) {
    const ExpressionReader::Forbidden item{"is known where the rule sends, not here", "a `send` may have a `when`"};
    slots[kItemSlot] = item;
    slots[kIndexSlot] = item;
  }
  forbid(std::move(slots), false);
}

void RuleCompiler::expect_closing() {
  ExpressionReader::ForbiddenSlots slots;
  for (const Slot slot :
       {kValueSlot, kQualitySlot, kBadSlot, kTimeSlot, kAttributesSlot, kPreviousSlot, kItemSlot, kIndexSlot}) {
    slots[slot] = {"is of one reading, and a window has many", "ask a window function, like last({})"};
  }
  forbid(std::move(slots), true);
}

void RuleCompiler::add_calls(const expression::Program& program, std::size_t first_slot, const config::Node& node) {
  if (window_ == nullptr || program.aggregates().empty()) return;
  Window::Uses uses;
  uses.first_slot = first_slot;
  for (const expression::Aggregate& aggregate : program.aggregates()) {
    WindowCall call;
    call.function = function_named(aggregate.name);
    if (!aggregate.arguments.empty()) call.argument = aggregate.arguments[0];
    if (call.argument) {
      note_use(*call.argument);
      if (needs_of(*call.argument).aggregates) {
        diagnostics_.error(node, "window functions cannot be inside each other");
        return;
      }
    }
    if (call.argument && !takes(call.function, call.argument->result_type())) {
      diagnostics_.error(node, aggregate.name + "() is of numbers, '" + call.argument->text() + "' is " +
                                   with_article(expression::name_of(call.argument->result_type())));
      return;
    }
    if (call.function == WindowFunction::percentile) {
      const auto& percent = aggregate.arguments[1]->constant();
      if (!percent || !percent->is_number() || !(percent->to_real() >= 0) || !(percent->to_real() <= 100)) {
        diagnostics_.error(node, "the second argument of percentile is a number from 0 to 100",
                           "like percentile(value.temperature, 95)");
        return;
      }
      call.percent = percent->to_real();
    }
    if (window_->calls.size() >= kCallsMax) {
      diagnostics_.error(node, "more than " + std::to_string(kCallsMax) + " window functions in one rule");
      return;
    }
    const std::string text =
        aggregate.name + "\n" + program.text() + "\n" + std::to_string(aggregate.slot - first_slot);
    state_id_ = stable_hash(text, state_id_);
    uses.calls.push_back(window_->calls.size());
    window_->calls.push_back(std::move(call));
  }
  window_->uses.emplace(&program, std::move(uses));
}

void RuleCompiler::read_for_each(const RuleOptions& options, const expression::Scope& scope, Rule& rule) {
  if (!options.for_each.present()) return;
  rule.for_each = reader_.expression(options.for_each, "for_each", scope);
  if (!rule.for_each) return;
  note_use(*rule.for_each);
  const expression::Type type = rule.for_each->result_type();
  if (type != expression::Type::any && type != expression::Type::list && type != expression::Type::map) {
    diagnostics_.error(options.for_each,
                       "`for_each` must be a list or a map, this is " + std::string(expression::name_of(type)));
  }
  state_id_ = stable_hash(rule.for_each->text(), state_id_);
}

void RuleCompiler::read_dedup(const DedupOptions& options, const expression::Scope& scope, Rule& rule) {
  Dedup dedup;
  dedup.by = options.by.present() ? reader_.expression(options.by, "by", scope) : nullptr;
  dedup.period = options.period;
  dedup.limit = options.limit;
  if (!dedup.by) return;
  note_use(*dedup.by);
  state_id_ = stable_hash("dedup\n" + dedup.by->text(), state_id_);
  rule.dedup = std::move(dedup);
}

void RuleCompiler::read_sequence(const SequenceOptions& options, const expression::Scope& scope, Rule& rule) {
  ExpectedSequence sequence;
  if (options.by.present()) sequence.by = reader_.expression(options.by, "by", scope);
  if (sequence.by) note_use(*sequence.by);
  if (options.number.present()) sequence.number = reader_.expression(options.number, "number", scope);
  if (!sequence.number) return;
  note_use(*sequence.number);
  const expression::Type type = sequence.number->result_type();
  using expression::Type;
  if (type != Type::any && type != Type::integer && type != Type::uinteger && type != Type::real) {
    diagnostics_.error(options.number, "`number` must be an int, this is " + std::string(expression::name_of(type)));
  }
  sequence.repeats = options.repeats;
  if (options.reorder) {
    sequence.reorders = true;
    sequence.wait = options.reorder->wait;
    sequence.limit = options.reorder->limit;
  }
  state_id_ =
      stable_hash("sequence\n" + (sequence.by ? sequence.by->text() : "") + "\n" + sequence.number->text(), state_id_);
  rule.sequence = std::move(sequence);
}

void RuleCompiler::read_window(const RuleOptions& options, const expression::Scope& scope, Rule& rule) {
  const WindowOptions& written = *options.window;
  Window& window = *rule.window;
  window.every = written.every;
  window.late = written.late;
  window.keys_max = written.keys;
  window.zone = written.zone;
  if (written.by.present()) window.by = reader_.expression(written.by, "by", scope);
  if (window.by) note_use(*window.by);
  if (options.snapshot) {
    diagnostics_.error(options.mark, 1, "a rule has a `window` or a `snapshot`, not both", "make two rules of it");
  }
  if (!window.zone.empty()) {
    if (!expression::zone_offset(window.zone, 0)) {
      diagnostics_.error(written.mark, 1, "no time zone '" + window.zone + "'", "like Europe/Berlin or +02:00");
    }
    if (window.every.count() % kDay.count() != 0) {
      diagnostics_.error(written.mark, 1, "`zone` is for windows of whole days", "like every: 1 d");
    }
  }
  state_id_ = stable_hash("window\n" + (window.by ? window.by->text() : "") + "\n" + window.zone,
                          hash_of(state_id_, window.every));
}

void RuleCompiler::read_snapshot(const RuleOptions& options, Rule& rule) {
  rule.snapshot = Snapshot{options.snapshot->every, options.snapshot->devices};
  state_id_ = stable_hash("snapshot", hash_of(state_id_, rule.snapshot->every));
  if (options.for_each.present()) {
    diagnostics_.error(options.for_each, "a `snapshot` has no `for_each`", "make two rules of it");
  }
}

void RuleCompiler::read_late(const RuleOptions& options, const expression::Scope& scope, Rule& rule) {
  if (!options.late.present()) return;
  if (!rule.window) {
    diagnostics_.error(options.late, "`late` belongs to a `window`", "like window: { every: 1 min, by: device }");
    return;
  }
  for (const config::Node& node : one_or_many(options.late)) {
    const SendOptions send = send_fields().read(node, diagnostics_);
    if (auto read = read_send(send, options.type, scope)) rule.late_sends.push_back(std::move(*read));
  }
}

}  // namespace railhead::routing
