#include <unistd.h>

#include <iostream>

#include "gateway/app/commands/commands.h"
#include "gateway/app/configuration.h"
#include "gateway/app/consumer_changes.h"
#include "gateway/base/text.h"
#include "gateway/system/clock.h"
#include "rules/routing/rule_tests.h"
#include "rules/routing/try_lines.h"

namespace railhead::app {
namespace {

enum class Tests : bool { run_later, check };

// Loads and prints what is wrong; false if it must not be used.
bool load(const std::string& path, Configuration& configuration, config::Diagnostics& diagnostics,
          bool for_tests = false, Tests tests = Tests::run_later) {
  configuration = load_configuration(path, diagnostics, nullptr, for_tests);
  if (tests == Tests::check && configuration.router) {
    routing::check_rule_tests(*configuration.router, configuration.options.tests, diagnostics,
                              configuration.routing.sources);
  }
  std::cerr << diagnostics.render({.colour = isatty(STDERR_FILENO) != 0});
  return !diagnostics.has_errors();
}

// Also of a configuration with errors: a plan that does not fit is one.
void show_plans(const Configuration& configuration) {
  for (const auto& source : configuration.sources) {
    const std::string plan = source.plan->explain();
    if (!plan.empty()) std::cout << "\nsource " << source.name << '\n' << plan;
  }
}

// What changes for consumers between an older configuration and this one; the exit code.
int compare_with(const std::string& path, const Configuration& now) {
  Configuration before;
  config::Diagnostics diagnostics;
  if (!load(path, before, diagnostics)) {
    std::cerr << path << " itself: " << diagnostics.summary() << '\n';
    return 1;
  }
  std::cout << consumer_changes(before, now).text();
  return 0;
}

}  // namespace

int run_check(const CheckArguments& arguments) {
  Configuration configuration;
  config::Diagnostics diagnostics;
  const bool good = load(arguments.config, configuration, diagnostics, false, Tests::check);
  if (!good) {
    std::cerr << diagnostics.summary() << '\n';
    if (arguments.plan) show_plans(configuration);
    return 1;
  }
  std::cout << arguments.config << ": good";
  if (diagnostics.warning_count() > 0) std::cout << ", " << diagnostics.summary();
  std::cout << "; " << base::counted(configuration.sources.size(), "source") << ", "
            << base::counted(configuration.sinks.size(), "sink") << ", "
            << base::counted(configuration.routing.rules.items().size(), "rule") << '\n';
  if (arguments.plan) show_plans(configuration);
  return arguments.against.empty() ? 0 : compare_with(arguments.against, configuration);
}

int run_rule_tests(const TestArguments& arguments) {
  Configuration configuration;
  config::Diagnostics diagnostics;
  if (!load(arguments.config, configuration, diagnostics, true)) return 1;
  const routing::TestCount count = routing::run_rule_tests(
      *configuration.router, configuration.options.tests, diagnostics, std::cout,
      arguments.coverage ? routing::ShowCoverage::yes : routing::ShowCoverage::no, configuration.routing.sources);
  if (diagnostics.has_errors()) std::cerr << diagnostics.render();
  return count.failed == 0 && !diagnostics.has_errors() ? 0 : 1;
}

int run_try(const TryArguments& arguments) {
  Configuration configuration;
  config::Diagnostics diagnostics;
  if (!load(arguments.config, configuration, diagnostics)) return 1;
  const routing::TryOptions options{
      .source = arguments.source, .time = system::SystemClock().now(), .sources = configuration.routing.sources};
  return routing::try_lines(*configuration.router, options, std::cin, std::cout);
}

int run_reference(const ReferenceArguments& arguments) {
  config::Reference reference;
  describe_everything(reference);
  std::cout << (arguments.schema ? reference.schema() : reference.markdown());
  return 0;
}

}  // namespace railhead::app
