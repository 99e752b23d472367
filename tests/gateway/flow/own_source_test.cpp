// The gateway as a source (S25).
#include "gateway/flow/own_source.h"

#include <doctest/doctest.h>

#include <thread>

#include "gateway/message/json.h"
#include "tests/support/capturing_intake.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/manual_clock.h"
#include "tests/support/process.h"

namespace railhead::flow {
namespace {

using namespace std::chrono_literals;
using status::Event;
using test::eventually;

// Events are told as the log tells them.
struct Box {
  explicit Box(OwnSource::Options options = {.gateway = "plant-7", .counters = Duration::zero(), .status_document = {}})
      : source(std::move(options), clock, reporter, link) {}
  ~Box() { stop(); }
  void start() {
    thread = std::jthread([this](const std::stop_token& stop) { source.run(intake, stop); });
  }
  void stop() {
    thread.request_stop();
    if (thread.joinable()) thread.join();
  }
  std::size_t count() const { return intake.size(); }
  std::string value(std::size_t at) const { return to_json(intake.readings().at(at).value); }

  test::ManualClock clock;
  test::CapturingReporter reporter;
  status::LinkStatus link;
  test::CapturingIntake intake;
  OwnSource source;
  std::jthread thread;
};

}  // namespace

TEST_CASE("an event becomes a reading of the source railhead, with its fields, also one from before the start") {
  Box box;
  box.source.on_event(Event::device_down, {{"source", "boiler-house"}, {"device", "pump"}, {"level", "mine"}});
  box.start();
  REQUIRE(eventually(5s, [&] { return box.count() == 1; }));
  box.source.on_event(Event::started, {});
  REQUIRE(eventually(5s, [&] { return box.count() == 2; }));
  const Reading reading = box.intake.readings().front();
  CHECK(reading.source == "railhead");
  CHECK(reading.device == "plant-7");
  CHECK(reading.quality == Quality::good);
  CHECK(reading.time == box.clock.now());
  CHECK(
      box.value(0) ==
      R"({"event":"device_down","level":"warning","text":"device does not answer",)"
      R"("action":"check power, address and wiring; the other devices go on","source":"boiler-house","device":"pump"})");
  CHECK(box.value(1) == R"({"event":"started","level":"info","text":"railhead is running"})");
}

TEST_CASE("each outcome of a command becomes a reading, however many there are in a minute") {
  Box box;
  box.start();
  constexpr std::size_t kOutcomes = 5 * OwnSource::kEventsPerMinute;
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    box.source.on_event(Event::modbus_command_done, {{"correlation", std::to_string(i)}});
    box.source.on_event(Event::modbus_command_refused, {{"correlation", std::to_string(i)}});
    REQUIRE(eventually(5s, [&] { return box.count() == 2 * (i + 1); }));
  }
}

TEST_CASE("only events of the least level and above become readings") {
  Box box({.gateway = "g", .least = status::Level::error, .counters = Duration::zero(), .status_document = {}});
  box.source.on_event(Event::started, {});
  box.source.on_event(Event::device_down, {});
  box.source.on_event(Event::disk_failed, {});
  box.start();
  box.stop();
  REQUIRE(box.count() == 1);
  CHECK(box.intake.readings()[0].value.find("event")->as_text() == "disk_failed");
}

TEST_CASE("what an own reading causes within the intake, and what names the source railhead, makes no reading") {
  // An intake whose rules fail on each reading and say so.
  class Failing final : public ports::Intake {
   public:
    explicit Failing(Box& box) : box_(box) {}
    Result<ports::Ticket> offer(std::span<const Reading> batch) override {
      for (std::size_t i = 0; i < batch.size(); ++i) box_.source.on_event(Event::rule_failed, {{"rule", "x"}});
      return box_.intake.offer(batch);
    }
    Result<ports::Ticket> refuse(const ports::RawInput& raw, const Error& why) override {
      return box_.intake.refuse(raw, why);
    }
    void ignored(std::uint64_t) override {}
    void repeated(std::uint64_t) override {}
    ports::Ticket durable() const override { return box_.intake.durable(); }
    int durable_fd() const override { return box_.intake.durable_fd(); }
    std::optional<BootTime> next_due() const override { return std::nullopt; }
    ports::Deliveries& deliveries() override { return box_.intake.deliveries(); }

   private:
    Box& box_;
  };
  Box box;
  Failing failing(box);
  box.source.on_event(Event::started, {});
  box.source.on_event(Event::dead_letter, {{"source", "railhead"}, {"reason", "refused"}});
  const std::stop_source stopped;
  std::jthread thread([&](const std::stop_token& stop) { box.source.run(failing, stop); });
  REQUIRE(eventually(5s, [&] { return box.count() >= 1; }));
  thread.request_stop();
  thread.join();
  CHECK(box.count() == 1);
}

