// replay, drop and requeue on open spools.
#include "gateway/flow/replay.h"

#include <doctest/doctest.h>

#include "gateway/flow/lane.h"
#include "gateway/flow/requeue.h"
#include "gateway/message/json.h"
#include "tests/gateway/flow/open_stores.h"
#include "tests/support/process.h"

using namespace railhead;
using namespace std::chrono_literals;
using ports::SpoolId;

namespace {

struct Place {
  test::TemporaryDirectory directory;
};

struct Bench : Place, test::OpenStores {
  Bench() : OpenStores(directory.path()) {}
  spool::Spool& telemetry() { return stores->of(SpoolId::telemetry); }
  std::unique_ptr<flow::Lane> lane(const std::string& name) {
    return std::make_unique<flow::Lane>(name, flow::Lane::Shared{gateway, *stores, *letters, *started, clock});
  }
  void append(const std::string& sink, int from, int through) {
    const spool::LaneId id = telemetry().lane(sink);
    for (int n = from; n <= through; ++n) {
      Record record;
      record.sink = sink;
      record.topic = "t";
      record.body = std::to_string(n);
      record.token = FieldToken{.session = 1, .packet_id = 7, .content_hash = 9, .qos = 1};
      std::string payload;
      encode(record, payload);
      const spool::Entry entry{.lane = id, .payload = payload};
      REQUIRE(telemetry().append({&entry, 1}));
    }
    REQUIRE(telemetry().flush(10s));
  }
  // What the lane gives; the first `settled` of them are settled.
  static std::vector<ports::Outgoing> take(flow::Lane& lane, std::size_t settled = 1'000'000) {
    std::vector<ports::Outgoing> all;
    for (auto batch = lane.next({.wait = 0s}, {}); !batch.empty(); batch = lane.next({.wait = 0s}, {})) {
      for (const ports::Outgoing& outgoing : batch) {
        all.push_back(outgoing);
        if (all.size() <= settled) lane.settle(outgoing.place);
      }
    }
    return all;
  }
  Sequence letter(const DeadLetter& content) {
    const Result<ports::Ticket> ticket = letters->append(content);
    REQUIRE(ticket);
    REQUIRE(stores->of(SpoolId::dead).flush(10s));
    return ticket->through[static_cast<std::size_t>(SpoolId::dead)];
  }
};

// value 1 becomes a record for "up", 2 fails again, 3 is gathered, others are nothing.
struct Rules final : ports::Router, ports::RuleState {
  std::unique_ptr<ports::RuleState> open() const override { return std::make_unique<Rules>(); }
  bool takes_from(std::string_view) const override { return true; }
  void route(const Reading& reading, const ports::Now&, ports::Routed& out) override {
    out = {};
    switch (reading.value.as_integer()) {
      case 1: {
        Record record;
        record.sink = "up";
        record.topic = "today";
        record.body = "1";
        out.records.add(record);
        out.verdict = ports::Verdict::routed;
        break;
      }
      case 2: out.set_aside.push_back({"r", "no such key"}); break;
      case 3: out.verdict = ports::Verdict::absorbed; break;
      default: break;
    }
  }
};

DeadLetter about_reading(std::int64_t value) {
  Reading reading;
  reading.source = "s";
  reading.device = "d";
  reading.value = Value::integer(value);
  DeadLetter letter;
  letter.kind = DeadLetter::Kind::reading;
  letter.payload = canonical_json(reading, "g");
  return letter;
}

}  // namespace

