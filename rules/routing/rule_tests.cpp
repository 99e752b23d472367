#include "rules/routing/rule_tests.h"

#include <algorithm>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "gateway/message/reading.h"
#include "rules/routing/compiled.h"
#include "rules/routing/expectation.h"
#include "rules/routing/given.h"
#include "rules/routing/hints.h"
#include "rules/routing/node_value.h"
#include "rules/routing/program.h"
#include "rules/routing/rehearsal.h"
#include "rules/routing/rule_options.h"

namespace railhead::routing {
namespace {

struct ExpectedError {
  std::string rule;
  std::string error;  // a part of the reason
};

struct RuleTest {
  std::string name;
  std::string where;
  std::vector<Reading> given;
  std::vector<Value> expect;
  std::vector<ExpectedError> errors;
};

// Where the fault of a reading is written.
config::Node place_of(const Impossible& fault, const config::Node& reading) {
  const auto or_whole = [&](const config::Node& node) { return node.present() ? node : reading; };
  if (fault.part == Impossible::Part::source) return or_whole(reading.find("source"));
  if (fault.part == Impossible::Part::device) return or_whole(reading.find("device"));
  config::Node at = reading.find("value");
  config::Node key;
  for (const std::string_view step : base::split(fault.point, '.')) {
    for (const config::Member& member : at.members()) {
      if (member.name() != step) continue;
      key = member.key;
      at = member.value;
      break;
    }
  }
  return or_whole(fault.part == Impossible::Part::point ? key : at);
}

std::vector<Reading> given_readings(const config::Node& node, std::span<const KnownSource> sources,
                                    config::Diagnostics& diagnostics) {
  std::vector<Reading> readings;
  const std::vector<config::Node> items = one_or_many(node);
  if (items.empty() && !node.is_broken()) diagnostics.error(node, "`given` has no reading");
  for (const config::Node& item : items) {
    if (item.is_broken()) continue;
    const std::size_t errors = diagnostics.error_count();
    (void)given_fields().read(item, diagnostics);
    if (diagnostics.error_count() != errors) continue;
    Reading reading;
    std::string why;
    if (reading_from_value(value_of(item), reading, why)) {
      // One that cannot come makes a test that passes for ever, whatever the rules.
      for (const Impossible& fault : make_as_delivered(reading, sources)) {
        diagnostics.error(place_of(fault, item), fault.what, fault.hint);
      }
      readings.push_back(std::move(reading));
    } else {
      diagnostics.error(item, why);
    }
  }
  return readings;
}

void check_is_a_rule(const config::Node& named, const ports::Router& router, config::Diagnostics& diagnostics) {
  const auto* const program = dynamic_cast<const Program*>(&router);
  if (program == nullptr || !named.present()) return;
  std::vector<std::string> names;
  for (const Rule& rule : program->compiled().rules) names.push_back(rule.name);
  if (std::find(names.begin(), names.end(), named.text()) != names.end()) return;
  diagnostics.error(named, "no rule '" + std::string(named.text()) + "'", hint_of(named.text(), names));
}

std::optional<RuleTest> read_test(const config::Node& node, const ports::Router& router,
                                  std::span<const KnownSource> sources, config::Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.error_count();
  const RuleTestOptions options = rule_test_fields().read(node, diagnostics);
  RuleTest test;
  test.name = options.name.value;
  test.where = diagnostics.where(options.name.mark);
  if (options.given.present()) test.given = given_readings(options.given, sources, diagnostics);
  for (const config::Node& item : one_or_many(options.expect))
    test.expect.push_back(expected_record(item, diagnostics));
  for (const config::Node& item : one_or_many(options.errors)) {
    const ExpectedErrorOptions expected = expected_error_fields().read(item, diagnostics);
    check_is_a_rule(expected.rule, router, diagnostics);
    test.errors.push_back({std::string(expected.rule.text()), expected.error});
  }
  if (diagnostics.error_count() != errors) return {};
  return test;
}

// What went wrong, a line each; empty: passed.
std::vector<std::string> run(const ports::Router& router, const RuleTest& test, Coverage* coverage) {
  std::vector<std::string> faults;
  std::vector<Record> records;
  std::vector<ports::SetAside> failures;
  Rehearsal rehearsal(coverage == nullptr ? router.open() : dynamic_cast<const Program&>(router).open(*coverage));
  Rehearsal::Came came;
  const auto keep = [&] {
    for (Record& record : came.records) records.push_back(std::move(record));
    for (ports::SetAside& failure : came.set_aside) failures.push_back(std::move(failure));
  };
  for (const Reading& reading : test.given) {
    rehearsal.feed(reading, came);
    keep();
  }
  rehearsal.finish(came);
  keep();
  for (std::size_t i = 0; i < failures.size(); ++i) {
    const ports::SetAside& failure = failures[i];
    const bool expected = i < test.errors.size() &&
                          (test.errors[i].rule.empty() || test.errors[i].rule == failure.rule) &&
                          failure.reason.find(test.errors[i].error) != std::string::npos;
    if (!expected) faults.push_back("rule '" + failure.rule + "' failed: " + failure.reason);
  }
  for (std::size_t i = failures.size(); i < test.errors.size(); ++i) {
    faults.push_back("rule '" + test.errors[i].rule + "' should have failed");
  }
  for (std::size_t i = 0; i < test.expect.size(); ++i) {
    const std::string record = "record " + std::to_string(i + 1);
    if (i >= records.size()) {
      faults.push_back(record + " is missing: expected " + to_json(test.expect[i]));
      continue;
    }
    std::vector<Difference> differences;
    compare(test.expect[i], record_value(records[i]), {}, differences);
    for (const Difference& difference : differences) {
      faults.push_back(record + " to " + records[i].sink + ": " + difference.path);
      faults.push_back("    expected  " + difference.expected);
      faults.push_back("    got       " + difference.got);
    }
  }
  for (std::size_t i = test.expect.size(); i < records.size(); ++i) {
    faults.push_back("record " + std::to_string(i + 1) + " was not expected: " + to_json(record_value(records[i])));
  }
  return faults;
}

// False after reporting that it is not.
bool is_list_of_tests(const config::Node& tests, config::Diagnostics& diagnostics) {
  if (!tests.present() || tests.is_null() || tests.is_broken() || tests.is_list()) return true;
  diagnostics.error(tests, "`tests` must be a list, not " + std::string(tests.kind_name()),
                    "each test begins with `- name:`");
  return false;
}

}  // namespace

void check_rule_tests(const ports::Router& router, const config::Node& tests, config::Diagnostics& diagnostics,
                      std::span<const KnownSource> sources) {
  for (const config::Node& node : tests.items()) (void)read_test(node, router, sources, diagnostics);
}

TestCount run_rule_tests(const ports::Router& router, const config::Node& tests, config::Diagnostics& diagnostics,
                         std::ostream& out, ShowCoverage show, std::span<const KnownSource> sources) {
  TestCount count;
  std::optional<Coverage> coverage;
  if (const auto* program = dynamic_cast<const Program*>(&router); program && show == ShowCoverage::yes) {
    coverage.emplace(program->compiled());
  }
  if (!is_list_of_tests(tests, diagnostics)) ++count.failed;
  for (const config::Node& node : tests.items()) {
    const std::optional<RuleTest> test = read_test(node, router, sources, diagnostics);
    const std::vector<std::string> faults =
        test ? run(router, *test, coverage ? &*coverage : nullptr) : std::vector<std::string>{};
    if (test && faults.empty()) {
      ++count.passed;
      continue;
    }
    ++count.failed;
    if (!test) continue;
    out << test->where << ": failed: " << test->name << "\n";
    for (const std::string& fault : faults) out << "  " << fault << "\n";
  }
  if (coverage) count.covered = coverage->print(out);
  out << count.passed << " passed, " << count.failed << " failed\n";
  return count;
}

}  // namespace railhead::routing
