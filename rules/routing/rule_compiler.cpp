#include "rules/routing/rule_compiler.h"

#include <algorithm>
#include <array>

#include "gateway/base/assert.h"
#include "gateway/base/text.h"
#include "rules/routing/hints.h"
#include "rules/routing/pattern.h"

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
    Builtin{"tables", Type::map},     Builtin{"previous", Type::map},
};
static_assert(kBuiltins.size() == kFirstLetSlot);

bool is_identifier(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

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

// `{area}` is one level, as in a subscription.
std::string topic_filter(std::string_view pattern) {
  std::string out;
  for (const std::string_view level : base::split(pattern, '/')) {
    if (!out.empty() || level.data() != pattern.data()) out.push_back('/');
    out += level.size() > 2 && level.front() == '{' && level.back() == '}' ? "+" : std::string(level);
  }
  return out;
}

}  // namespace

RuleCompiler::RuleCompiler(const RoutingInput& input, const std::map<std::string, Table>& tables,
                           config::Diagnostics& diagnostics)
    : input_(input), diagnostics_(diagnostics), reader_(diagnostics) {
  for (const Builtin& builtin : kBuiltins) {
    const std::size_t slot = base_.declare(std::string(builtin.name), builtin.type);
    RAILHEAD_ASSERT(slot == builtin_names_.size());
    builtin_names_.emplace_back(builtin.name);
  }
  expression::Scope::Fields labels;
  for (const auto& [name, text] : input.labels) labels.emplace_back(name, Type::string);
  base_.declare_fields("labels", std::move(labels), true);
  base_.declare_fields("previous",
                       {{"value", Type::any},
                        {"quality", Type::string},
                        {"bad", Type::map},
                        {"time", Type::timestamp},
                        {"attributes", Type::map}},
                       true);
  expression::Scope::Fields names;
  for (const auto& [name, table] : tables) names.emplace_back(name, Type::map);
  base_.declare_fields("tables", std::move(names), true);
  for (const auto& [name, table] : tables) {
    expression::Scope::Fields columns;
    for (const std::string& column : table.columns) columns.emplace_back(column, column_type(table, column));
    if (!columns.empty()) base_.declare_fields("tables." + name + "[]", std::move(columns), true);
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
  expression::Scope scope = base_;
  declare_points(rule.from, scope);
  read_lets(options.let, scope, rule);
  rule.when = read_condition(options.when, scope);
  read_on_change(options.on_change, scope, rule);
  const std::vector<config::Node> sends = one_or_many(options.send);
  if (options.send.present() && !options.send.is_broken() && sends.empty()) {
    diagnostics_.error(options.send, "`send` is empty", "like send: { to: plant-kafka, topic: telemetry }");
  }
  for (const config::Node& node : sends) {
    const SendOptions send = send_fields().read(node, diagnostics_);
    if (auto read = read_send(send, options.type, scope)) rule.sends.push_back(std::move(*read));
  }
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
  for (const Name& topic : names(from.topic, "a topic")) {
    std::string filter = topic_filter(topic.text);
    if (const std::string_view fault = topic_filter_fault(filter); !fault.empty()) {
      diagnostics_.error(topic.node, std::string(fault));
    }
    out.topics.push_back(std::move(filter));
  }
  check_devices(devices, out);
  return out;
}

void RuleCompiler::check_devices(const std::vector<Name>& devices, const Selection& selection) {
  std::vector<std::string> known;
  for (const std::string& name : selection.sources) {
    const auto source = std::find_if(input_.sources.begin(), input_.sources.end(),
                                     [&](const KnownSource& one) { return one.name == name; });
    if (source == input_.sources.end() || !source->devices_complete) return;
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

void RuleCompiler::declare_points(const std::vector<Selection>& from, expression::Scope& scope) {
  declared_points_.clear();
  reader_.set_devices({});
  std::vector<std::string> devices;
  bool complete = true;
  for (const Selection& selection : from) {
    for (const std::string& name : selection.sources) {
      const auto source = std::find_if(input_.sources.begin(), input_.sources.end(),
                                       [&](const KnownSource& known) { return known.name == name; });
      if (source == input_.sources.end()) {
        complete = false;
        continue;
      }
      complete = complete && source->devices_complete;
      for (const ports::KnownDevice& device : source->devices) {
        const bool taken = selection.devices.empty() ||
                           std::any_of(selection.devices.begin(), selection.devices.end(),
                                       [&](const std::string& glob) { return glob_matches(glob, device.name); });
        if (!taken) continue;
        if (device.points.empty()) complete = false;
        devices.push_back("'" + device.name + "'");
        declared_points_.insert(device.points.begin(), device.points.end());
      }
    }
  }
  if (declared_points_.empty()) return;
  expression::Scope::Fields fields;
  for (const std::string& point : declared_points_) fields.emplace_back(point, Type::any);
  scope.declare_fields("value", std::move(fields), complete);
  if (complete) reader_.set_devices((devices.size() == 1 ? "device " : "devices ") + list_of(devices));
}

void RuleCompiler::read_lets(const config::Node& node, expression::Scope& scope, Rule& rule) {
  if (!node.present() || node.is_null()) return;
  if (!node.is_map()) {
    diagnostics_.error(node, "`let` must be a map of names and expressions, not " + std::string(node.kind_name()));
    return;
  }
  for (const config::Member& member : node.members()) {
    const std::string name(member.name());
    if (!is_identifier(name) || is_reserved(name)) {
      diagnostics_.error(member.key, "'" + name + "' cannot be the name of a variable", "letters, digits and _");
      continue;
    }
    if (std::find(builtin_names_.begin(), builtin_names_.end(), name) != builtin_names_.end()) {
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
    if (program) note_use(*program);
    rule.lets.push_back({name, std::move(program)});
  }
}

RuleCompiler::Needs RuleCompiler::needs_of(const expression::Program& program) const {
  Needs needs;
  for (const expression::MemberPath& path : program.reads()) {
    if (path.only_tested) continue;
    if (path.slot >= kFirstLetSlot) {
      const Needs& inner = let_needs_.at(path.slot - kFirstLetSlot);
      needs.points.insert(inner.points.begin(), inner.points.end());
      needs.previous = needs.previous || inner.previous;
    } else if (path.slot == kPreviousSlot) {
      needs.previous = true;
    } else if (path.slot == kValueSlot && !path.members.empty() && declared_points_.contains(path.members.front())) {
      needs.points.insert(path.members.front());
    }
  }
  return needs;
}

void RuleCompiler::note_use(const expression::Program& program) {
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
        diagnostics_.error(member.value, "`at_least_every` must be a duration, like 5 min");
      } else {
        rule.at_least_every = *duration;
      }
      continue;
    }
    Deadband band;
    const bool percent = text.ends_with('%');
    const auto amount = base::parse_double(base::trim(percent ? text.substr(0, text.size() - 1) : text));
    if (!amount || !(*amount >= 0)) {
      diagnostics_.error(member.value, "how far a value must move is a number or a percentage, like 0.5 or 1 %");
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
