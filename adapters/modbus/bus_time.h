// Bus time: how long a plan keeps its links busy, before anything is sent. Pure and deterministic.
// Serial:  characters at the line's speed, the 3.5 characters of silence after each frame, and the time that the device
//          needs before it answers (`response`), as in MODBUS over Serial Line V1.02, 2.5.1.1.
// Others:  `response` alone: the network is not known.
#pragma once

#include <string>
#include <vector>

#include "adapters/modbus/endpoint.h"
#include "adapters/modbus/plan.h"
#include "adapters/modbus/source.h"

namespace railhead::modbus {

[[nodiscard]] Duration bus_time(const Endpoint& endpoint, const Block& block, Duration response);

// The groups of every device of every link, staggered: what a source will do.
struct LinkGroups {
  std::vector<std::vector<Group>> devices;  // as in LinkPlan
};
[[nodiscard]] std::vector<LinkGroups> plan_source(const SourceOptions& options);

// The share of its time that the link is busy; above 1 the plan does not fit.
[[nodiscard]] double utilisation(const LinkPlan& link, const LinkGroups& groups);

// Each link, device, cycle and request in words, for `railhead check --plan`.
[[nodiscard]] std::string explain_plan(const SourceOptions& options);

}  // namespace railhead::modbus
