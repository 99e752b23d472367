#include "gateway/status/log.h"

#include <doctest/doctest.h>

#include <sstream>
#include <thread>

#include "gateway/base/text.h"
#include "tests/support/manual_clock.h"

namespace railhead::status {
namespace {

using std::chrono::seconds;

struct LogHarness {
  test::ManualClock clock;
  std::ostringstream out;
  Log log;

  explicit LogHarness(LogOptions options = {}) : log(clock, with(options, out)) {}
  static LogOptions with(LogOptions options, std::ostream& to) {
    options.to = &to;
    return options;
  }
  void lose(const std::string& sink) { log.report(Event::sink_lost, {{"sink", sink}, {"error", "timed out"}}); }
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    const std::string text = out.str();
    for (const std::string_view line : base::split(text, '\n')) {
      if (!line.empty()) all.emplace_back(line);
    }
    return all;
  }
};

TEST_CASE("a line has time, level, event, fields, sentence and what to do") {
  LogHarness harness;
  harness.lose("plant-kafka");
  CHECK(harness.out.str() ==
        "2026-06-01T00:00:00.000Z warning sink_lost sink=plant-kafka error=\"timed out\": sink lost its connection: "
        "records wait in the spool; check the upstream; it is tried again by itself\n");
}

TEST_CASE("an event without an action ends with its sentence") {
  LogHarness harness;
  harness.log.report(Event::started, {});
  CHECK(harness.lines().at(0) == "2026-06-01T00:00:00.000Z info started: railhead is running");
}

TEST_CASE("a field cannot break the line") {
  LogHarness harness;
  harness.log.report(Event::payload_refused, {{"payload", "a\nb\t\"c\"\\\x01"}, {"empty", ""}, {"eq", "a=b"}});
  REQUIRE(harness.lines().size() == 1);
  CHECK(harness.out.str().find(R"(payload="a\nb\x09\"c\"\\\x01" empty="" eq="a=b":)") != std::string::npos);
}

TEST_CASE("a long field is cut at a character") {
  LogHarness harness;
  std::string long_value;
  while (long_value.size() < Log::kFieldBytesMax + 1) long_value += "\xe2\x82\xac";  // three bytes a character
  harness.log.report(Event::payload_refused, {{"payload", long_value}});
  const std::string line = harness.out.str();
  CHECK(line.find("\xe2\x82\xac...:") != std::string::npos);
  CHECK(line.size() < Log::kFieldBytesMax + 200);
}

TEST_CASE("JSON lines hold the same and stay valid with bytes that are no text") {
  LogHarness harness({.format = LogFormat::json});
  harness.log.report(Event::payload_refused, {{"payload", "\xff\"\n"}});
  CHECK(harness.lines().at(0) ==
        R"({"time":"2026-06-01T00:00:00.000Z","level":"warning","event":"payload_refused","fields":{"payload":")"
        "\xef\xbf\xbd"
        R"(\"\n"},"sentence":"a payload could not be read and was set aside","action":"railhead dead show has the )"
        R"(bytes; check payload: in the subscription"})");
}

TEST_CASE("under the journal a line begins with its severity") {
  LogHarness harness({.severity_prefix = true});
  harness.log.report(Event::started, {});
  harness.lose("a");
  harness.log.report(Event::disk_failed, {});
  const auto lines = harness.lines();
  CHECK(lines.at(0).starts_with("<6>2026"));
  CHECK(lines.at(1).starts_with("<4>2026"));
  CHECK(lines.at(2).starts_with("<3>2026"));
}

