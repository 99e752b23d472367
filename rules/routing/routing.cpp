#include "rules/routing/routing.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "gateway/base/assert.h"
#include "gateway/config/fingerprint.h"
#include "gateway/config/reference.h"
#include "rules/routing/compiled.h"
#include "rules/routing/pattern.h"
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

// A final rule: nothing of what it selects and where its condition holds goes beyond it.
struct FinalRule {
  std::string name;
  config::Mark mark;
  std::vector<Selection> from;
  ExpressionPtr when;  // none: always
};

std::optional<FinalRule> takes_for_good(const Rule& rule, const RuleOptions& options) {
  const bool for_good =
      rule.is_final && !rule.remembers() && !rule.for_each && rule.on_change.empty() && rule.throttle.count() == 0 &&
      std::any_of(rule.sends.begin(), rule.sends.end(), [](const Send& send) { return !send.when.expression; });
  if (!for_good) return {};
  return FinalRule{options.name.value, options.name.mark, rule.from, rule.when.expression};
}

// Every name that `inner` matches, `outer` matches too. A `*` matches the wildcards of the other as it matches names.
bool covers_glob(const std::string& outer, const std::string& inner) {
  return outer == inner || (outer.find('?') == std::string::npos && glob_matches(outer, inner)) ||
         (is_literal_glob(inner) && glob_matches(outer, inner));
}

bool covers_topic(const std::string& outer, const std::string& inner) {
  return outer == inner || (is_literal_topic(inner) && topic_matches(outer, inner));
}

// `outer` empty: it does not narrow.
template <class Covers>
bool covers_all(const std::vector<std::string>& outer, const std::vector<std::string>& inner, Covers covers) {
  if (outer.empty()) return true;
  return !inner.empty() && std::all_of(inner.begin(), inner.end(), [&](const std::string& one) {
    return std::any_of(outer.begin(), outer.end(), [&](const std::string& each) { return covers(each, one); });
  });
}

bool covers(const std::vector<Selection>& outer, const Selection& inner) {
  return std::all_of(inner.sources.begin(), inner.sources.end(), [&](const std::string& source) {
    return std::any_of(outer.begin(), outer.end(), [&](const Selection& one) {
      return std::find(one.sources.begin(), one.sources.end(), source) != one.sources.end() &&
             covers_all(one.devices, inner.devices, covers_glob) && covers_all(one.topics, inner.topics, covers_topic);
    });
  });
}

// Conditions that read nothing of the rule's own, and are written alike.
bool same_condition(const ExpressionPtr& earlier, const Rule& rule) {
  if (!earlier) return true;
  return rule.when.expression && rule.lets.empty() && !rule.uses_previous &&
         rule.when.expression->text() == earlier->text();
}

void check_reachable(const Rule& rule, const RuleOptions& options, const std::vector<FinalRule>& finals,
                     config::Diagnostics& diagnostics) {
  if (rule.from.empty()) return;
  for (const FinalRule& earlier : finals) {
    const bool shadowed = same_condition(earlier.when, rule) &&
                          std::all_of(rule.from.begin(), rule.from.end(),
                                      [&](const Selection& one) { return covers(earlier.from, one); });
    if (!shadowed) continue;
    diagnostics.warning(options.name.mark, options.name.length, "rule '" + rule.name + "' never gets a reading",
                        "rule '" + earlier.name + "' at " + diagnostics.where(earlier.mark) + " is final and takes " +
                            (earlier.when ? "all where this `when` holds" : "them all"));
    return;
  }
}

Value tables_of(const std::map<std::string, Table>& tables) {
  Value::Entries entries;
  for (const auto& [name, table] : tables) entries.emplace_back(Value::text(name), table.rows);
  return Value::map(std::move(entries));
}

}  // namespace

Program::Program(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

std::unique_ptr<ports::RuleState> Program::open() const { return std::make_unique<RuleStateOf>(compiled_); }

std::unique_ptr<ports::RuleState> Program::open_one(std::string_view rule) const {
  const auto& rules = compiled_->rules;
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const Rule& one) { return one.name == rule; });
  if (found == rules.end()) return nullptr;
  return std::make_unique<RuleStateOf>(compiled_, nullptr, static_cast<RuleNumber>(found - rules.begin()));
}

std::unique_ptr<ports::RuleState> Program::open(Coverage& coverage) const {
  return std::make_unique<RuleStateOf>(compiled_, &coverage);
}

bool Program::takes_from(std::string_view source) const { return compiled_->index.takes_from(source); }

namespace {

std::shared_ptr<const ports::Router> build_with(std::map<std::string, Table> tables, const RoutingInput& input,
                                                config::Diagnostics& diagnostics, std::size_t errors) {
  auto compiled = std::make_shared<Compiled>();
  compiled->gateway = input.gateway;
  Configured configured(input.gateway, input.labels);
  compiled->gateway_value = configured.gateway();
  compiled->labels = configured.labels();
  compiled->reporter = input.reporter;
  compiled->tables = tables_of(tables);
  compiled->table_files = std::move(tables);
  RuleCompiler compiler(input, compiled->table_files, configured, diagnostics);
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
    if (auto final_rule = takes_for_good(*rule, options)) finals.push_back(std::move(*final_rule));
    const auto number = static_cast<RuleNumber>(compiled->rules.size());
    for (const Selection& selection : rule->from) compiled->index.add(number, selection);
    compiled->lets_max = std::max(compiled->lets_max, rule->lets.size());
    rule->sends_at_once = !rule->when.expression && !rule->for_each && !rule->keeps_state() && !rule->remembers();
    compiled->rules.push_back(std::move(*rule));
  }
  if (diagnostics.error_count() != errors) return nullptr;
  return std::make_shared<const Program>(std::move(compiled));
}

}  // namespace

std::shared_ptr<const ports::Router> build(const RoutingInput& input, config::Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.error_count();
  return build_with(read_tables(input.tables, diagnostics), input, diagnostics, errors);
}

std::map<std::string, std::filesystem::path> table_places(const RoutingInput& input) {
  return places_of_tables(input.tables);
}

std::shared_ptr<const ports::Router> with_table_read_anew(const ports::Router& running, const RoutingInput& input,
                                                          const std::string& name, config::Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.error_count();
  const auto* const program = dynamic_cast<const Program*>(&running);
  RAILHEAD_ASSERT(program != nullptr);
  std::map<std::string, Table> tables = program->compiled().table_files;
  Table& table = tables[name];
  Table fresh = read_one_table(input.tables, name, diagnostics);
  const std::vector<std::string> others = cells_of_another_type(table, fresh);
  table = std::move(fresh);
  auto router = build_with(std::move(tables), input, diagnostics, errors);
  if (router) return router;
  // Why a rule does not fit any more.
  const config::Node file = input.tables.find(name).find("file");
  for (const std::string& sentence : others) {
    diagnostics.error(file, std::filesystem::path(file.text()).filename().string() + ": " + sentence);
  }
  return nullptr;
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
  reference.place("tests[].given[?]");
  given_fields().describe(reference);
  reference.place("tests[].errors[?]");
  expected_error_fields().describe(reference);
}

}  // namespace railhead::routing
