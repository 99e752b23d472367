#include "gateway/config/gateway_options.h"

#include <doctest/doctest.h>

namespace railhead::config {
namespace {

TEST_CASE("the top level of a configuration") {
  Diagnostics diagnostics;
  const Document document = Document::parse(
      "version: 1\n"
      "gateway: plant-7\n"
      "labels: { site: north, line: 3 }\n"
      "spool: { path: spool, limit: 1 GiB, age: 30 d, when_full: block, commit: 0 }\n"
      "sources: { a: { modbus: {} } }\n"
      "sinks: { b: { kafka: {} } }\n"
      "rules: [ { name: r } ]\n"
      "dead_letters: { to: b, topic: 'dead.${gateway}' }\n"
      "panel: { http: '[::1]:8620', led: { kind: sysfs, green: 'green:status', red: 'red:fault', root: /leds } }\n"
      "control: { socket: control.sock }\n"
      "clock: { trust: rtc }\n",
      "etc/railhead.yaml", diagnostics);
  const GatewayOptions options = read_gateway(document, diagnostics);
  CHECK(diagnostics.render() == "");
  CHECK(options.gateway.value == "plant-7");
  CHECK(options.labels.at("line") == "3");
  CHECK(options.spool.path == "etc/spool");
  CHECK(options.spool.limit == ByteSize{std::uint64_t{1} << 30});
  CHECK(options.spool.when_full == WhenFull::block);
  CHECK(options.spool.commit == Duration{});
  CHECK(options.spool.age == std::chrono::hours{24 * 30});
  CHECK_FALSE(options.spool.keep_free);
  CHECK(options.sources.find("a").find("modbus").is_map());
  CHECK(options.rules.items().size() == 1);
  REQUIRE(options.dead_letters.to);
  CHECK(options.dead_letters.to->value == "b");
  REQUIRE(options.panel.http);
  CHECK(options.panel.http->value == "[::1]:8620");
  CHECK(options.panel.led.kind == LedKind::sysfs);
  CHECK(options.panel.led.red == "red:fault");
  CHECK(options.panel.led.root == "/leds");
  CHECK(options.control.socket == "etc/control.sock");
  CHECK(options.clock.trust == ClockTrust::rtc);
}

TEST_CASE("defaults are what the documentation says") {
  Diagnostics diagnostics;
  const Document document = Document::parse("version: 1\ngateway: g\n", "c.yaml", diagnostics);
  const GatewayOptions options = read_gateway(document, diagnostics);
  CHECK(diagnostics.render() == "");
  CHECK(options.spool.path == "/var/lib/railhead/spool");
  CHECK(options.spool.limit == ByteSize{std::uint64_t{2} << 30});
  CHECK(options.spool.commit == std::chrono::milliseconds{10});
  CHECK(options.spool.when_full == WhenFull::drop_oldest);
  CHECK(options.dead_letters.limit == ByteSize{std::uint64_t{64} << 20});
  CHECK_FALSE(options.dead_letters.to);
  CHECK(options.panel.led.kind == LedKind::none);
  CHECK_FALSE(options.sources.present());
}

// Error paths

TEST_CASE("version and gateway are due, an empty file is said to be empty") {
  const auto said = [](std::string_view text) {
    Diagnostics diagnostics;
    const Document document = Document::parse(text, "c.yaml", diagnostics);
    static_cast<void>(read_gateway(document, diagnostics));
    return diagnostics.render();
  };
  CHECK(said("") == "error: the configuration is empty\n");
  CHECK(said("# nothing\n") == "error: the configuration is empty\n");
  CHECK(said("gateway: g").find("c.yaml:1:1: error: the configuration needs the field 'version'") == 0);
  CHECK(said("version: 1").find("c.yaml:1:1: error: the configuration needs the field 'gateway'") == 0);
  CHECK(said("version: 0\ngateway: g").find("version 0 is not known") != std::string::npos);
  CHECK(said("version: 1\ngateway: g\nsources: { railhead: {} }").find("3:12: error: the source 'railhead'") !=
        std::string::npos);
  CHECK(said("version: 1\ngateway: g\nlabels: { a-b: 1 }").find("3:11: error: labels: a label's name") !=
        std::string::npos);
  CHECK(said("version: 1\ngateway: g\nspool: [1").find("3:8: error: this '[' is not closed") != std::string::npos);
}

}  // namespace
}  // namespace railhead::config
