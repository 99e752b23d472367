#include "rules/routing/rule_compiler.h"

#include <algorithm>
#include <array>

#include "gateway/base/assert.h"
#include "gateway/base/text.h"
#include "rules/routing/hints.h"
#include "rules/routing/pattern.h"
#include "rules/routing/state_bytes.h"

namespace railhead::routing {
namespace {

using expression::Type;

struct Builtin {
  std::string_view name;
  Type type;
};
// In the order of Slot.
constexpr std::array kBuiltins{
    Builtin{"value", Type::any},      Builtin{"quality", Type::string}, Builtin{"bad", Type::map},
    Builtin{"time", Type::timestamp}, Builtin{"source", Type::string},  Builtin{"device", Type::string},
    Builtin{"attributes", Type::map}, Builtin{"gateway", Type::string}, Builtin{"labels", Type::map},
    Builtin{"tables", Type::map},     Builtin{"previous", Type::map},   Builtin{"window", Type::map},
    Builtin{"item", Type::any},       Builtin{"index", Type::any},
};
static_assert(kBuiltins.size() == kFirstLetSlot);

// cel-spec, langdef.md: IDENT, RESERVED.
bool is_reserved(std::string_view name) {
  static constexpr std::array<std::string_view, 21> kReserved{
      "true", "false",  "null", "in",   "as",      "break",     "const",  "continue", "else", "for",  "function",
      "if",   "import", "let",  "loop", "package", "namespace", "return", "var",      "void", "while"};
  return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

// A column's type if every row has the same, else nothing is known of it.
Type column_type(const Table& table, std::string_view column) {
  std::optional<Type> type;
  for (const auto& [key, row] : table.rows.as_map()) {
    const Value* cell = row.find(column);
    const Type here = cell == nullptr ? Type::any : expression::type_of(*cell);
    if (type && *type != here) return Type::any;
    type = here;
  }
  return type.value_or(Type::any);
}

// The type of all its keys, if it is one.
Type key_type(const Table& table) {
  std::optional<Type> type;
  for (const auto& [key, row] : table.rows.as_map()) {
    const Type here = expression::type_of(key);
    if (type && *type != here) return Type::any;
    type = here;
  }
  return type.value_or(Type::any);
}

// `{area}` is one level, as in a subscription.
std::string topic_filter(std::string_view pattern) {
  std::string out;
  for (const std::string_view level : base::split(pattern, '/')) {
    if (!out.empty() || level.data() != pattern.data()) out.push_back('/');
    out += level.size() > 2 && level.front() == '{' && level.back() == '}' ? "+" : std::string(level);
  }
  return out;
}

// The variables in the order of Slot. What the rule does not have keeps its slot under a name nobody can write.
void declare_builtins(expression::Scope& base, bool windowed, bool each) {
  std::size_t slots = 0;
  for (const Builtin& builtin : kBuiltins) {
    const bool there = (slots != kWindowSlot || windowed) && ((slots != kItemSlot && slots != kIndexSlot) || each);
    const std::size_t slot = base.declare((there ? "" : "#") + std::string(builtin.name), builtin.type);
    RAILHEAD_ASSERT(slot == slots);
    ++slots;
  }
  base.declare_fields("previous",
                      {{"value", Type::any},
                       {"quality", Type::string},
                       {"bad", Type::map},
                       {"time", Type::timestamp},
                       {"attributes", Type::map}},
                      true);
  if (!windowed) return;
  base.declare_fields(
      "window", {{"start", Type::timestamp}, {"end", Type::timestamp}, {"key", Type::any}, {"partial", Type::boolean}},
      true);
  base.declare_aggregate("count", 0, 1, Type::integer);
  for (const char* name : {"sum", "mean", "min", "max", "first", "last", "stddev"}) base.declare_aggregate(name, 1, 1);
  base.declare_aggregate("percentile", 2, 2);
}

bool takes_device(const Selection& selection, std::string_view device) {
  return selection.devices.empty() || std::any_of(selection.devices.begin(), selection.devices.end(),
                                                  [&](const std::string& glob) { return glob_matches(glob, device); });
}

// Points beside others that are not known may be anything.
void declare_fields_of(const std::string& path, const std::map<std::string, ports::KnownPoint>& points, bool complete,
                       expression::Scope& scope) {
  expression::Scope::Fields fields;
  for (const auto& [name, point] : points) {
    fields.emplace_back(name, complete && point.kind ? expression::type_of(*point.kind) : Type::any);
    if (complete && !point.texts.empty()) scope.declare_texts(path + "." + name, point.texts, true);
    if (!complete || point.members.empty()) continue;
    expression::Scope::Fields members;
    for (const ports::KnownPoint& member : point.members) {
      members.emplace_back(member.name, member.kind ? expression::type_of(*member.kind) : Type::any);
    }
    scope.declare_fields(path + "." + name, std::move(members), true);
  }
  scope.declare_fields(path, std::move(fields), complete);
}

// Its value may be there although a point is not.
bool is_guarded(std::string_view text) {
  for (const std::string_view guard : {"has(", "?", "||", "!", "exists", "all("}) {
    if (text.find(guard) != std::string_view::npos) return true;
  }
  return false;
}

// What is known of labels and tables.
void declare_known(const RoutingInput& input, const std::map<std::string, Table>& tables, expression::Scope& base) {
  expression::Scope::Fields labels;
  for (const auto& [name, text] : input.labels) labels.emplace_back(name, Type::string);
  base.declare_fields("labels", std::move(labels), true);
  expression::Scope::Fields names;
  for (const auto& [name, table] : tables) names.emplace_back(name, Type::map);
  base.declare_fields("tables", std::move(names), true);
  for (const auto& [name, table] : tables) {
    expression::Scope::Fields columns;
    for (const std::string& column : table.columns) columns.emplace_back(column, column_type(table, column));
    if (!columns.empty()) base.declare_fields("tables." + name + "[]", std::move(columns), true);
    base.declare_fields("tables." + name + "[#]", {{"key", key_type(table)}}, true);
  }
}

}  // namespace

RuleCompiler::RuleCompiler(const RoutingInput& input, const std::map<std::string, Table>& tables,
                           Configured& configured, config::Diagnostics& diagnostics)
    : input_(input), configured_(configured), diagnostics_(diagnostics), reader_(diagnostics) {
  for (const bool windowed : {false, true}) {
    for (const bool each : {false, true}) {
      expression::Scope& base = bases_[windowed ? 1 : 0][each ? 1 : 0];
      declare_builtins(base, windowed, each);
      declare_known(input, tables, base);
    }
  }
  bool own = false;
  for (const KnownSource& source : input.sources) {
    source_names_.push_back(source.name);
    if (source.name == kOwnSource) {
      own = true;
    } else {
      default_sources_.push_back(source.name);
    }
  }
  if (!own) source_names_.emplace_back(kOwnSource);
  for (const KnownSink& sink : input.sinks) sink_names_.push_back(sink.name);
}

std::optional<Rule> RuleCompiler::compile(const RuleOptions& options) {
  const std::size_t errors = diagnostics_.error_count();
  Rule rule;
  rule.name = options.name.value;
  rule.on_error = options.on_error;
  rule.is_final = options.is_final;
  rule.throttle = options.throttle;
  let_needs_.clear();
  uses_previous_ = false;
  for (const config::Node& from : one_or_many(options.from)) {
    rule.from.push_back(selection(from_fields().read(from, diagnostics_)));
  }
  if (rule.from.empty()) rule.from.push_back({default_sources_, {}, {}});
  expression::Scope scope = base_for(options);
  declare_points(rule.from, scope);
  declare_texts(rule.from, scope);
  if (options.window) rule.window.emplace();
  window_ = rule.window ? &*rule.window : nullptr;
  call_texts_.clear();
  state_id_ = stable_hash(rule.name);
  reader_.forbid({}, true);
  reader_.on_aggregates([this](const expression::Program& program, std::size_t first_slot, const config::Node& node) {
    add_calls(program, first_slot, node);
  });
  read_lets(options.let, scope, rule);
  expect_reading(false);
  rule.when = read_condition(options.when, scope);
  read_on_change(options.on_change, scope, rule);
  read_for_each(options, scope, rule);
  if (options.expect_sequence) read_sequence(*options.expect_sequence, scope, rule);
  expect_reading(true);
  if (options.dedup) read_dedup(*options.dedup, scope, rule);
  if (options.window) read_window(options, scope, rule);
  if (options.snapshot) read_snapshot(options, rule);
  read_late(options, scope, rule);
  if (rule.window) expect_closing();
  read_sends(options, scope, rule);
  rule.state_id = state_id_;
  rule.uses_previous = uses_previous_;
  if (diagnostics_.error_count() != errors) return {};
  return rule;
}

std::vector<RuleCompiler::Name> RuleCompiler::names(const config::Node& node, std::string_view what) {
  std::vector<Name> out;
  for (const config::Node& item : one_or_many(node)) {
    if (const auto text = config::read_text(item, what, diagnostics_)) out.push_back({*text, item});
  }
  return out;
}

Selection RuleCompiler::selection(const FromOptions& from) {
  Selection out;
  for (const Name& source : names(from.source, "the name of a source")) {
    if (std::find(source_names_.begin(), source_names_.end(), source.text) != source_names_.end()) {
      out.sources.push_back(source.text);
      continue;
    }
    std::string hint = hint_of(source.text, source_names_);
    if (hint.empty()) hint = "the sources are " + list_of(source_names_);
    diagnostics_.error(source.node, "no source '" + source.text + "'", std::move(hint));
  }
  if (!from.source.present()) out.sources = default_sources_;
  const std::vector<Name> devices = names(from.device, "the name of a device");
  for (const Name& device : devices) out.devices.push_back(device.text);
  const std::vector<Name> topics = names(from.topic, "a topic");
  for (const Name& topic : topics) {
    std::string filter = topic_filter(topic.text);
    if (const std::string_view fault = topic_filter_fault(filter); !fault.empty()) {
      diagnostics_.error(topic.node, std::string(fault));
    }
    out.topics.push_back(std::move(filter));
  }
  check_devices(devices, out);
  check_topics(topics, out);
  return out;
}

void RuleCompiler::check_devices(const std::vector<Name>& devices, const Selection& selection) {
  std::vector<std::string> known;
  for (const std::string& name : selection.sources) {
    const KnownSource* const source = source_named(name);
    if (source == nullptr || !source->devices_complete) return;
    for (const ports::KnownDevice& device : source->devices) known.push_back(device.name);
  }
  if (known.empty()) return;
  for (const Name& device : devices) {
    const bool matches = std::any_of(known.begin(), known.end(),
                                     [&](const std::string& name) { return glob_matches(device.text, name); });
    if (matches) continue;
    std::string hint = hint_of(device.text, known);
    if (hint.empty()) hint = "the devices are " + list_of(known);
    diagnostics_.error(device.node, "no device '" + device.text + "' on " + list_of(selection.sources),
                       std::move(hint));
  }
}

void RuleCompiler::check_topics(const std::vector<Name>& topics, const Selection& selection) {
  std::vector<std::string> come;
  for (const std::string& name : selection.sources) {
    const KnownSource* const source = source_named(name);
    if (source == nullptr || !source->topics) return;
    come.insert(come.end(), source->topics->begin(), source->topics->end());
  }
  if (selection.sources.empty()) return;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    const bool comes = std::any_of(come.begin(), come.end(), [&](const std::string& filter) {
      return topic_filters_meet(filter, selection.topics[i]);
    });
    if (comes || !topic_filter_fault(selection.topics[i]).empty()) continue;
    const std::string where = list_of(selection.sources);
    diagnostics_.warning(topics[i].node, "no reading of " + where + " has such a topic: this never matches",
                         come.empty() ? where + " has no topics" : "subscribed is " + list_of(come));
  }
}

void RuleCompiler::declare_points(const std::vector<Selection>& from, expression::Scope& scope) {
  declared_points_.clear();
  reader_.set_devices({});
  std::vector<std::string> devices;
  std::map<std::string, ports::KnownPoint> points;
  bool complete = true;
  for (const Selection& selection : from) {
    for (const std::string& name : selection.sources) {
      const KnownSource* const source = source_named(name);
      if (source == nullptr) {
        complete = false;
        continue;
      }
      complete = complete && source->devices_complete;
      for (const ports::KnownDevice& device : source->devices) {
        if (!takes_device(selection, device.name)) continue;
        if (device.points.empty()) complete = false;
        devices.push_back("'" + device.name + "'");
        for (const ports::KnownPoint& point : device.points) {
          declared_points_.insert(point.name);
          const auto [known, fresh] = points.emplace(point.name, point);
          // What is not the same on all devices is not known.
          if (!fresh && known->second != point) known->second = {.name = point.name};
        }
      }
    }
  }
  if (declared_points_.empty()) return;
  for (const char* const path : {"value", "previous.value"}) declare_fields_of(path, points, complete, scope);
  if (complete) reader_.set_devices((devices.size() == 1 ? "device " : "devices ") + list_of(devices));
}

void RuleCompiler::declare_texts(const std::vector<Selection>& from, expression::Scope& scope) {
  scope.declare_texts("quality", {"good", "uncertain", "bad"});
  std::set<std::string> sources;
  std::set<std::string> devices;
  bool complete = true;
  for (const Selection& selection : from) {
    sources.insert(selection.sources.begin(), selection.sources.end());
    for (const std::string& name : selection.sources) {
      const KnownSource* const source = source_named(name);
      complete = complete && source != nullptr && source->devices_complete;
      if (!complete) break;
      for (const ports::KnownDevice& device : source->devices) {
        if (takes_device(selection, device.name)) devices.insert(device.name);
      }
    }
  }
  scope.declare_texts("source", {sources.begin(), sources.end()});
  if (complete && !devices.empty()) scope.declare_texts("device", {devices.begin(), devices.end()});
}

const KnownSource* RuleCompiler::source_named(std::string_view name) const {
  const auto found = std::find_if(input_.sources.begin(), input_.sources.end(),
                                  [&](const KnownSource& known) { return known.name == name; });
  return found == input_.sources.end() ? nullptr : &*found;
}

void RuleCompiler::read_lets(const config::Node& node, expression::Scope& scope, Rule& rule) {
  if (!node.present() || node.is_null()) return;
  if (!node.is_map()) {
    diagnostics_.error(node, "`let` must be a map of names and expressions, not " + std::string(node.kind_name()));
    return;
  }
  for (const config::Member& member : node.members()) {
    const std::string name(member.name());
    if (!base::is_identifier(name) || is_reserved(name)) {
      diagnostics_.error(member.key, "'" + name + "' cannot be the name of a variable", "letters, digits and _");
      continue;
    }
    if (const auto taken = scope.slot_of(name); taken && *taken < kFirstLetSlot) {
      diagnostics_.error(member.key, "'" + name + "' is already a variable of every rule", "choose another name");
      continue;
    }
    if (rule.lets.size() >= kLetsMax) {
      diagnostics_.error(member.key, "more than " + std::to_string(kLetsMax) + " lets in one rule");
      return;
    }
    ExpressionPtr program = reader_.expression(member.value, "let " + name, scope);
    // A broken one is declared all the same, so that its uses are not reported too.
    const std::size_t slot = program ? scope.declare(name, *program) : scope.declare(name);
    RAILHEAD_ASSERT(slot == kFirstLetSlot + rule.lets.size());
    let_needs_.push_back(program ? needs_of(*program) : Needs{});
    if (program) state_id_ = stable_hash(name + "\n" + program->text(), state_id_);
    if (program) note_use(*program);
    rule.lets.push_back({name, std::move(program)});
  }
}

const expression::Scope& RuleCompiler::base_for(const RuleOptions& options) const {
  return bases_[options.window ? 1 : 0][options.for_each.present() ? 1 : 0];
}

void RuleCompiler::read_sends(const RuleOptions& options, const expression::Scope& scope, Rule& rule) {
  const std::vector<config::Node> sends = one_or_many(options.send);
  if (options.send.present() && !options.send.is_broken() && sends.empty()) {
    diagnostics_.error(options.send, "`send` is empty", "like send: { to: plant-kafka, topic: telemetry }");
  }
  for (const config::Node& node : sends) {
    const SendOptions send = send_fields().read(node, diagnostics_);
    if (!node.is_map()) continue;
    if (rule.window && !send.body.present()) {
      diagnostics_.error(send.to.mark, send.to.length, "a window has no reading to send: it needs a `body`",
                         "like body: { from: window.start, mean: mean(value.temperature) }");
    }
    auto read = read_send(send, options.type, scope);
    if (!read) continue;
    check_points_meet(send, *read, rule);
    rule.sends.push_back(std::move(*read));
  }
}

RuleCompiler::Needs RuleCompiler::needs_of(const expression::Program& program) const {
  Needs needs;
  needs.aggregates = !program.aggregates().empty();
  needs.guarded = is_guarded(program.text());
  for (const expression::MemberPath& path : program.reads()) {
    if (path.slot < kFirstLetSlot) needs.slots.insert(path.slot);
    // Why: has(previous.value.x) is an error where there is no previous.value.
    if (path.slot == kPreviousSlot && (!path.only_tested || path.members.size() > 1)) needs.previous = true;
    if (path.only_tested) continue;
    if (path.slot >= kFirstLetSlot) {
      const Needs& inner = let_needs_.at(path.slot - kFirstLetSlot);
      needs.points.insert(inner.points.begin(), inner.points.end());
      needs.guarded = needs.guarded || inner.guarded;
      needs.previous = needs.previous || inner.previous;
      needs.slots.insert(inner.slots.begin(), inner.slots.end());
      needs.aggregates = needs.aggregates || inner.aggregates;
    } else if (path.slot == kValueSlot && !path.members.empty() && declared_points_.contains(path.members.front())) {
      needs.points.insert(path.members.front());
    }
  }
  return needs;
}

void RuleCompiler::note_use(const expression::Program& program) {
  for (const expression::Aggregate& aggregate : program.aggregates()) {
    for (const ExpressionPtr& argument : aggregate.arguments) note_use(*argument);
  }
  for (const expression::MemberPath& path : program.reads()) {
    if (path.slot == kPreviousSlot) uses_previous_ = true;
  }
}

Condition RuleCompiler::read_condition(const config::Node& node, const expression::Scope& scope) {
  Condition condition;
  if (!node.present()) return condition;
  condition.expression = reader_.condition(node, "when", scope);
  if (!condition.expression) return condition;
  const auto& constant = condition.expression->constant();
  if (constant && constant->is(Kind::boolean) && !constant->as_boolean()) {
    diagnostics_.warning(node, "`when` is never true");
  }
  note_use(*condition.expression);
  Needs needs = needs_of(*condition.expression);
  condition.needed_points.assign(needs.points.begin(), needs.points.end());
  condition.reads_previous = needs.previous;
  return condition;
}

void RuleCompiler::read_on_change(const config::Node& node, const expression::Scope& scope, Rule& rule) {
  if (!node.present() || node.is_null()) return;
  if (!node.is_map()) {
    diagnostics_.error(node, "`on_change` must be a map of expressions and how far each must move, not " +
                                 std::string(node.kind_name()));
    return;
  }
  for (const config::Member& member : node.members()) {
    const std::string_view text = base::trim(member.value.text());
    if (member.name() == "at_least_every") {
      const auto duration = base::parse_duration(text);
      if (!duration || duration->count() < 0) {
        diagnostics_.error(member.value, "`at_least_every` must be a duration, like 5 min",
                           "units are ns us ms s min h d");
      } else {
        rule.at_least_every = *duration;
      }
      continue;
    }
    Deadband band;
    const bool percent = text.ends_with('%');
    const auto amount = base::parse_double(base::trim(percent ? text.substr(0, text.size() - 1) : text));
    if (!amount || !(*amount >= 0)) {
      const bool digit = !text.empty() && text[0] >= '0' && text[0] <= '9';
      const std::string_view name = member.name();
      const bool comma = member.value.is_null() && !name.empty() && name[0] >= '0' && name[0] <= '9';
      diagnostics_.error(member.value, "how far a value must move is a number or a percentage, like 0.5 or 1 %",
                         digit   ? "the number stands without its unit"
                         : comma ? "a number has a decimal point"
                                 : "");
    } else {
      (percent ? band.fraction : band.absolute) = percent ? *amount / 100 : *amount;
    }
    band.value.expression = reader_.expression(member.key, "on_change", scope);
    if (!band.value.expression) continue;
    note_use(*band.value.expression);
    Needs needs = needs_of(*band.value.expression);
    band.value.needed_points.assign(needs.points.begin(), needs.points.end());
    band.value.reads_previous = needs.previous;
    rule.on_change.push_back(std::move(band));
  }
  if (rule.on_change.empty() && node.members().empty()) diagnostics_.error(node, "`on_change` names no value");
}

}  // namespace railhead::routing