TEST_CASE("a replay sends delivered records again, to another lane or their own, with the identity they had") {
  Bench bench;
  bench.append("up", 1, 10);
  bench.append("other", 1, 3);
  const auto up = bench.lane("up");
  const auto first = Bench::take(*up, 6);
  REQUIRE(first.size() == 10);

  SUBCASE("to another lane: what is settled and what is owed") {
    const Result<std::uint64_t> done = flow::replay(bench.telemetry(), {.lane = "up", .to = "copy"}, {}, {});
    REQUIRE(done);
    CHECK(*done == 10);
    const auto copies = Bench::take(*bench.lane("copy"));
    REQUIRE(copies.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) {
      CHECK(copies[i].identity == first[i].identity);
      CHECK(copies[i].record.body == first[i].record.body);
      CHECK(copies[i].record.sink == "copy");
      CHECK_FALSE(copies[i].record.token);
    }
    // And once more: the identity is still the first one's.
    REQUIRE(flow::replay(bench.telemetry(), {.lane = "copy", .to = "third"}, {}, {}));
    CHECK(Bench::take(*bench.lane("third")).at(3).identity == first[3].identity);
  }
  SUBCASE("to their own lane: only what is settled, the rest leaves anyway") {
    const Result<std::uint64_t> done = flow::replay(
        bench.telemetry(), {.lane = "up", .from = first[2].place.sequence, .through = first[8].place.sequence}, {}, {});
    REQUIRE(done);
    CHECK(*done == 4);  // 3, 4, 5 and 6
    const auto again = Bench::take(*up);
    REQUIRE(again.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) CHECK(again[i].identity == first[i + 2].identity);
  }
  SUBCASE("by time") {
    const Time now = bench.clock.now();
    CHECK(*flow::replay(bench.telemetry(), {.lane = "up", .to = "a", .since = now + 1h}, {}, {}) == 0);
    CHECK(*flow::replay(bench.telemetry(), {.lane = "up", .to = "b", .since = now - 1h, .until = now}, {}, {}) == 10);
  }
  SUBCASE("of no such lane") {
    CHECK(flow::replay(bench.telemetry(), {.lane = "upp"}, {}, {}).error().code == Errc::invalid);
  }
}

TEST_CASE("a dropped lane owes nothing and counts what it dropped; others keep theirs") {
  Bench bench;
  bench.append("gone", 1, 500);
  bench.append("up", 1, 5);
  CHECK(*flow::drop_lane(bench.telemetry(), "gone") == 500);
  CHECK(*flow::drop_lane(bench.telemetry(), "gone") == 0);
  const status::LaneLedger ledger = bench.telemetry().ledger(bench.telemetry().lane("gone"));
  CHECK(ledger.dropped == 500);
  CHECK(ledger.spooled == 0);
  CHECK(ledger.adds_up());
  CHECK(Bench::take(*bench.lane("up")).size() == 5);
  CHECK(flow::drop_lane(bench.telemetry(), "never").error().code == Errc::invalid);
}

TEST_CASE("a requeued record goes as it was routed; a reading goes through today's rules; the letter is done then") {
  Bench bench;
  bench.append("up", 1, 1);
  const auto up = bench.lane("up");
  const auto poison = Bench::take(*up, 0);
  up->set_aside(poison.at(0), {Errc::refused, "too large"});
  REQUIRE(test::eventually(10s, [&] {
    up->finish_set_aside();
    return bench.telemetry().ledger(up->id(SpoolId::telemetry)).set_aside == 1;
  }));
  const Rules rules;
  flow::Requeue desk(*bench.stores, &rules, bench.clock);
  REQUIRE(desk.letters().size() == 1);
  REQUIRE(desk.requeue(desk.letters()[0]));
  CHECK(desk.letters().empty());
  const auto again = Bench::take(*up);
  REQUIRE(again.size() == 1);
  CHECK(again[0].identity == poison[0].identity);
  CHECK(again[0].record.body == "1");

  const Sequence routed = bench.letter(about_reading(1));
  const Result<std::size_t> records = desk.requeue(routed);
  REQUIRE(records);
  CHECK(*records == 1);
  CHECK(Bench::take(*up).at(0).record.topic == "today");
}

TEST_CASE("what cannot be requeued says why and stays; it can be dropped") {
  Bench bench;
  const Rules rules;
  flow::Requeue desk(*bench.stores, &rules, bench.clock);
  const auto why = [&](const DeadLetter& letter) { return desk.requeue(bench.letter(letter)).error().what; };
  CHECK(why(about_reading(2)).find("rule 'r' fails on it again: no such key") != std::string::npos);
  CHECK(why(about_reading(3)).find("window") != std::string::npos);
  CHECK(why(about_reading(4)).find("no record") != std::string::npos);
  DeadLetter raw;
  raw.payload = "\xff";
  CHECK(why(raw).find("never became a reading") != std::string::npos);
  flow::Requeue without(*bench.stores, nullptr, bench.clock);
  CHECK(without.requeue(bench.letter(about_reading(1))).error().what.find("configuration") != std::string::npos);
  REQUIRE(desk.letters().size() == 5);
  for (const Sequence one : desk.letters()) CHECK(desk.drop(one));
  CHECK(desk.letters().empty());
  CHECK(desk.drop(Sequence(1)).error().code == Errc::invalid);
  const status::LaneLedger ledger = bench.stores->of(SpoolId::dead).lanes().at(0).ledger;
  CHECK(ledger.dropped == 5);
  CHECK(ledger.adds_up());
}
