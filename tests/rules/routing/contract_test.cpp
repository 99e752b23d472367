// What changes for consumers between two configurations, and which rules no test reaches.
#include "rules/routing/contract.h"

#include <doctest/doctest.h>

#include <sstream>

#include "rules/routing/rule_tests.h"
#include "tests/rules/routing/case_support.h"

using namespace railhead;

namespace {

const std::string kHead =
    "sources: { s: { mqtt: { url: mqtt://h } } }\n"
    "sinks: { up: { kafka: { brokers: [ h ] } }, mq: { amqp: { url: amqp://h } } }\n"
    "rules:\n";

std::vector<std::string> changes(const std::string& before, const std::string& now) {
  const auto a = test::build_rules(kHead + before);
  const auto b = test::build_rules(kHead + now);
  CAPTURE(a->diagnostics.render());
  CAPTURE(b->diagnostics.render());
  REQUIRE(a->router);
  REQUIRE(b->router);
  return routing::changes_for_consumers(routing::contract_of(*a->router, a->input.sources),
                                        routing::contract_of(*b->router, b->input.sources));
}

const std::string kBefore =
    "  - { name: a, send: { to: up, topic: \"t.${source}\", key: \"${device}\", body: { n: 1, who: device, in: { deep: "
    "time } } } }\n"
    "  - { name: b, send: { to: mq, routing_key: alarm } }\n";

}  // namespace

TEST_CASE("the same rules, in another order and with other conditions, change nothing for consumers") {
  CHECK(changes(kBefore, kBefore).empty());
  CHECK(
      changes(kBefore,
              "  - { name: b, when: value.x > 1, send: { to: mq, routing_key: alarm } }\n"
              "  - { name: a, send: { to: up, topic: \"t.${source}\", key: \"${device}\", body: { in: { deep: time }, "
              "n: 2, who: device } } }\n")
          .empty());
}

TEST_CASE("a field gone, a field new, a type changed, a key changed: a sentence each") {
  const std::vector<std::string> found = changes(
      kBefore,
      "  - { name: a, send: { to: up, topic: \"t.${source}\", key: null, body: { n: \"'1'\", in: { deep: time }, "
      "more: true } } }\n"
      "  - { name: b, send: { to: mq, routing_key: alarm, format: cbor } }\n");
  CHECK(found == std::vector<std::string>{"mq alarm: the format changes from json to cbor",
                                          "up t.${source}: the key changes from '${device}' to none",
                                          "up t.${source}: field 'n' changes from int to string",
                                          "up t.${source}: field 'who' is gone",
                                          "up t.${source}: field 'more' is new (bool)"});
}

TEST_CASE("a topic renamed, a destination gone and a new one") {
  CHECK(changes(
            kBefore,
            "  - { name: a, send: { to: up, topic: \"u.${source}\", key: \"${device}\", body: { n: 1, who: device, in: "
            "{ deep: time } } } }\n"
            "  - { name: c, send: { to: mq, routing_key: other } }\n") ==
        std::vector<std::string>{"mq alarm: nothing is sent there any more", "up t.${source}: is now up u.${source}",
                                 "mq other: is new"});
}

TEST_CASE("what a closing window or a snapshot sends is covered for its own rule, not for the one that ran last") {
  const auto built = test::build_rules(kHead +
                                       "  - name: w\n"
                                       "    window: { every: 1 min }\n"
                                       "    send:\n"
                                       "      - { to: mq, routing_key: a, body: count() }\n"
                                       "      - { to: mq, routing_key: b, when: count() > 5, body: count() }\n"
                                       "      - { to: mq, routing_key: c, body: count() }\n"
                                       "  - name: s\n"
                                       "    snapshot: { every: 1 min }\n"
                                       "    send: [ { to: mq, routing_key: d }, { to: mq, routing_key: e } ]\n"
                                       "  - { name: last, from: { source: s }, send: { to: mq, routing_key: x } }\n"
                                       "tests:\n"
                                       "  - name: one\n"
                                       "    given: [ { source: s, device: d, value: { n: 1 } } ]\n"
                                       "    expect: [ {}, {}, {}, {}, {} ]\n");
  CAPTURE(built->diagnostics.render());
  REQUIRE(built->router);
  std::ostringstream out;
  (void)routing::run_rule_tests(*built->router, built->document.root().find("tests"), built->diagnostics, out,
                                routing::ShowCoverage::yes);
  CHECK(out.str() ==
        "not covered: rule 'w', send 2 to mq: nothing was sent\n"
        "coverage: rules 3 of 3, sends 5 of 6, branches 1 of 2\n"
        "1 passed, 0 failed\n");
}

TEST_CASE("tests beside the rules compare MessagePack and CBOR bodies as what they say") {
  const auto built =
      test::build_rules(kHead +
                        "  - name: r\n"
                        "    send:\n"
                        "      - { to: up, topic: a, format: cbor, body: { t: value.t } }\n"
                        "      - { to: up, topic: b, format: messagepack }\n"
                        "tests:\n"
                        "  - name: one\n"
                        "    given: [ { source: s, device: d, value: { t: 1.5 } } ]\n"
                        "    expect: [ { content_type: application/cbor, body: { t: 1.5 } },\n"
                        "              { content_type: application/msgpack, body: { value: { t: 2 } } } ]\n");
  built->input.bodies_as_json = true;
  const auto router = routing::build(built->input, built->diagnostics);
  REQUIRE(router);
  std::ostringstream out;
  (void)routing::run_rule_tests(*router, built->document.root().find("tests"), built->diagnostics, out);
  CHECK(out.str().find("record 2 to up: body.value.t\n      expected  2\n      got       1.5\n0 passed, 1 failed\n") !=
        std::string::npos);
  CHECK(out.str().find("record 1") == std::string::npos);
}

TEST_CASE("coverage names the rules, sends and branches that no test reaches") {
  const auto built = test::build_rules(kHead +
                                       "  - name: reached\n"
                                       "    when: value.n > 0\n"
                                       "    send:\n"
                                       "      - { to: mq, routing_key: all }\n"
                                       "      - { to: mq, routing_key: hot, when: value.n > 90 }\n"
                                       "  - { name: never, from: { device: x }, send: { to: mq, routing_key: x } }\n"
                                       "tests:\n"
                                       "  - name: one\n"
                                       "    given: [ { source: s, device: d, value: { n: 1 } } ]\n"
                                       "    expect: [ { to: mq, routing_key: all } ]\n");
  CAPTURE(built->diagnostics.render());
  REQUIRE(built->router);
  std::ostringstream out;
  const routing::TestCount count = routing::run_rule_tests(*built->router, built->document.root().find("tests"),
                                                           built->diagnostics, out, routing::ShowCoverage::yes);
  CHECK(count.passed == 1);
  CHECK_FALSE(count.covered);
  CHECK(out.str() ==
        "not covered: rule 'reached': `when` was never false\n"
        "not covered: rule 'reached', send 2 to mq: nothing was sent\n"
        "not covered: rule 'never': no test's reading is taken by it\n"
        "coverage: rules 1 of 2, sends 1 of 3, branches 2 of 4\n"
        "1 passed, 0 failed\n");
}
