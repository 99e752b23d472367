#include "rules/routing/routing.h"

#include <doctest/doctest.h>

#include "gateway/config/reference.h"
#include "rules/routing/rule_memory.h"
#include "tests/rules/routing/case_support.h"
#include "tests/support/capturing_reporter.h"

using namespace railhead;
using ports::Verdict;

namespace {

constexpr std::string_view kWorld = R"(
sources:
  s: { mqtt: {} }
  m: { modbus: { devices: { d: { points: { t: {}, p: {} } } } } }
sinks:
  audit: { file: {} }
  kafka: { kafka: {} }
)";

Reading reading(std::string device, Value value) {
  Reading out;
  out.source = "s";
  out.device = std::move(device);
  out.time = *parse_rfc3339("2026-01-01T00:00:00Z");
  out.value = std::move(value);
  return out;
}

struct Rules {
  explicit Rules(const std::string& rules)
      : built(test::build_rules(std::string(kWorld) + rules, "railhead.yaml", &reporter)) {
    INFO(built->diagnostics.render());
    REQUIRE(built->router != nullptr);
    state = built->router->open();
  }
  const ports::Routed& route(const Reading& one, Duration at = {}) {
    state->route(one, BootTime{at}, routed);
    return routed;
  }
  test::CapturingReporter reporter;
  std::unique_ptr<test::Built> built;
  std::unique_ptr<ports::RuleState> state;
  ports::Routed routed;
};

}  // namespace

TEST_CASE("the verdict is the first of S14 that applies") {
  Rules rules(R"(
rules:
  - { name: sends, from: { source: s, device: [ a, all ] }, send: { to: audit } }
  - { name: fails, from: { source: s, device: [ b, c, all ] }, send: { to: audit, body: value.x } }
  - { name: drops, from: { source: s, device: [ c, d, e, all ] }, on_error: drop, send: { to: audit, body: value.x } }
  - { name: filters, from: { source: s, device: [ e, f, all ] }, when: value == 1, send: { to: audit } }
  - { name: no send is due, from: { source: s, device: g }, send: { to: audit, when: "false || value == 1" } }
)");
  const auto verdict = [&](const char* device) { return rules.route(reading(device, Value::integer(2))).verdict; };
  CHECK(verdict("a") == Verdict::routed);
  CHECK(verdict("all") == Verdict::routed);
  CHECK(rules.routed.records.size() == 1);
  CHECK(rules.routed.set_aside.size() == 1);
  CHECK(verdict("b") == Verdict::set_aside);
  CHECK(verdict("c") == Verdict::set_aside);
  CHECK(verdict("d") == Verdict::dropped);
  CHECK(verdict("e") == Verdict::dropped);
  CHECK(verdict("f") == Verdict::filtered);
  CHECK(verdict("g") == Verdict::filtered);
  CHECK(verdict("nobody") == Verdict::unrouted);
}

TEST_CASE("a record carries what its reading was") {
  Rules rules("rules: [ { name: r, from: { source: s }, send: { to: audit, ttl: 2 s, priority: high, type: t } } ]");
  Reading one = reading("d", Value::integer(1));
  one.quality = Quality::uncertain;
  one.clock_trusted = false;
  one.maybe_repeat = true;
  REQUIRE(rules.route(one).records.size() == 1);
  const Record record = rules.routed.records.at(0);
  CHECK(record.sink == "audit");
  CHECK(record.flags == (kMaybeRepeat | kClockUnsynced));
  CHECK(record.quality == "uncertain");
  CHECK(record.source == "s");
  CHECK(record.device == "d");
  CHECK(record.time == one.time);
  CHECK(record.ttl == std::chrono::seconds(2));
  CHECK(record.priority == Priority::high);
  CHECK(record.type == "t");
  CHECK(record.key == "s/d");
  CHECK(record.content_type == "application/json");
  CHECK(record.body == canonical_json(one, "plant-7"));
  REQUIRE(rules.route(reading("d", Value::integer(1))).records.size() == 1);
  CHECK(rules.routed.records.at(0).flags == 0);
  CHECK(rules.routed.records.at(0).quality.empty());
  CHECK_FALSE(rules.routed.records.at(0).token);
}

TEST_CASE("what on_error drops or passes is reported, what it sets aside is in the result") {
  Rules rules(R"(
rules:
  - { name: drops, from: { source: s, device: a }, on_error: drop, send: { to: audit, body: value.x } }
  - { name: passes, from: { source: s, device: b }, on_error: pass, send: { to: audit, body: value.x } }
  - { name: sets aside, from: { source: s, device: c }, send: { to: audit, body: value.x } }
)");
  rules.route(reading("a", Value::map({})));
  CHECK(rules.reporter.count(status::Event::rule_failed) == 1);
  rules.route(reading("b", Value::map({})));
  CHECK(rules.reporter.count(status::Event::rule_failed) == 2);
  CHECK(rules.routed.records.size() == 1);
  rules.route(reading("c", Value::map({})));
  CHECK(rules.reporter.count(status::Event::rule_failed) == 2);
  REQUIRE(rules.routed.set_aside.size() == 1);
  CHECK(rules.routed.set_aside[0].rule == "sets aside");
}