TEST_CASE("a sink that refuses each record of a reading about itself makes a bounded number of them, all counted") {
  Box box;
  box.start();
  // Each reading's record is refused, on the sink's thread: the event of that makes the next reading.
  box.source.on_event(Event::sink_refused, {{"sink", "out"}});
  std::size_t seen = 0;
  while (seen < OwnSource::kEventsPerMinute) {
    ++seen;
    REQUIRE(eventually(5s, [&] { return box.count() == seen; }));
    box.source.on_event(Event::sink_refused, {{"sink", "out"}});
  }
  for (int i = 0; i < 9; ++i) box.source.on_event(Event::sink_refused, {{"sink", "out"}});
  // Another kind has its own share.
  box.source.on_event(Event::sink_lost, {});
  REQUIRE(eventually(5s, [&] { return box.count() == seen + 1; }));
  box.clock.advance(61s);
  box.source.on_event(Event::sink_refused, {{"sink", "out"}});
  REQUIRE(eventually(5s, [&] { return box.count() == seen + 2; }));
  CHECK(*box.intake.readings().back().value.find("left_out") == Value::uinteger(10));
  CHECK(eventually(5s, [&] { return box.reporter.count(Event::own_readings_left_out) == 1; }));
}

TEST_CASE("while the spool takes nothing the newest readings wait, the rest is counted") {
  Box box;
  box.intake.fail_with(Errc::full);
  box.start();
  std::size_t given = 0;
  for (std::size_t kind = 0; kind < status::kEvents.size() && given < 1500; ++kind) {
    for (std::uint32_t i = 0; i < OwnSource::kEventsPerMinute && given < 1500; ++i, ++given) {
      box.source.on_event(static_cast<Event>(kind), {{"n", std::to_string(given)}});
    }
  }
  REQUIRE(given == 1500);
  CHECK(box.count() == 0);
  box.intake.fail_with(std::nullopt);
  REQUIRE(eventually(5s, [&] { return box.count() >= OwnSource::kQueueMax; }));
  box.stop();
  CHECK(box.count() <= OwnSource::kQueueMax + 100);  // a batch may have been on its way
  CHECK(box.intake.readings().back().value.find("n")->as_text() == "1499");
}

TEST_CASE("counters become a reading once an interval, without the list of events") {
  Box box({.gateway = "g", .counters = 1min, .status_document = [] {
             return std::string(R"({"gateway":"g","readings":{"in":7},"events":[{"event":"started"}]})");
           }});
  box.start();
  REQUIRE(eventually(5s, [&] { return box.link.last_progress() == box.clock.boot_now(); }));
  box.clock.advance(61s);
  REQUIRE(eventually(5s, [&] { return box.count() == 1; }));
  CHECK(box.value(0) == R"({"event":"counters","level":"info","gateway":"g","readings":{"in":7}})");
  const auto turn_after = [&](Duration time) {
    box.clock.advance(time);
    REQUIRE(eventually(5s, [&] { return box.link.last_progress() == box.clock.boot_now(); }));
    return box.count();
  };
  CHECK(turn_after(30s) == 1);
  CHECK(turn_after(200s) == 2);  // a stall is made up for once
  CHECK(turn_after(59s) == 2);
  CHECK(turn_after(1s) == 3);
}

}  // namespace railhead::flow
