// Source and sink against a broker of another family than mosquitto: HiveMQ CE.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/adapters/mqtt/sink_runner.h"
#include "tests/adapters/mqtt/source_runner.h"
#include "tests/support/hivemq.h"

namespace railhead::mqtt {
namespace {

using namespace std::chrono_literals;
using test::eventually;

std::set<std::int64_t> numbers(const test::CapturingIntake& intake) {
  std::set<std::int64_t> found;
  for (const Reading& reading : intake.readings()) {
    if (const Value* n = reading.value.find("n")) found.insert(n->as_integer());
  }
  return found;
}

std::size_t count_numbers(const test::CapturingIntake& intake) {
  const std::vector<Reading> readings = intake.readings();
  return static_cast<std::size_t>(std::count_if(
      readings.begin(), readings.end(), [](const Reading& reading) { return reading.value.find("n") != nullptr; }));
}

TEST_CASE("HiveMQ: sink to source at QoS 1 and 2 in both versions; a restart loses and repeats nothing") {
  test::HiveMq broker;
  constexpr int kHalf = 200;
  for (const Protocol protocol : {Protocol::v5, Protocol::v3_1_1}) {
    for (const std::uint8_t qos : {std::uint8_t{1}, std::uint8_t{2}}) {
      CAPTURE(int(qos));
      CAPTURE(protocol == Protocol::v5);
      const std::string name = std::to_string(qos) + (protocol == Protocol::v5 ? "v5" : "v3");
      SourceSettings settings = SourceRunner::settings(broker.url(), qos);
      settings.rows[0].pattern = *TopicPattern::parse("plant/" + name + "/{device}");
      settings.session.client_id += name;
      settings.protocol = protocol;
      SourceRunner source(settings);
      REQUIRE(eventually(20s, [&] { return source.connected(); }));
      SinkSettings out = SinkRunner::settings(broker.url(), qos);
      out.client_id += name;
      out.v5 = protocol == Protocol::v5;
      SinkRunner sink(out);
      // Until the subscription stands.
      REQUIRE(eventually(20s, [&] {
        sink.append("plant/" + name + "/pump", "{}");
        return eventually(200ms, [&] { return source.intake.size() > 0; });
      }));
      const auto publish = [&](int from) {
        for (int n = from; n < from + kHalf; ++n) {
          sink.append("plant/" + name + "/pump", "{\"n\":" + std::to_string(n) + "}");
        }
        return sink.done();
      };
      REQUIRE(publish(0));
      REQUIRE(eventually(20s, [&] { return numbers(source.intake).size() == kHalf; }));
      const bool restarts = qos == 2 && protocol == Protocol::v5;
      if (restarts) {
        // What is published while nobody listens waits for the session, over the restart too.
        source.stop();
        REQUIRE(publish(kHalf));
        sink.stop();
        broker.stop();
        broker.start();
        source.start(settings);
      } else {
        REQUIRE(publish(kHalf));
      }
      CHECK(eventually(20s, [&] { return numbers(source.intake).size() == 2 * kHalf; }));
      CHECK(count_numbers(source.intake) == 2 * kHalf);
      if (qos == 2) CHECK(eventually(10s, [&] { return source.intake.open_count() == 0; }));
    }
  }
}

}  // namespace
}  // namespace railhead::mqtt
