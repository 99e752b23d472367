// RuleCompiler: the options of one rule -> a compiled Rule, with what is known of sources, sinks, labels and tables.
// Everything wrong is reported; compile() gives a rule only if nothing was. Threads: one owner.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/diagnostics.h"
#include "rules/expression/expression.h"
#include "rules/routing/compiled.h"
#include "rules/routing/configured.h"
#include "rules/routing/expression_reader.h"
#include "rules/routing/routing.h"
#include "rules/routing/rule_options.h"
#include "rules/routing/table.h"

namespace railhead::routing {

class RuleCompiler {
 public:
  RuleCompiler(const RoutingInput& input, const std::map<std::string, Table>& tables, Configured& configured,
               config::Diagnostics& diagnostics);

  std::optional<Rule> compile(const RuleOptions& options);

 private:
  // What a program needs of the reading, also through the lets it uses.
  struct Needs {
    std::set<std::string> points;
    bool guarded = false;  // it may do without some of them
    bool previous = false;
    std::set<std::size_t> slots;  // built-in variables outside of window functions
    bool aggregates = false;      // a window function
  };

  struct Name {
    std::string text;
    config::Node node;  // where it is written
  };

  std::vector<Name> names(const config::Node& node, std::string_view what);
  Selection selection(const FromOptions& from);
  void check_devices(const std::vector<Name>& devices, const Selection& selection);
  void check_topics(const std::vector<Name>& topics, const Selection& selection);
  // What is known of `value` for the devices that the rule takes.
  void declare_points(const std::vector<Selection>& from, expression::Scope& scope);
  // What `quality`, `source` and `device` can be.
  void declare_texts(const std::vector<Selection>& from, expression::Scope& scope);
  [[nodiscard]] const KnownSource* source_named(std::string_view name) const;
  void read_lets(const config::Node& node, expression::Scope& scope, Rule& rule);
  void read_on_change(const config::Node& node, const expression::Scope& scope, Rule& rule);
  std::optional<Send> read_send(const SendOptions& options, const std::string& type, const expression::Scope& scope);
  std::optional<Template> read_topic(const SendOptions& options, const KnownSink& sink, const expression::Scope& scope);
  void read_key(const SendOptions& options, const expression::Scope& scope, Send& send);
  // Writes out what the configuration decides, and checks what is plain then.
  void write_out(const SendOptions& options, Send& send);
  std::optional<Body> read_body(const config::Node& node, const std::string& path, const expression::Scope& scope);
  void read_sends(const RuleOptions& options, const expression::Scope& scope, Rule& rule);
  // Warns of points that never come in one reading.
  void check_points_meet(const SendOptions& options, const Send& send, const Rule& rule);
  void read_late(const RuleOptions& options, const expression::Scope& scope, Rule& rule);
  void read_for_each(const RuleOptions& options, const expression::Scope& scope, Rule& rule);
  void read_dedup(const DedupOptions& options, const expression::Scope& scope, Rule& rule);
  void read_sequence(const SequenceOptions& options, const expression::Scope& scope, Rule& rule);
  void read_window(const RuleOptions& options, const expression::Scope& scope, Rule& rule);
  void read_snapshot(const RuleOptions& options, Rule& rule);
  // Where one reading is at hand, and where a window closes.
  void expect_reading(bool with_item);
  void expect_closing();
  void forbid(ExpressionReader::ForbiddenSlots builtins, bool aggregates);
  // Takes the program's window functions into the rule's window.
  void add_calls(const expression::Program& program, std::size_t first_slot, const config::Node& node);
  void read_schema(const SendOptions& options, const KnownSink& sink, Send& send);
  // Null after reporting why.
  std::shared_ptr<const JsonSchema> load_schema(const config::Located<std::filesystem::path>& named);
  Condition read_condition(const config::Node& node, const expression::Scope& scope);
  Needs needs_of(const expression::Program& program) const;
  void note_use(const expression::Program& program);

  const RoutingInput& input_;
  Configured& configured_;
  config::Diagnostics& diagnostics_;
  ExpressionReader reader_;
  [[nodiscard]] const expression::Scope& base_for(const RuleOptions& options) const;

  // By what the rule has of its own: [window][for_each].
  expression::Scope bases_[2][2];
  std::vector<std::string> source_names_;
  std::vector<std::string> default_sources_;  // of a rule that names none: all but the gateway itself
  std::vector<std::string> sink_names_;
  std::map<std::filesystem::path, std::shared_ptr<const JsonSchema>> schemas_;  // read once, null: not to be read
  // Of the rule at hand.
  std::set<std::string> declared_points_;
  std::vector<Needs> let_needs_;
  bool uses_previous_ = false;
  Window* window_ = nullptr;
  std::vector<std::string> call_texts_;  // of window_->calls, to find equal ones
  std::uint64_t state_id_ = 0;
};

}  // namespace railhead::routing
