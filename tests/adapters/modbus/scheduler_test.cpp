#include "adapters/modbus/scheduler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "tests/adapters/modbus/scheduled_bus.h"
#include "tests/support/manual_clock.h"

namespace railhead::modbus {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Strings = std::vector<std::string>;

Point holding(unsigned address, Duration every = seconds{1}) {
  Point point;
  point.name = "p" + std::to_string(address);
  point.address = static_cast<std::uint16_t>(address);
  point.every = every;
  return point;
}

DeviceOptions device_of(std::string name, std::uint8_t unit, std::vector<Point> points) {
  return {
      .name = std::move(name), .unit = unit, .timeout = milliseconds{500}, .limits = {}, .points = std::move(points)};
}

TEST_CASE("one reading per device and tick") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(1), holding(0), holding(40)}));
  bus.run_for(milliseconds{2500});
  CHECK(bus.requests == Strings{"1:0+2", "1:40+1", "1:0+2", "1:40+1", "1:0+2", "1:40+1"});
  CHECK(bus.seen.readings.size() == 3);
  CHECK(bus.seen.readings[0].source == "plant");
  CHECK(bus.seen.readings[0].time == Time{Duration{1780272000'000000000}} + milliseconds{10});  // of the last answer
  CHECK(bus.seen.readings[1].time - bus.seen.readings[0].time == seconds{1});
  CHECK(bus.seen.take()[0] == R"(a good {"p1":1,"p0":0,"p40":40})");
  CHECK(bus.seen.events.empty());
}

TEST_CASE("points with their own rate make readings of their own") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0), holding(1, milliseconds{250})}));
  bus.run_for(milliseconds{1100});
  CHECK(bus.seen.take() == Strings{R"(a good {"p1":1})", R"(a good {"p0":0})", R"(a good {"p1":1})",
                                   R"(a good {"p1":1})", R"(a good {"p1":1})", R"(a good {"p1":1})",
                                   R"(a good {"p0":0})"});
}

TEST_CASE("a fast group overtakes a long cycle") {
  ScheduledBus bus;
  std::vector<Point> points{holding(1000, milliseconds{100})};
  for (unsigned i = 0; i < 20; ++i) points.push_back(holding(i * 20, seconds{10}));
  bus.add(device_of("a", 1, points));
  bus.answer_time = milliseconds{30};
  bus.run_for(milliseconds{1000});
  CHECK(bus.seen.missed == 0);
  CHECK(bus.seen.readings.size() >= 10);  // nine or ten of the fast ones, and the slow one complete
}

TEST_CASE("missed ticks are not made up for: the newest wins") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0, milliseconds{100})}));
  bus.answer_time = milliseconds{350};
  bus.run_for(seconds{7});
  CHECK(bus.seen.readings.size() <= 20);
  CHECK(bus.seen.readings.size() >= 17);
  CHECK(bus.seen.missed >= 45);
  CHECK(bus.seen.missed_by == std::array<std::uint64_t, kMissedReasons>{0, 0, bus.seen.missed});
}

TEST_CASE("what is missed while there is no connection, or in waiting for silent devices, is not called a busy link") {
  using Reasons = std::array<std::uint64_t, kMissedReasons>;
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0, milliseconds{100})}));
  bus.add(device_of("b", 2, {holding(0, milliseconds{100})}));
  bus.run_for(milliseconds{1000});
  CHECK(bus.seen.missed == 0);
  bus.scheduler.connection(false);
  bus.clock.advance(milliseconds{950});
  bus.scheduler.connection(true);
  bus.run_for(milliseconds{2000});
  CHECK(bus.seen.missed >= 16);
  CHECK(bus.seen.missed_by == Reasons{bus.seen.missed, 0, 0});
  bus.seen.missed = 0;
  bus.seen.missed_by = {};
  bus.scheduler.connection(false);
  bus.clock.advance(milliseconds{950});
  bus.scheduler.link_down("no route to host");
  CHECK(bus.seen.missed >= 16);
  CHECK(bus.seen.missed_by == Reasons{bus.seen.missed, 0, 0});
  bus.scheduler.connection(true);
  bus.run_for(milliseconds{2000});
  bus.seen.missed = 0;
  bus.seen.missed_by = {};
  bus.silent.insert(2);
  bus.run_for(milliseconds{2000});
  CHECK(bus.seen.missed >= 3);
  CHECK(bus.seen.missed_by == Reasons{0, bus.seen.missed, 0});
}

TEST_CASE("a refused address is isolated within the same cycle and the rest flows") {
  ScheduledBus bus;
  std::vector<Point> points;
  for (unsigned i = 0; i < 16; ++i) points.push_back(holding(i));
  bus.add(device_of("a", 1, points));
  bus.refused[5] = 2;
  bus.run_for(milliseconds{900});
  CHECK(bus.seen.events == Strings{"refused a holding 5+1: illegal data address"});
  REQUIRE(bus.seen.readings.size() == 1);
  CHECK(bus.seen.readings[0].quality == Quality::uncertain);
  CHECK(bus.seen.readings[0].value.as_map().size() == 15);
  CHECK(to_json(bus.seen.readings[0].bad) == R"({"p5":"illegal data address"})");
  // From then on it is left alone, and the others are merged around it.
  bus.requests.clear();
  bus.run_for(seconds{1});
  CHECK(bus.requests == Strings{"1:0+5", "1:6+10"});
  CHECK(to_json(bus.seen.readings[1].bad) == R"({"p5":"illegal data address"})");
}