TEST_CASE("more devices than are remembered are routed alike, and each time again") {
  Rules rules(R"(
rules:
  - { name: odd, from: { source: s, device: "*1" }, send: { to: audit, body: 1 } }
  - { name: one, from: { source: s, device: d7 }, send: { to: audit, body: 2 } }
)");
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 25'000; ++i) {
      const std::string device = "d" + std::to_string(i);
      const bool routed = rules.route(reading(device, Value{})).verdict == Verdict::routed;
      if (routed != (i % 10 == 1 || i == 7)) FAIL(device);
    }
  }
}

TEST_CASE("final stops behind a rule that took the reading, also if its send failed, but not if its when did") {
  Rules rules(R"(
rules:
  - { name: send fails, final: true, from: { source: s, device: a }, send: { to: audit, body: value.x } }
  - { name: when fails, final: true, from: { source: s, device: b }, when: value.x, send: { to: audit } }
  - { name: no send is due, final: true, from: { source: s, device: c }, send: { to: audit, when: device == 'x' } }
  - { name: the rest, from: { source: s }, send: { to: audit } }
)");
  CHECK(rules.route(reading("a", Value::map({}))).records.empty());
  CHECK(rules.route(reading("b", Value::map({}))).records.size() == 1);
  CHECK(rules.routed.set_aside.size() == 1);
  CHECK(rules.route(reading("c", Value::map({}))).records.size() == 1);
}

TEST_CASE("a sender that begins afresh lets go all that waited, however much that is, and is told once") {
  Rules rules(R"(
rules:
  - { name: r, on_change: { value.n: 0 }, expect_sequence: { number: value.n, by: "'all'", reorder: { wait: 1 h, limit: 1000 } }, send: { to: audit, body: value.n } }
)");
  const auto number = [](std::int64_t n) {
    return reading("d" + std::to_string(n), Value::map({{Value::text("n"), Value::integer(n)}}));
  };
  rules.route(number(100));
  for (std::int64_t n = 102; n < 700; ++n) CHECK(rules.route(number(n)).verdict == Verdict::absorbed);
  const ports::Routed& routed = rules.route(number(0));
  CHECK(routed.before.size() == 598);
  CHECK(routed.records.size() == 1);
  CHECK(rules.reporter.count(status::Event::sequence_restarted) == 1);
  CHECK(rules.reporter.count(status::Event::sequence_gap) == 1);
  rules.route(number(1));
  CHECK(rules.routed.records.size() == 1);
  CHECK(rules.routed.after.empty());
  CHECK(rules.reporter.count(status::Event::sequence_restarted) == 1);
  CHECK(rules.reporter.count(status::Event::sequence_gap) == 1);
}

TEST_CASE("days of a zone begin and end at its midnights, where clocks leave one out and where one comes twice, too") {
  struct Row {
    const char* zone;
    const char* at;
    const char* start;
    const char* end;
  };
  // By the zones' rules in the tz database, worked out by hand. Years ago: countries change what is to come.
  const Row rows[] = {
      {"Europe/Berlin", "2021-03-28T12:00:00Z", "2021-03-27T23:00:00Z", "2021-03-28T22:00:00Z"},
      {"Europe/Berlin", "2021-10-31T12:00:00Z", "2021-10-30T22:00:00Z", "2021-10-31T23:00:00Z"},
      {"Europe/Berlin", "2021-06-01T22:00:00Z", "2021-06-01T22:00:00Z", "2021-06-02T22:00:00Z"},
      // 00:00 becomes 01:00: the day begins at 01:00.
      {"America/Santiago", "2021-09-05T12:00:00Z", "2021-09-05T04:00:00Z", "2021-09-06T03:00:00Z"},
      {"America/Santiago", "2021-09-05T04:00:00Z", "2021-09-05T04:00:00Z", "2021-09-06T03:00:00Z"},
      {"America/Santiago", "2021-09-05T03:59:59Z", "2021-09-04T04:00:00Z", "2021-09-05T04:00:00Z"},
      {"America/Havana", "2021-03-14T05:30:00Z", "2021-03-14T05:00:00Z", "2021-03-15T04:00:00Z"},
      {"America/Havana", "2021-03-14T04:30:00Z", "2021-03-13T05:00:00Z", "2021-03-14T05:00:00Z"},
      // 24:00 becomes 23:00: the last hour comes twice and belongs to the day.
      {"America/Santiago", "2021-04-04T03:30:00Z", "2021-04-03T03:00:00Z", "2021-04-04T04:00:00Z"},
      // 01:00 becomes 00:00: of a midnight that comes twice the first.
      {"Asia/Amman", "2021-10-28T21:30:00Z", "2021-10-28T21:00:00Z", "2021-10-29T22:00:00Z"},
      {"Asia/Amman", "2021-10-28T22:30:00Z", "2021-10-28T21:00:00Z", "2021-10-29T22:00:00Z"},
      {"America/Havana", "2021-11-07T05:30:00Z", "2021-11-07T04:00:00Z", "2021-11-08T05:00:00Z"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.zone);
    CAPTURE(row.at);
    const routing::Span span = routing::span_of(*parse_rfc3339(row.at), std::chrono::hours{24}, row.zone);
    CHECK(to_rfc3339(span.start) == row.start);
    CHECK(to_rfc3339(span.end) == row.end);
  }
}

