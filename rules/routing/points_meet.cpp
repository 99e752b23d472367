// RuleCompiler's check of what a send needs together: points of a device that are read at different rates come in
// readings of their own.
#include <algorithm>

#include "gateway/base/text.h"
#include "rules/routing/pattern.h"
#include "rules/routing/rule_compiler.h"

namespace railhead::routing {
namespace {

void each_program(const Body& body, const std::function<void(const expression::Program&)>& each) {
  if (body.expression) each(*body.expression);
  for (const Body& member : body.members) each_program(member, each);
}

void each_program(const Template& text, const std::function<void(const expression::Program&)>& each) {
  for (const Template::Part& part : text.parts) {
    if (part.expression) each(*part.expression);
  }
}

}  // namespace

void RuleCompiler::check_points_meet(const SendOptions& options, const Send& send, const Rule& rule) {
  // A window takes what there is of each argument, a snapshot has the last of each point.
  if (rule.window || rule.snapshot) return;
  std::set<std::string> points;
  const auto add = [&](const expression::Program& program) {
    const Needs needs = needs_of(program);
    if (!needs.guarded) points.insert(needs.points.begin(), needs.points.end());
  };
  for (const Condition* condition : {&rule.when, &send.when}) {
    if (condition->expression) add(*condition->expression);
  }
  if (send.body) each_program(*send.body, add);
  for (const std::optional<Template>* text : {&send.topic, &send.routing_key}) {
    if (*text) each_program(**text, add);
  }
  each_program(send.key, add);
  for (const NamedTemplate& header : send.headers) each_program(header.text, add);
  if (points.size() < 2) return;
  struct Apart {
    std::string point;
    Duration rate{};
  };
  std::optional<std::pair<Apart, Apart>> apart;
  for (const Selection& selection : rule.from) {
    for (const std::string& name : selection.sources) {
      const KnownSource* const source = source_named(name);
      if (source == nullptr || !source->devices_complete) return;
      for (const ports::KnownDevice& device : source->devices) {
        const auto& globs = selection.devices;
        if (!globs.empty() && std::none_of(globs.begin(), globs.end(),
                                           [&](const std::string& glob) { return glob_matches(glob, device.name); })) {
          continue;
        }
        const auto first = device.rates.find(*points.begin());
        if (first == device.rates.end()) continue;
        const auto other = std::find_if(points.begin(), points.end(), [&](const std::string& point) {
          const auto rate = device.rates.find(point);
          return rate != device.rates.end() && rate->second != first->second;
        });
        const bool has_all = std::all_of(points.begin(), points.end(),
                                         [&](const std::string& point) { return device.rates.contains(point); });
        if (has_all && other == points.end()) return;
        if (other != points.end()) {
          apart = {{first->first, first->second}, {*other, device.rates.at(*other)}};
        }
      }
    }
  }
  if (!apart) return;
  const auto shown = [](const Apart& one) {
    return "'" + one.point + "' (every " + base::format_duration(one.rate) + ")";
  };
  diagnostics_.warning(options.to.mark, options.to.length,
                       "nothing is ever sent: the points " + shown(apart->first) + " and " + shown(apart->second) +
                           " never come in one reading",
                       "`snapshot: { every: " + base::format_duration(std::max(apart->first.rate, apart->second.rate)) +
                           " }` gives the last of each; has(value." + apart->second.point + ") asks for one");
}

}  // namespace railhead::routing
