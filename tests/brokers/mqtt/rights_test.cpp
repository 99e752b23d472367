// What a real mosquitto refuses for want of rights.
#include <doctest/doctest.h>

#include "tests/adapters/mqtt/sink_runner.h"
#include "tests/adapters/mqtt/source_runner.h"
#include "tests/support/mosquitto.h"

namespace railhead::mqtt {
namespace {

using namespace std::chrono_literals;
using status::Event;
using status::LinkStatus;
using test::eventually;

TEST_CASE("what the broker's rights refuse is told and set aside; what they allow goes on beside it") {
  test::Mosquitto::Options options;
  options.allowed = "plant/open/#";
  const test::Mosquitto broker(options);
  for (const Protocol protocol : {Protocol::v5, Protocol::v3_1_1}) {
    CAPTURE(int(protocol));
    SourceSettings settings = SourceRunner::settings(broker.url(), 1, "plant/open/{device}");
    settings.rows.push_back({*TopicPattern::parse("plant/closed/{device}"), PayloadFormat::json, {}});
    settings.qos.push_back(1);
    settings.protocol = protocol;
    SourceRunner source(settings);
    CHECK(eventually(10s, [&] { return source.reporter.count(Event::subscription_refused) == 1; }));
    CHECK(eventually(10s, [&] { return source.link.state() == LinkStatus::State::degraded; }));
    CHECK(source.link.why().find("plant/closed/+") != std::string::npos);

    SinkRunner sink(SinkRunner::settings(broker.url()));  // MQTT 5: at 3.1.1 a broker cannot say so
    sink.append("plant/closed/pump", "1");
    sink.append("plant/open/pump", "2");
    CHECK(sink.done());
    CHECK(sink.outlet.settled() == 1);
    REQUIRE(sink.outlet.aside().size() == 1);
    CHECK(sink.outlet.aside().begin()->second.find("not authorized (0x87)") != std::string::npos);
    CHECK(sink.link.state() == LinkStatus::State::up);
    REQUIRE(source.reaches(1));
    CHECK(source.intake.readings()[0].device == "pump");
  }
}

}  // namespace
}  // namespace railhead::mqtt