TEST_CASE("a reload that changes the rule sends what its snapshot has heard, and one that does not keeps it") {
  const std::string rule = "rules: [ { name: r, from: { source: s }, snapshot: { every: 10 min }, send: { to: audit ";
  Rules before(rule + "} } ]");
  before.route(reading("a", Value::map({{Value::text("x"), Value::integer(1)}})));
  before.route(reading("a", Value::map({{Value::text("y"), Value::integer(2)}})));
  std::vector<ports::Group> left;
  Rules same(rule + "} } ]");
  same.state->take_over(*before.state, BootTime{}, left);
  CHECK(left.empty());
  Rules changed(rule + ", priority: high } } ]");
  changed.state->take_over(*same.state, BootTime{}, left);
  REQUIRE(left.size() == 1);
  REQUIRE(left[0].records.size() == 1);
  const Record record = left[0].records.at(0);
  CHECK(record.priority == Priority::normal);  // of the old rule
  CHECK(record.device == "a");
  CHECK(record.body.find(R"("value":{"x":1,"y":2})") != std::string::npos);
  CHECK_FALSE(left[0].state.empty());
  // Sent once: nothing is left of it.
  std::vector<ports::Group> more;
  changed.state->end(BootTime{}, more);
  CHECK(more.empty());
}

TEST_CASE("states of several threads share nothing but the rules") {
  Rules rules("rules: [ { name: r, from: { source: s }, throttle: 10 s, send: { to: audit } } ]");
  const auto other = rules.built->router->open();
  ports::Routed routed;
  CHECK(rules.route(reading("d", Value{})).verdict == Verdict::routed);
  CHECK(rules.route(reading("d", Value{})).verdict == Verdict::filtered);
  other->route(reading("d", Value{}), BootTime{}, routed);
  CHECK(routed.verdict == Verdict::routed);
}

TEST_CASE("the router outlives the configuration it was built from") {
  Rules rules(
      "rules: [ { name: r, from: { source: s }, send: { to: audit, key: \"k.${device}\", body: { a: labels } } } ]");
  rules.built->document = config::Document{};
  CHECK(rules.route(reading("d", Value{})).records.at(0).key == "k.d");
}

TEST_CASE("no rules: every reading is unrouted") {
  Rules rules("");
  CHECK(rules.route(reading("d", Value{})).verdict == Verdict::unrouted);
  Rules empty("rules:\n");
  CHECK(empty.route(reading("d", Value{})).verdict == Verdict::unrouted);
}

TEST_CASE("let is computed once and only when used") {
  // A let that would fail is harmless while nothing reads it; one that is read three times fails three times alike.
  Rules rules(R"(
rules:
  - name: r
    from: { source: s }
    let: { broken: value.missing, sum: value.a + 1, twice: sum * 2 }
    send: { to: audit, body: [ sum, twice, "twice + sum", "value.a > 5 ? broken : 0" ] }
)");
  CHECK(rules.route(reading("d", Value::map({{Value::text("a"), Value::integer(2)}}))).records.at(0).body ==
        "[3,6,9,0]");
  REQUIRE(rules.route(reading("d", Value::map({{Value::text("a"), Value::integer(7)}}))).set_aside.size() == 1);
  CHECK(rules.routed.set_aside[0].reason.find("let broken") != std::string::npos);
}

TEST_CASE("the fields of rules, tables and tests are in the reference and the schema") {
  config::Reference reference;
  routing::describe(reference);
  for (const char* name : {"on_error", "routing_key", "at_least_every", "topic", "types", "given"}) {
    CAPTURE(name);
    CHECK(reference.markdown().find(name) != std::string::npos);
  }
  CHECK(reference.schema().find("\"routing_key\"") != std::string::npos);
}