TEST_CASE("a quarantined address is tried again, ever more rarely, and comes back") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0), holding(1)}));
  bus.refused[1] = 2;
  bus.run_for(minutes{30});
  const std::size_t refusals = bus.seen.events.size();
  CHECK(refusals >= 4);
  CHECK(refusals <= 6);  // after 0, 1, 3, 7, 15 minutes
  bus.refused.clear();
  bus.run_for(minutes{61});
  bus.requests.clear();
  bus.seen.readings.clear();
  bus.run_for(seconds{1});
  CHECK(bus.requests == Strings{"1:0+2"});
  CHECK(bus.seen.take() == Strings{R"(a good {"p0":0,"p1":1})"});
}

TEST_CASE("a hole that may not be read parts a block without hurting its points") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0), holding(5)}));
  bus.refused[3] = 2;
  bus.run_for(milliseconds{2500});
  CHECK(bus.seen.events.empty());
  CHECK(bus.requests == Strings{"1:0+6", "1:0+1", "1:5+1", "1:0+1", "1:5+1", "1:0+1", "1:5+1"});
  CHECK(bus.seen.take() == Strings(3, R"(a good {"p0":0,"p5":5})"));
}

TEST_CASE("a busy device costs this tick's block only") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0), holding(50)}));
  bus.refused[0] = 6;
  bus.run_for(milliseconds{500});
  CHECK(bus.seen.take() == Strings{R"(a uncertain {"p50":50} {"p0":"device busy"})"});
  bus.refused.clear();
  bus.run_for(seconds{1});
  CHECK(bus.seen.take() == Strings{R"(a good {"p0":0,"p50":50})"});
}

TEST_CASE("silence makes a device down, an answer makes it up: both are readings without value") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0), holding(50)}));
  bus.run_for(milliseconds{900});
  CHECK(bus.seen.take().size() == 1);
  bus.silent.insert(1);
  bus.run_for(seconds{10});
  CHECK(bus.seen.events == Strings{"down a: no answer within 500 ms"});
  const std::string failed = R"(a bad {} {"p0":"no answer within 500 ms","p50":"no answer within 500 ms"})";
  CHECK(bus.seen.take() == Strings{failed, failed, failed, "a bad null"});
  bus.silent.clear();
  bus.run_for(seconds{80});
  CHECK(bus.seen.events == Strings{"down a: no answer within 500 ms", "up a"});
  const Strings after = bus.seen.take();
  REQUIRE(after.size() > 3);
  CHECK(after[0] == "a good null");
  CHECK(after[1] == R"(a good {"p0":0,"p50":50})");
}

TEST_CASE(
    "a unit that never answered is down at its first silence: nobody waits three times for what is switched off") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0)}));
  bus.silent.insert(1);
  bus.run_for(milliseconds{900});
  CHECK(bus.seen.take() == Strings{R"(a bad {} {"p0":"no answer within 500 ms"})", "a bad null"});
  CHECK(bus.asked[1] == 1);
  bus.silent.clear();
  bus.run_for(seconds{70});
  bus.seen.take();
  bus.silent.insert(1);
  bus.run_for(milliseconds{1500});  // it is known to be there now
  CHECK(bus.seen.take().back() != "a bad null");
}

TEST_CASE("a dead unit costs the others at most its share of the link") {
  ScheduledBus bus;
  for (std::uint8_t unit = 1; unit <= 10; ++unit) {
    bus.add(device_of("d" + std::to_string(unit), unit, {holding(0)}));
  }
  bus.silent = {3, 7};
  bus.run_for(seconds{20});
  bus.silence = {};
  bus.asked.clear();
  bus.run_for(seconds{1000});
  CHECK(bus.silence <= seconds{105});
  CHECK(bus.asked[3] >= 10);
  CHECK(bus.asked[7] >= 10);
  for (const unsigned unit : {1u, 2u, 4u, 10u}) CHECK(bus.asked[unit] >= 990);
}

TEST_CASE("a gateway's word that its device is silent counts as silence") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0)}));
  bus.refused[0] = 11;
  bus.run_for(seconds{5});
  CHECK(bus.seen.events == Strings{"down a: gateway target does not respond"});
}

TEST_CASE("without a link all that is due is bad, and devices come back with the link") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0)}));
  bus.add(device_of("b", 2, {holding(0, seconds{60})}));
  bus.run_for(milliseconds{500});
  CHECK(bus.seen.take().size() == 2);
  for (int i = 0; i < 4; ++i) {
    bus.clock.advance(seconds{1});
    bus.scheduler.link_down("connection refused");
  }
  CHECK(bus.seen.events == Strings{"down a: connection refused"});  // b had nothing to say meanwhile
  CHECK(bus.scheduler.due() <= bus.clock.boot_now());
  bus.seen.readings.clear();
  bus.run_for(milliseconds{100});
  CHECK(bus.seen.take() == Strings{"a good null", R"(a good {"p0":0})"});
}

