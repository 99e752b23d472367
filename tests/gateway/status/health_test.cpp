#include "gateway/status/health.h"

#include <doctest/doctest.h>

#include <functional>

namespace railhead::status {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using State = LinkStatus::State;

// Two sources, two sinks, one spool: all well, up for an hour.
Snapshot well() {
  Snapshot snapshot;
  snapshot.gateway = "plant-7";
  snapshot.version = "1.2.3";
  snapshot.uptime = hours{1};
  snapshot.sources.resize(2);
  snapshot.sources[0] = {.name = "boiler-house", .kind = "modbus", .state = State::up, .devices_total = 4};
  snapshot.sources[1] = {.name = "sensors", .kind = "mqtt", .state = State::up};
  snapshot.lanes.resize(2);
  snapshot.lanes[0] = {.sink = "plant-kafka", .kind = "kafka", .spool = "telemetry", .state = State::up};
  snapshot.lanes[1] = {.sink = "alarms", .kind = "amqp", .spool = "alarms", .state = State::up};
  snapshot.spools.resize(1);
  snapshot.spools[0] = {.name = "telemetry", .used_bytes = 10, .limit_bytes = 1000};
  snapshot.parts.resize(2);
  snapshot.parts[0] = {.name = "source boiler-house", .since = seconds{1}};
  snapshot.parts[1] = {.name = "sink plant-kafka", .since = seconds{2}};
  return snapshot;
}

struct Row {
  const char* what;
  std::function<void(Snapshot&)> change;
  HealthState state;
  const char* reason;  // begins the worst reason
};

TEST_CASE("the truth table of health") {
  using enum HealthState;
  const std::vector<Row> rows{
      {"all well", [](Snapshot&) {}, good, ""},
      {"a part ended", [](Snapshot& s) { s.parts[0].ended = true; }, failure, "'source boiler-house' ended"},
      {"a part stalls", [](Snapshot& s) { s.parts[1].since = seconds{31}; }, failure,
       "'sink plant-kafka' has not moved for 31 s"},
      {"a part slow within its own limit",
       [](Snapshot& s) {
         s.parts[1].since = seconds{31};
         s.parts[1].stall_limit = seconds{60};
       },
       good, ""},
      {"the disk fails",
       [](Snapshot& s) {
         s.spools[0].failing = true;
         s.spools[0].why = "No space left on device";
       },
       failure, "spool 'telemetry': the disk does not take writes: No space left on device"},
      {"the spool blocks", [](Snapshot& s) { s.spools[0].blocking = true; }, failure, "spool 'telemetry' is full"},
      {"dropped a minute ago",
       [](Snapshot& s) {
         s.spools[0].dropped = 9;
         s.spools[0].last_drop = minutes{1};
       },
       out_of_specification, "spool 'telemetry' was full: 9 records dropped so far, the last 1 min ago"},
      {"dropped yesterday",
       [](Snapshot& s) {
         s.spools[0].dropped = 9;
         s.spools[0].last_drop = hours{24};
       },
       good, ""},
      {"damage found",
       [](Snapshot& s) {
         s.spools[0].damaged = 2;
         s.spools[0].last_damage = minutes{2};
       },
       out_of_specification, "spool 'telemetry': 2 records damaged"},
      {"half full", [](Snapshot& s) { s.spools[0].used_bytes = 500; }, maintenance, "spool 'telemetry' is 50 % full"},
      {"a little below half", [](Snapshot& s) { s.spools[0].used_bytes = 499; }, good, ""},
      {"nearly full", [](Snapshot& s) { s.spools[0].used_bytes = 800; }, out_of_specification,
       "spool 'telemetry' is 80 % full"},
      {"one source down",
       [](Snapshot& s) {
         s.sources[0].state = State::down;
         s.sources[0].why = "connection refused";
       },
       out_of_specification, "source 'boiler-house' is down: connection refused"},
      {"all sources down", [](Snapshot& s) { s.sources[0].state = s.sources[1].state = State::down; }, failure,
       "source 'boiler-house' is down"},
      {"a source starts, just begun",
       [](Snapshot& s) {
         s.sources[0].state = State::starting;
         s.uptime = seconds{5};
       },
       good, ""},
      {"a source still starts after the grace", [](Snapshot& s) { s.sources[0].state = State::starting; },
       out_of_specification, "source 'boiler-house' does not come up"},
      {"devices down",
       [](Snapshot& s) {
         s.sources[0].state = State::degraded;
         s.sources[0].devices_down = 1;
         s.sources[0].why = "meter-1";
       },
       out_of_specification, "source 'boiler-house': 1 of 4 devices do not answer: meter-1"},
      {"a source degraded", [](Snapshot& s) { s.sources[1].state = State::degraded; }, maintenance,
       "source 'sensors' is degraded"},
      {"a sink down",
       [](Snapshot& s) {
         s.lanes[0].state = State::down;
         s.lanes[0].backlog = 70;
         s.lanes[0].why = "timed out";
       },
       out_of_specification, "sink 'plant-kafka' is down, 70 records wait: timed out"},
      {"all sinks down is no failure: the spool keeps",
       [](Snapshot& s) { s.lanes[0].state = s.lanes[1].state = State::down; }, out_of_specification,
       "sink 'plant-kafka' is down"},
      {"a sink up but behind", [](Snapshot& s) { s.lanes[0].oldest_unsettled = minutes{11}; }, out_of_specification,
       "sink 'plant-kafka' is behind: its oldest record waits for 11 min"},
      {"a sink degraded", [](Snapshot& s) { s.lanes[0].state = State::degraded; }, maintenance,
       "sink 'plant-kafka' is degraded"},
      {"an orphan with records",
       [](Snapshot& s) {
         s.lanes[0].orphaned = true;
         s.lanes[0].state = State::down;
         s.lanes[0].backlog = 3;
       },
       maintenance, "3 records wait for sink 'plant-kafka'"},
      {"an empty orphan",
       [](Snapshot& s) {
         s.lanes[0].orphaned = true;
         s.lanes[0].state = State::down;
       },
       good, ""},
      {"configuration refused",
       [](Snapshot& s) {
         s.config_refused = true;
         s.config_why = "3 errors";
       },
       maintenance, "the new configuration was refused, the old one runs on: 3 errors"},
      {"dead letters", [](Snapshot& s) { s.dead_letters.count = 2; }, maintenance, "2 dead letters wait"},
      {"clock", [](Snapshot& s) { s.clock_trusted = false; }, maintenance, "the clock is not synchronised"},
      {"LED", [](Snapshot& s) { s.led_failed = true; }, maintenance, "the status LED cannot be driven"},
      {"the worst decides",
       [](Snapshot& s) {
         s.dead_letters.count = 2;
         s.lanes[0].state = State::down;
         s.spools[0].failing = true;
       },
       failure, "spool 'telemetry': the disk does not take writes"},
      {"nothing configured is no failure",
       [](Snapshot& s) {
         s.sources.clear();
         s.lanes.clear();
       },
       good, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Snapshot snapshot = well();
    row.change(snapshot);
    const Health health = judge(snapshot);
    CHECK(name_of(health.state) == name_of(row.state));
    if (row.state == HealthState::good) {
      CHECK(health.reasons.empty());
    } else {
      REQUIRE_FALSE(health.reasons.empty());
      CAPTURE(health.reasons.front().what);
      CHECK(health.reasons.front().what.starts_with(row.reason));
      for (const Reason& reason : health.reasons) CHECK_FALSE(reason.action.empty());
    }
  }
}

TEST_CASE("a sink with a lane in each spool is one sink") {
  Snapshot snapshot = well();
  snapshot.lanes[1] = snapshot.lanes[0];
  snapshot.lanes[1].spool = "alarms";
  snapshot.lanes[0].state = snapshot.lanes[1].state = State::down;
  snapshot.lanes[0].backlog = 1;
  Health health = judge(snapshot);
  REQUIRE(health.reasons.size() == 1);
  CHECK(health.reasons[0].what == "sink 'plant-kafka' is down, 1 record waits");
  snapshot.lanes[1].backlog = 4;
  CHECK(judge(snapshot).reasons[0].what == "sink 'plant-kafka' is down, 5 records wait");
}

TEST_CASE("a source that may not acknowledge is sent to the spool, not to its cable") {
  Snapshot snapshot = well();
  snapshot.sources[1].state = State::degraded;
  snapshot.sources[1].why = "nothing is acknowledged: spool 'telemetry' is full";
  const auto action = [&] {
    for (const Reason& reason : judge(snapshot).reasons) {
      if (reason.what.starts_with("source 'sensors' is degraded")) return reason.action;
    }
    return std::string("no reason");
  };
  CHECK(action() == row_of(Event::source_lost).action);
  snapshot.spools[0].blocking = true;
  CHECK(action() == row_of(Event::spool_full).action);
  snapshot.spools[0].failing = true;
  CHECK(action() == row_of(Event::disk_failed).action);
}

TEST_CASE("health in one line with its exit code") {
  Snapshot snapshot = well();
  CHECK(health_line(judge(snapshot)) == "good");
  CHECK(health_exit_code(judge(snapshot).state) == 0);
  snapshot.dead_letters.count = 2;
  snapshot.lanes[0].state = State::down;
  snapshot.lanes[0].why = "timed out";
  CHECK(health_line(judge(snapshot)) ==
        "out_of_specification: sink 'plant-kafka' is down, 0 records wait: timed out; check the upstream; it is tried "
        "again by itself (and 1 more)");
  CHECK(health_exit_code(HealthState::maintenance) == 1);
  CHECK(health_exit_code(HealthState::out_of_specification) == 1);
  CHECK(health_exit_code(HealthState::failure) == 2);
}

TEST_CASE("the watchdog is fed while every part turns, whatever the world does") {
  Snapshot snapshot = well();
  snapshot.spools[0].failing = true;
  snapshot.sources[0].state = snapshot.sources[1].state = State::down;
  REQUIRE(judge(snapshot).state == HealthState::failure);
  CHECK(alive(snapshot.parts));
  snapshot.parts[0].since = kStallLimit;
  CHECK(alive(snapshot.parts));
  snapshot.parts[0].since = kStallLimit + seconds{1};
  CHECK_FALSE(alive(snapshot.parts));
  snapshot.parts[0].since = seconds{0};
  snapshot.parts[1].ended = true;
  CHECK_FALSE(alive(snapshot.parts));
  CHECK(alive({}));
}

}  // namespace
}  // namespace railhead::status