TEST_CASE("one rule alone takes what it would take, whatever the others are; a window owes something at once") {
  Rules rules(R"(
rules:
  - { name: first, from: { source: s }, final: true, send: { to: audit, body: 1 } }
  - { name: mean, from: { source: s }, window: { every: 1 min }, send: { to: audit, body: mean(value) } }
  - { name: one, from: { source: s }, dedup: { by: value, for: 1 h }, send: { to: audit, body: value } }
  - { name: m, from: { source: m }, send: { to: audit } }
)");
  const auto alone = [&](const char* rule) {
    rules.state = rules.built->router->open_one(rule);
    REQUIRE(rules.state != nullptr);
    return rules.route(reading("d", Value::integer(7))).verdict;
  };
  CHECK(rules.built->router->open_one("none") == nullptr);
  CHECK(alone("one") == Verdict::routed);
  REQUIRE(rules.routed.records.size() == 1);
  CHECK(rules.routed.records.at(0).body == "7");
  CHECK_FALSE(rules.state->next_due());
  CHECK(alone("first") == Verdict::routed);
  CHECK(alone("mean") == Verdict::absorbed);
  CHECK(rules.state->next_due());
  CHECK(alone("m") == Verdict::unrouted);
}

// Error paths

TEST_CASE("a section of the wrong shape is a diagnostic, never a crash") {
  for (const char* rules : {"rules: 3", "rules: { a: 1 }", "rules: [ 3 ]", "rules: [ [ ] ]", "rules: [ { name: [ ] } ]",
                            "rules: [ { name: a, let: 3, send: 3 } ]", "rules: [ { name: a, send: [ [ ] ] } ]",
                            "rules: [ { name: a, from: [ [ ] ], send: { to: [ ] } } ]", "tables: 3", "tables: { a: 3 }",
                            "rules: [ { name: a, on_change: 3, send: { to: audit, headers: 3 } } ]",
                            "rules: [ { name: a, send: [] } ]", "rules: [ { name: a, send: } ]"}) {
    CAPTURE(rules);
    const auto built = test::build_rules(std::string(kWorld) + rules);
    CHECK(built->router == nullptr);
    CHECK(built->diagnostics.has_errors());
  }
}

TEST_CASE("bounds: lets and depth of a body") {
  std::string lets = "rules: [ { name: a, from: { source: s }, send: { to: audit }, let: { ";
  for (int i = 0; i < 65; ++i) lets += "v" + std::to_string(i) + ": 1, ";
  const auto many = test::build_rules(std::string(kWorld) + lets + "} } ]");
  CHECK(many->diagnostics.render().find("more than 64 lets") != std::string::npos);
  const std::string deep = std::string(40, '[') + "1" + std::string(40, ']');
  const auto nested = test::build_rules(
      std::string(kWorld) + "rules: [ { name: a, from: { source: s }, send: { to: audit, body: " + deep + " } } ]");
  CHECK(nested->diagnostics.render().find("32 levels") != std::string::npos);
}

TEST_CASE("lets that double each other end in an error, in bounded time and memory") {
  for (const char* const doubled : {"x + x", "[x, x]", "{'a': x, 'b': x}", "x.map(e, x)", "'%s%s'.format([x, x])"}) {
    const std::string form = doubled;
    std::string rules = "rules:\n  - name: r\n    from: { source: s }\n    let:\n      l0: \"" +
                        std::string(form.front() == '\'' ? "'laugh'" : "[1, 2]") + "\"\n";
    constexpr int kLets = 60;
    for (int i = 1; i < kLets; ++i) {
      std::string whole;
      for (std::size_t at = 0; at < form.size(); ++at) {
        whole += form[at] == 'x' ? "l" + std::to_string(i - 1) : form.substr(at, 1);
      }
      rules += "      l" + std::to_string(i) + ": \"" + whole + "\"\n";
    }
    rules += "    send: { to: audit, body: { all: l" + std::to_string(kLets - 1) + " } }\n";
    CAPTURE(rules);
    Rules built(rules);
    CHECK(built.route(reading("d", Value::integer(1))).verdict == Verdict::set_aside);
    REQUIRE(built.routed.set_aside.size() == 1);
    const std::string& why = built.routed.set_aside[0].reason;
    CAPTURE(why);
    CHECK((why.find("too much work") != std::string::npos || why.find("too large") != std::string::npos));
  }
}

TEST_CASE("a chain of lets as long as allowed is computed") {
  std::string lets = "rules: [ { name: a, from: { source: s }, send: { to: audit, body: v63 }, let: { v0: value, ";
  for (int i = 1; i < 64; ++i) lets += "v" + std::to_string(i) + ": v" + std::to_string(i - 1) + " + 1, ";
  Rules rules(lets + "} } ]");
  CHECK(rules.route(reading("d", Value::integer(1))).records.at(0).body == "64");
}