TEST_CASE("a turn that is repeated is the same turn") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0)}));
  const auto first = bus.scheduler.next();
  REQUIRE(first);
  bus.scheduler.repeat();
  const auto again = bus.scheduler.next();
  REQUIRE(again);
  CHECK(again->request.address == first->request.address);
  bus.serve(*again);
  CHECK(bus.seen.take() == Strings{R"(a good {"p0":0})"});
}

TEST_CASE("a value that cannot be decoded is bad alone") {
  ScheduledBus bus;
  Point wrong = holding(0x1a);
  wrong.type = Type::bcd16;
  bus.add(device_of("a", 1, {holding(0), wrong}));
  bus.run_for(milliseconds{500});
  CHECK(bus.seen.take() == Strings{R"(a uncertain {"p0":0} {"p26":"not BCD: a digit above 9"})"});
}

TEST_CASE("a busy device is asked again within the cycle, and others have their turn meanwhile") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0)}));
  bus.add(device_of("b", 2, {holding(1000)}));
  auto turn = bus.scheduler.next();
  REQUIRE(turn);
  const unsigned busy = turn->request.unit;
  bus.scheduler.refused(6, turn->id);
  const auto other = bus.scheduler.next();
  REQUIRE(other);
  CHECK(other->request.unit != busy);
  bus.scheduler.answered(std::string(2, '\0'), other->id);
  CHECK_FALSE(bus.scheduler.next());
  CHECK(bus.scheduler.due() == bus.clock.boot_now() + milliseconds{50});
  for (const Duration pause : {milliseconds{50}, milliseconds{100}, milliseconds{200}}) {
    bus.clock.advance(pause);
    turn = bus.scheduler.next();
    REQUIRE(turn);
    CHECK(turn->request.unit == busy);
    bus.scheduler.refused(6, turn->id);
  }
  // The fourth time it is told.
  CHECK(bus.seen.readings.back().quality == Quality::bad);
  CHECK(to_json(bus.seen.readings.back().bad).find("device busy") != std::string::npos);
  CHECK(bus.seen.events.size() == 1);
  // "Still working" (05) waits longer, and an answer then is an answer.
  bus.clock.advance(seconds{1});
  bus.seen.readings.clear();
  turn = bus.scheduler.next();
  REQUIRE(turn);
  bus.scheduler.refused(5, turn->id);
  CHECK(bus.scheduler.due() <= bus.clock.boot_now());  // the other one
  const auto second = bus.scheduler.next();
  REQUIRE(second);
  bus.scheduler.answered(std::string(2, '\0'), second->id);
  CHECK(bus.scheduler.due() == bus.clock.boot_now() + milliseconds{200});
  bus.clock.advance(milliseconds{200});
  turn = bus.scheduler.next();
  REQUIRE(turn);
  bus.scheduler.answered(std::string(2, '\0'), turn->id);
  CHECK(bus.seen.readings.size() == 2);
  for (const Reading& reading : bus.seen.readings) CHECK(reading.quality == Quality::good);
}

TEST_CASE("several turns may be out, one of each device and rate; what was abandoned meanwhile changes nothing") {
  ScheduledBus bus;
  bus.add(device_of("a", 1, {holding(0), holding(500, milliseconds{500})}));
  bus.add(device_of("b", 2, {holding(0)}));
  std::vector<Turn> out;
  while (const auto turn = bus.scheduler.next()) out.push_back(*turn);
  REQUIRE(out.size() == 3);
  // The answers come the other way round.
  bus.scheduler.answered(std::string(2, '\0'), out[2].id);
  CHECK(bus.seen.readings.size() == 1);
  // Unit 1 falls silent three times on its fast group: down, while its slow request is still out.
  const auto is_fast = [](const Turn& turn) { return turn.request.unit == 1 && turn.request.address == 500; };
  const auto is_slow = [](const Turn& turn) { return turn.request.unit == 1 && turn.request.address == 0; };
  const auto fast = std::find_if(out.begin(), out.end(), is_fast);
  const auto slow = std::find_if(out.begin(), out.end(), is_slow);
  REQUIRE((fast != out.end() && slow != out.end()));
  bus.scheduler.failed("silent", fast->id);
  unsigned failures = 1;
  while (failures < 3) {
    bus.clock.advance(milliseconds{500});
    while (const auto turn = bus.scheduler.next()) {
      if (is_fast(*turn)) {
        bus.scheduler.failed("silent", turn->id);
        ++failures;
      } else {
        bus.scheduler.answered(std::string(2, '\0'), turn->id);
      }
    }
  }
  CHECK(bus.seen.events.back() == "down a: silent");
  const std::size_t before = bus.seen.readings.size();
  bus.scheduler.answered(std::string(2, '\0'), slow->id);
  CHECK(bus.seen.events.back() == "up a");
  CHECK(bus.seen.readings.size() == before + 1);  // that it is up; no values of a cycle that was given up
}

}  // namespace
}  // namespace railhead::modbus
