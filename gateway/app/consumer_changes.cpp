#include "gateway/app/consumer_changes.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "gateway/app/difference.h"
#include "gateway/config/reference.h"
#include "gateway/config/written_difference.h"
#include "rules/routing/contract.h"

namespace railhead::app {
namespace {

// Of a sink: where its records go and how they are clad.
constexpr std::array<std::string_view, 3> kSeenByConsumers{"envelope", "exchange", "topic"};
// Top-level parts that are compared by what they come to, or that no consumer sees.
constexpr std::array<std::string_view, 13> kNotByText{"version", "include", "gateway", "labels", "sources",
                                                      "sinks",   "rules",   "tables",  "models", "tests",
                                                      "panel",   "control", "reload"};

class Comparison {
 public:
  Comparison(const Configuration& before, const Configuration& now) : before_(before), now_(now) {
    config::Reference reference;
    describe_everything(reference);
    secrets_ = reference.secret_fields();
  }

  ConsumerChanges run() {
    const routing::Contract was = routing::contract_of(*before_.router, before_.routing.sources);
    const routing::Contract is = routing::contract_of(*now_.router, now_.routing.sources);
    changes_.certain = routing::changes_for_consumers(was, is);
    if (const std::string& old = before_.options.gateway.value, &name = now_.options.gateway.value; old != name) {
      changes_.certain.push_back("every record: `gateway`, its identity and ce_source: the gateway '" + old +
                                 "' is now '" + name + "'");
    }
    const auto part_of = [](const config::Node& parts, const std::string& name) { return parts.find(name); };
    const auto rule_of = [](const config::Node& rules, const std::string& name) {
      const auto items = rules.items();
      const auto found = std::find_if(items.begin(), items.end(),
                                      [&](const config::Node& rule) { return rule.find("name").text() == name; });
      return found == items.end() ? config::Node() : *found;
    };
    parts("source", difference(before_.sources, now_.sources), before_.options.sources, now_.options.sources, part_of);
    parts("sink", difference(before_.sinks, now_.sinks), before_.options.sinks, now_.options.sinks, part_of);
    parts("rule", difference(was.rules, is.rules), before_.options.rules, now_.options.rules, rule_of);
    written("labels", before_.options.labels, now_.options.labels);
    written("model", before_.options.models, now_.options.models);
    tables();
    the_rest();
    return std::move(changes_);
  }

 private:
  void possible(const std::string& what) { changes_.possible.push_back(what); }

  template <class Find>
  void parts(const std::string& kind, const Difference& difference, const config::Node& before, const config::Node& now,
             Find find) {
    for (const std::string& name : difference.changed) {
      const std::string title = kind + " '" + name + "': ";
      const auto changes = config::written_difference(find(before, name), find(now, name), secrets_);
      for (const config::WrittenChange& change : changes) {
        const bool seen = kind == "sink" && std::find(kSeenByConsumers.begin(), kSeenByConsumers.end(),
                                                      change.field()) != kSeenByConsumers.end();
        (seen ? changes_.certain : changes_.possible).push_back(title + change.text());
      }
      // Its model, a certificate, a variable, the order of its lets.
      if (changes.empty()) possible(title + "what it names, or the order of its fields, is another");
    }
    for (const std::string& name : difference.removed) possible(kind + " '" + name + "' is gone");
  }

  void written(const std::string& kind, const std::map<std::string, std::string>& before,
               const std::map<std::string, std::string>& now) {
    for (const auto& [name, text] : now) {
      const auto old = before.find(name);
      if (old == before.end() || old->second == text) continue;
      possible(kind + ": " + name + ": " + text + ", was " + old->second);
    }
    for (const auto& [name, text] : before) {
      if (!now.contains(name)) possible(kind + ": " + name + " is gone");
    }
  }
  void written(const std::string& kind, const config::Node& before, const config::Node& now) {
    for (const config::WrittenChange& change : config::written_difference(before, now, secrets_)) {
      possible(kind + " " + change.text());
    }
  }

  // How a table is read; what it holds is compared with the rules.
  void tables() {
    for (const config::Member& table : now_.options.tables.members()) {
      const config::Node old = before_.options.tables.find(table.name());
      if (old.present()) written("table '" + std::string(table.name()) + "':", old, table.value);
    }
  }

  void the_rest() {
    const auto compared = [](std::string_view name) {
      return std::find(kNotByText.begin(), kNotByText.end(), name) == kNotByText.end();
    };
    const config::Node before = before_.document.root();
    const config::Node now = now_.document.root();
    std::set<std::string> names;
    for (const config::Node& root : {before, now}) {
      for (const config::Member& member : root.members()) {
        if (compared(member.name())) names.emplace(member.name());
      }
    }
    for (const std::string& name : names) written(name + ":", before.find(name), now.find(name));
  }

  const Configuration& before_;
  const Configuration& now_;
  std::set<std::string> secrets_;
  ConsumerChanges changes_;
};

}  // namespace

std::string ConsumerChanges::text() const {
  std::string out;
  for (const std::string& one : certain) out += "changes: " + one + "\n";
  for (const std::string& one : possible) out += "may change: " + one + "\n";
  return out.empty() ? "nothing changes for consumers\n" : out;
}

ConsumerChanges consumer_changes(const Configuration& before, const Configuration& now) {
  return Comparison(before, now).run();
}

}  // namespace railhead::app