TEST_CASE("a repetition is written once, counted, and said once a window") {
  LogHarness harness;
  for (int i = 0; i < 18; ++i) harness.lose("plant-kafka");
  CHECK(harness.lines().size() == 1);
  CHECK(harness.log.count(Event::sink_lost) == 18);
  harness.log.tick();
  CHECK(harness.lines().size() == 1);
  harness.clock.advance(seconds{60});
  harness.log.tick();
  REQUIRE(harness.lines().size() == 2);
  CHECK(harness.lines()[1] ==
        "2026-06-01T00:01:00.000Z warning sink_lost sink=plant-kafka error=\"timed out\": repeated 17 times in the "
        "last 1 min");
  harness.lose("plant-kafka");  // still the same trouble: counted, not written
  CHECK(harness.lines().size() == 2);
  harness.clock.advance(seconds{60});
  harness.log.tick();
  CHECK(harness.lines().size() == 3);
  harness.clock.advance(seconds{60});
  harness.log.tick();  // quiet for a window: forgotten
  harness.lose("plant-kafka");
  REQUIRE(harness.lines().size() == 4);
  CHECK(harness.lines()[3].find("sink lost its connection") != std::string::npos);
}

TEST_CASE("without a tick the next repetition after the window brings the summary") {
  LogHarness harness;
  harness.lose("a");
  harness.lose("a");
  harness.clock.advance(seconds{61});
  harness.lose("a");
  REQUIRE(harness.lines().size() == 2);
  CHECK(harness.lines()[1].find("repeated 2 times in the last") != std::string::npos);
}

TEST_CASE("other fields are another event") {
  LogHarness harness;
  harness.lose("a");
  harness.lose("b");
  CHECK(harness.lines().size() == 2);
}

TEST_CASE("one event with ever new fields is bounded and the rest is counted") {
  LogHarness harness({.lines_per_window = 10});
  for (int i = 0; i < 1000; ++i) harness.log.report(Event::dead_letter, {{"number", std::to_string(i)}});
  harness.lose("a");  // another event is not held back
  CHECK(harness.lines().size() == 11);
  CHECK(harness.log.count(Event::dead_letter) == 1000);
  harness.clock.advance(seconds{60});
  harness.log.tick();
  REQUIRE(harness.lines().size() == 12);
  CHECK(harness.lines()[11] == "2026-06-01T00:01:00.000Z warning dead_letter: 990 more in the last 1 min");
  harness.log.report(Event::dead_letter, {{"number", "new"}});
  CHECK(harness.lines().size() == 13);
}

TEST_CASE("what is counted at the end is said at the end") {
  test::ManualClock clock;
  std::ostringstream out;
  {
    Log log(clock, {.to = &out});
    for (int i = 0; i < 3; ++i) log.report(Event::sink_lost, {{"sink", "a"}});
    clock.advance(seconds{5});
  }
  CHECK(out.str().find("sink=a: repeated 2 times in the last 5 s\n") != std::string::npos);
}

TEST_CASE("the ring keeps the latest events with running numbers and their repetitions") {
  LogHarness harness({.lines_per_window = 1000});
  for (std::size_t i = 0; i < Log::kRecent + 5; ++i) {
    harness.log.report(Event::dead_letter, {{"number", std::to_string(i)}});
  }
  harness.log.report(Event::dead_letter, {{"number", std::to_string(Log::kRecent + 4)}});
  const auto recent = harness.log.recent();
  REQUIRE(recent.size() == Log::kRecent);
  CHECK(recent.front().number == 6);
  CHECK(recent.back().number == Log::kRecent + 5);
  CHECK(recent.back().fields.at(0).second == std::to_string(Log::kRecent + 4));
  CHECK(recent.back().repeated == 1);
  CHECK(recent.front().repeated == 0);
  CHECK(harness.log.recent(Log::kRecent + 3).size() == 2);
}

TEST_CASE("lines of many threads are never torn and none is lost") {
  LogHarness harness({.lines_per_window = 100000});
  constexpr int kThreads = 4;
  constexpr int kEach = 200;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&harness, thread] {
        for (int i = 0; i < kEach; ++i) {
          harness.log.report(Event::dead_letter, {{"from", std::to_string(thread)}, {"number", std::to_string(i)}});
        }
      });
    }
  }
  const auto lines = harness.lines();
  CHECK(lines.size() == kThreads * kEach);
  for (const std::string& line : lines) {
    CHECK(line.starts_with("2026-06-01T00:00:00.000Z warning dead_letter from="));
    CHECK(line.ends_with("shows it with its reason"));
  }
  CHECK(harness.log.count(Event::dead_letter) == kThreads * kEach);
}

}  // namespace
}  // namespace railhead::status
