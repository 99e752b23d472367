#include "rules/routing/routing.h"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>

#include "gateway/config/fingerprint.h"
#include "gateway/config/reference.h"
#include "rules/routing/compiled.h"
#include "rules/routing/program.h"
#include "rules/routing/rule_compiler.h"
#include "rules/routing/rule_options.h"
#include "rules/routing/rule_state.h"
#include "rules/routing/table_files.h"

namespace railhead::routing {
namespace {

// True if the name is new.
bool is_first_of_its_name(const RuleOptions& options, std::unordered_map<std::string, config::Mark>& seen,
                          config::Diagnostics& diagnostics) {
  if (options.name.value.empty()) return true;  // reported as missing
  const auto [first, fresh] = seen.emplace(options.name.value, options.name.mark);
  if (!fresh) {
    diagnostics.error(options.name.mark, options.name.length, "rule '" + options.name.value + "' again",
                      "the first is at " + diagnostics.where(first->second));
  }
  return fresh;
}

// A final rule without any condition: nothing of these sources goes beyond it.
struct FinalRule {
  std::string name;
  config::Mark mark;
  std::set<std::string> sources;
};

std::optional<FinalRule> takes_everything(const Rule& rule, const RuleOptions& options) {
  const bool always =
      rule.is_final && !rule.when.expression && !rule.remembers() && !rule.for_each && rule.on_change.empty() &&
      rule.throttle.count() == 0 &&
      std::any_of(rule.sends.begin(), rule.sends.end(), [](const Send& send) { return !send.when.expression; });
  if (!always) return {};
  FinalRule out{options.name.value, options.name.mark, {}};
  for (const Selection& selection : rule.from) {
    if (selection.devices.empty() && selection.topics.empty()) {
      out.sources.insert(selection.sources.begin(), selection.sources.end());
    }
  }
  return out;
}

void check_reachable(const Rule& rule, const RuleOptions& options, const std::vector<FinalRule>& finals,
                     config::Diagnostics& diagnostics) {
  for (const FinalRule& earlier : finals) {
    const bool shadowed = std::all_of(rule.from.begin(), rule.from.end(), [&](const Selection& selection) {
      return std::all_of(selection.sources.begin(), selection.sources.end(),
                         [&](const std::string& source) { return earlier.sources.contains(source); });
    });
    if (!shadowed || rule.from.empty()) continue;
    diagnostics.warning(
        options.name.mark, options.name.length, "rule '" + rule.name + "' never gets a reading",
        "rule '" + earlier.name + "' at " + diagnostics.where(earlier.mark) + " is final and takes them all");
    return;
  }
}

Value labels_of(const std::map<std::string, std::string>& labels) {
  Value::Entries entries;
  for (const auto& [name, text] : labels) entries.emplace_back(Value::text(name), Value::text(text));
  return Value::map(std::move(entries));
}

Value tables_of(const std::map<std::string, Table>& tables) {
  Value::Entries entries;
  for (const auto& [name, table] : tables) entries.emplace_back(Value::text(name), table.rows);
  return Value::map(std::move(entries));
}

}  // namespace

Program::Program(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

std::unique_ptr<ports::RuleState> Program::open() const { return std::make_unique<RuleStateOf>(compiled_); }

std::unique_ptr<ports::RuleState> Program::open(Coverage& coverage) const {
  return std::make_unique<RuleStateOf>(compiled_, &coverage);
}

bool Program::takes_from(std::string_view source) const { return compiled_->index.takes_from(source); }

std::shared_ptr<const ports::Router> build(const RoutingInput& input, config::Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.error_count();
  auto compiled = std::make_shared<Compiled>();
  compiled->gateway = input.gateway;
  compiled->gateway_value = Value::text(input.gateway);
  compiled->labels = labels_of(input.labels);
  compiled->reporter = input.reporter;
  const std::map<std::string, Table> tables = read_tables(input.tables, diagnostics);
  compiled->tables = tables_of(tables);
  RuleCompiler compiler(input, tables, diagnostics);
  if (input.rules.present() && !input.rules.is_null() && !input.rules.is_list()) {
    diagnostics.error(input.rules, "`rules` must be a list, not " + std::string(input.rules.kind_name()),
                      "each rule begins with `- name:`");
  }
  if (input.rules.items().size() > kRulesMax) {
    diagnostics.error(input.rules, "more than " + std::to_string(kRulesMax) + " rules");
    return nullptr;
  }
  std::unordered_map<std::string, config::Mark> seen;
  std::vector<FinalRule> finals;
  for (const config::Node& node : input.rules.items()) {
    const std::size_t errors_before = diagnostics.error_count();
    const RuleOptions options = rule_fields().read(node, diagnostics);
    const bool unique = is_first_of_its_name(options, seen, diagnostics);
    std::optional<Rule> rule = compiler.compile(options);
    if (!rule || !unique || diagnostics.error_count() != errors_before) continue;
    rule->fingerprint = config::fingerprint(node);
    check_reachable(*rule, options, finals, diagnostics);
    if (auto final_rule = takes_everything(*rule, options)) finals.push_back(std::move(*final_rule));
    const auto number = static_cast<RuleNumber>(compiled->rules.size());
    for (const Selection& selection : rule->from) compiled->index.add(number, selection);
    compiled->lets_max = std::max(compiled->lets_max, rule->lets.size());
    compiled->rules.push_back(std::move(*rule));
  }
  if (diagnostics.error_count() != errors) return nullptr;
  return std::make_shared<const Program>(std::move(compiled));
}

void describe(config::Reference& reference) {
  reference.place("rules[]");
  rule_fields().describe(reference);
  reference.place("rules[].from[?]");
  from_fields().describe(reference);
  reference.place("rules[].send[?]");
  send_fields().describe(reference);
  reference.place("rules[].late[?]");
  send_fields().describe(reference);
  reference.place("tables.<name>");
  table_fields().describe(reference);
  reference.place("tests[]");
  rule_test_fields().describe(reference);
}

}  // namespace railhead::routing
