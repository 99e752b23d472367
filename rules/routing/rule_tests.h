// The `tests:` section: readings given, records expected. What `railhead test` runs; needs no broker and no clock.
// Each test begins with fresh rule state; time passes as the readings' times say.
// Compared: what `expect` names, in order; body fields that are not named are not compared; numbers compare by value
//           (to one part in 10^9, so that 200.3 is what 93.5 * 1.8 + 32 gives).
// Threads:  one caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <span>

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/ports/router.h"
#include "rules/routing/routing.h"

namespace railhead::routing {

enum class ShowCoverage : std::uint8_t { no, yes };

struct TestCount {
  std::size_t passed = 0;
  std::size_t failed = 0;
  bool covered = true;  // every rule, send and branch; told only when asked for
};

// Reports what is wrong with the tests as they are written; runs nothing.
void check_rule_tests(const ports::Router& router, const config::Node& tests, config::Diagnostics& diagnostics,
                      std::span<const KnownSource> sources);

// `router` is built with RoutingInput::bodies_as_json, or bodies that are not JSON cannot be compared.
// Runs every test of `tests` (the list under `tests:`). Prints the failures, each with what differs, then "N passed, N
// failed", and if asked what no test reached. A test that is not well formed, or that gives what cannot come (a source,
// a device or a point that `sources` do not have, a value of another kind), is a diagnostic and counts as failed.
TestCount run_rule_tests(const ports::Router& router, const config::Node& tests, config::Diagnostics& diagnostics,
                         std::ostream& out, ShowCoverage coverage = ShowCoverage::no,
                         std::span<const KnownSource> sources = {});

}  // namespace railhead::routing
