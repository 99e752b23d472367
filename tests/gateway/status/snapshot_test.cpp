#include "gateway/status/snapshot.h"

#include <doctest/doctest.h>

#include "gateway/message/json.h"
#include "gateway/status/health.h"

namespace railhead::status {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Snapshot plant() {
  Snapshot snapshot;
  snapshot.gateway = "plant-7 \"north\"";
  snapshot.version = "1.2.3";
  snapshot.now = *parse_rfc3339("2026-06-01T00:00:00Z");
  snapshot.uptime = seconds{2 * 3600 + 5 * 60 + 7};
  snapshot.readings = {.in = 100, .routed = 90, .filtered = 8, .unrouted = 2};
  snapshot.sources.resize(1);
  snapshot.sources[0] = {.name = "boiler-house",
                         .kind = "modbus",
                         .state = LinkStatus::State::degraded,
                         .why = "meter-1: timed out",
                         .devices_total = 3,
                         .devices_down = 1,
                         .busy_permille = 515,
                         .readings = 100,
                         .last_reading = seconds{4}};
  snapshot.lanes.resize(1);
  snapshot.lanes[0] = {.sink = "plant-kafka",
                       .kind = "kafka",
                       .spool = "telemetry",
                       .state = LinkStatus::State::down,
                       .why = "connection refused",
                       .backlog = 40,
                       .backlog_bytes = 8192,
                       .oldest_unsettled = minutes{3},
                       .ledger = {.carried_over = 5, .accepted = 85, .delivered = 50, .spooled = 40, .repeats = 3}};
  snapshot.spools.resize(1);
  snapshot.spools[0] = {.name = "telemetry",
                        .used_bytes = 8192,
                        .limit_bytes = 2147483648,
                        .full_in = minutes{90},
                        .bytes_written = 3072,
                        .payload_bytes = 2048,
                        .syncs = 17};
  snapshot.dead_letters = {.count = 2, .bytes = 300, .limit_bytes = 1000};
  snapshot.parts.push_back({.name = "spool", .since = seconds{1}});
  snapshot.events.push_back(
      {7, snapshot.now, Event::sink_lost, {{"sink", "plant-kafka"}, {"error", "connection refused"}}, 4});
  snapshot.event_counts["sink_lost"] = 5;
  return snapshot;
}

const Value& at(const Value& map, std::string_view name) {
  const Value* found = map.find(name);
  REQUIRE_MESSAGE(found != nullptr, std::string(name));
  return *found;
}

TEST_CASE("the status document is JSON that says everything") {
  const Result<Value> document = JsonParser().parse(to_json(plant()));
  REQUIRE(document);
  CHECK(at(*document, "gateway").as_text() == "plant-7 \"north\"");
  CHECK(at(*document, "state").as_text() == "out_of_specification");
  CHECK(at(*document, "uptime_s").to_real() == 7507);
  CHECK(at(*document, "reasons").as_list().size() == 3);
  CHECK(at(at(*document, "readings"), "in").to_real() == 100);
  CHECK(at(at(*document, "readings"), "adds_up").as_boolean());
  const Value& lane = at(*document, "lanes").as_list()[0];
  CHECK(at(lane, "sink").as_text() == "plant-kafka");
  CHECK(at(lane, "oldest_s").to_real() == 180);
  CHECK(at(at(lane, "records"), "carried_over").to_real() == 5);
  CHECK(at(at(lane, "records"), "adds_up").as_boolean());
  const Value& spool = at(*document, "spools").as_list()[0];
  CHECK(at(spool, "last_drop_s").is(Kind::null));
  CHECK(at(spool, "full_in_hours").to_real() == 1.5);
  CHECK(at(spool, "write_amplification").to_real() == 1.5);
  CHECK(at(spool, "syncs").to_real() == 17);
  CHECK(at(at(*document, "sources").as_list()[0], "devices_down").to_real() == 1);
  CHECK(at(at(*document, "sources").as_list()[0], "busy_permille").to_real() == 515);
  CHECK(at(at(*document, "dead_letters"), "count").to_real() == 2);
  CHECK(at(at(*document, "event_counts"), "sink_lost").to_real() == 5);
  const Value& event = at(*document, "events").as_list()[0];
  CHECK(at(at(event, "fields"), "error").as_text() == "connection refused");
  CHECK(at(event, "repeated").to_real() == 4);
}

TEST_CASE("an empty gateway is a document too") {
  const Result<Value> document = JsonParser().parse(to_json(Snapshot{}));
  REQUIRE(document);
  CHECK(at(*document, "state").as_text() == "good");
  CHECK(at(*document, "lanes").as_list().empty());
  CHECK_FALSE(to_text(Snapshot{}).empty());
}

TEST_CASE("a ledger that does not add up is said, in both forms") {
  Snapshot snapshot = plant();
  snapshot.lanes[0].ledger.delivered -= 1;
  const Result<Value> document = JsonParser().parse(to_json(snapshot));
  REQUIRE(document);
  CHECK_FALSE(at(at(at(*document, "lanes").as_list()[0], "records"), "adds_up").as_boolean());
  CHECK(to_text(snapshot).find("DOES NOT ADD UP") != std::string::npos);
  CHECK(to_text(plant()).find("DOES NOT ADD UP") == std::string::npos);
}

TEST_CASE("a long reason is whole under the state and short in the table") {
  Snapshot snapshot = plant();
  std::string why;
  for (int i = 0; i < 40; ++i) why += "\xc3\xa4\xc3\xb6";
  snapshot.lanes[0].why = why;
  const std::string text = to_text(snapshot);
  CHECK(text.find("records wait: " + why + "\n") != std::string::npos);
  CHECK(text.find("3 min   " + why.substr(0, 2 * 57) + "...\n") != std::string::npos);
}

TEST_CASE("two lanes of one sink are told apart by their spool") {
  Snapshot snapshot = plant();
  CHECK(to_text(snapshot).find("records for plant-kafka: ") != std::string::npos);
  snapshot.lanes.push_back(snapshot.lanes[0]);
  snapshot.lanes[1].spool = "alarms";
  CHECK(to_text(snapshot).find("records for plant-kafka (alarms): ") != std::string::npos);
  CHECK(to_text(snapshot).find("\nplant-kafka (telemetry)  kafka") != std::string::npos);
}

TEST_CASE("the text for people") {
  CHECK(to_text(plant()) == R"(plant-7 "north": out_of_specification, railhead 1.2.3, up 2 h 5 min
  out_of_specification: source 'boiler-house': 1 of 3 devices do not answer: meter-1: timed out
      check power, address and wiring; the other devices go on
  out_of_specification: sink 'plant-kafka' is down, 40 records wait: connection refused
      check the upstream; it is tried again by itself
  maintenance: 2 dead letters wait
      railhead dead list shows them; requeue or drop them

readings in 100 = routed 90 + filtered 8 + unrouted 2  (adds up)
records for plant-kafka: carried over 5 + accepted 85 = delivered 50 + spooled 40  (adds up)  repeats 3

source        kind    state     devices  readings  last     why
boiler-house  modbus  degraded  2/3 up   100       4 s ago  meter-1: timed out

sink         kind   state  backlog  bytes  oldest  why
plant-kafka  kafka  down   40       8 KiB  3 min   connection refused

spool      used   limit  full in  written      syncs  dropped  state
telemetry  8 KiB  2 GiB  1.5 h    3 KiB, x1.5  17     0        ok

dead letters 2 (300 B)

latest events
  2026-06-01T00:00:00.000Z warning sink_lost sink=plant-kafka error="connection refused" (and 4 times again): sink lost its connection: records wait in the spool
)");
}

}  // namespace
}  // namespace railhead::status
