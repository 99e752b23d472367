#include "rules/routing/rule_tests.h"

#include <algorithm>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "gateway/message/json.h"
#include "gateway/message/reading.h"
#include "rules/routing/compiled.h"
#include "rules/routing/expectation.h"
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

// A reading that cannot come makes a test that passes for ever, whatever the rules.
void check_can_come(const config::Node& node, const Reading& reading, std::span<const KnownSource> sources,
                    config::Diagnostics& diagnostics) {
  const auto named = [](const auto& parts, const std::string& name) {
    return std::find_if(parts.begin(), parts.end(), [&](const auto& part) { return part.name == name; });
  };
  const auto complain = [&](const config::Node& at, const std::string& what, const auto& parts) {
    std::vector<std::string> names;
    for (const auto& part : parts) names.push_back(part.name);
    const std::string near = hint_of(std::string(at.text()), names);
    diagnostics.error(at, what, near.empty() && !names.empty() ? "there are " + list_of(names) : near);
  };
  if (sources.empty() || reading.source == kOwnSource) return;
  const auto source = named(sources, reading.source);
  if (source == sources.end()) {
    return complain(node.find("source"), "no source '" + reading.source + "'", sources);
  }
  const auto device = named(source->devices, reading.device);
  if (device == source->devices.end()) {
    if (source->devices_complete) {
      complain(node.find("device").present() ? node.find("device") : node,
               "no device '" + reading.device + "' in source '" + reading.source + "'", source->devices);
    }
    return;
  }
  if (device->points.empty()) return;
  for (const config::Member& member : node.find("value").members()) {
    const std::string point(member.name());
    if (named(device->points, point) != device->points.end()) continue;
    complain(member.key, "no point '" + point + "' on device '" + reading.device + "'", device->points);
  }
}

std::vector<Reading> given_readings(const config::Node& node, std::span<const KnownSource> sources,
                                    config::Diagnostics& diagnostics) {
  std::vector<Reading> readings;
  const std::vector<config::Node> items = one_or_many(node);
  if (items.empty() && !node.is_broken()) diagnostics.error(node, "`given` has no reading");
  for (const config::Node& item : items) {
    if (item.is_broken()) continue;
    Reading reading;
    std::string why;
    if (reading_from_value(value_of(item), reading, why)) {
      check_can_come(item, reading, sources, diagnostics);
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
    if (!item.is_map()) {
      diagnostics.error(item, "an error that is expected is written { rule: name, error: part of the reason }");
      continue;
    }
    check_is_a_rule(item.find("rule"), router, diagnostics);
    test.errors.push_back({std::string(item.find("rule").text()), std::string(item.find("error").text())});
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

}  // namespace

TestCount run_rule_tests(const ports::Router& router, const config::Node& tests, config::Diagnostics& diagnostics,
                         std::ostream& out, ShowCoverage show, std::span<const KnownSource> sources) {
  TestCount count;
  std::optional<Coverage> coverage;
  if (const auto* program = dynamic_cast<const Program*>(&router); program && show == ShowCoverage::yes) {
    coverage.emplace(program->compiled());
  }
  if (tests.present() && !tests.is_null() && !tests.is_broken() && !tests.is_list()) {
    diagnostics.error(tests, "`tests` must be a list, not " + std::string(tests.kind_name()),
                      "each test begins with `- name:`");
    ++count.failed;
  }
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
