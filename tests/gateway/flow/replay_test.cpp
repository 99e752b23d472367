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
    flow::AppendBatch batch;
    letters->add(content, batch);
    batch.end_group();
    const Result<ports::Ticket> ticket = batch.append(*stores);
    REQUIRE(ticket);
    REQUIRE(stores->of(SpoolId::dead).flush(10s));
    return ticket->through[static_cast<std::size_t>(SpoolId::dead)];
  }
};

// value 1 becomes a record for "up", 2 fails again, 3 is gathered, 4 becomes a record and is gathered, others are
// nothing. Rule "alone" makes a record of its own of any value.
struct Rules final : ports::Router, ports::RuleState {
  explicit Rules(bool of_one_rule = false) : alone(of_one_rule) {}
  std::unique_ptr<ports::RuleState> open() const override { return std::make_unique<Rules>(); }
  std::unique_ptr<ports::RuleState> open_one(std::string_view rule) const override {
    return rule == "alone" ? std::make_unique<Rules>(true) : nullptr;
  }
  bool takes_from(std::string_view) const override { return true; }
  void route(const Reading& reading, const ports::Now&, ports::Routed& out) override {
    out = {};
    switch (alone ? 1 : reading.value.as_integer()) {
      case 4: due = BootTime{}; [[fallthrough]];
      case 1: {
        Record record;
        record.sink = "up";
        record.topic = alone ? "of one" : "today";
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
  std::optional<BootTime> next_due() const override { return due; }
  bool alone = false;
  std::optional<BootTime> due;
};

DeadLetter about_reading(std::int64_t value, std::string rule = {}) {
  Reading reading;
  reading.source = "s";
  reading.device = "d";
  reading.value = Value::integer(value);
  DeadLetter letter;
  letter.kind = DeadLetter::Kind::reading;
  letter.rule = std::move(rule);
  letter.payload = canonical_json(reading, "g");
  return letter;
}

// Its source reads a number now, and a list of two.
flow::Requeue::Today today() {
  return {std::make_shared<Rules>(), [](const ports::RawInput& raw, Time arrived) -> Result<std::vector<Reading>> {
            if (raw.payload.front() < '1' || raw.payload.front() > '9') return fail(Errc::invalid, "not a number");
            Reading reading;
            reading.source = raw.source;
            reading.device = raw.topic;
            reading.time = arrived;
            reading.value = Value::integer(raw.payload.front() - '0');
            return std::vector<Reading>(raw.payload.size(), reading);
          }};
}

DeadLetter unread(std::string payload) {
  DeadLetter letter;
  letter.source = "s";
  letter.topic = "t";
  letter.payload = std::move(payload);
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

TEST_CASE("a requeued record goes as it was routed, a reading through the rule that failed; the letter is done then") {
  Bench bench;
  bench.append("up", 1, 1);
  const auto up = bench.lane("up");
  const auto poison = Bench::take(*up, 0);
  up->set_aside(poison.at(0), {Errc::refused, "too large"});
  REQUIRE(test::eventually(10s, [&] {
    up->finish_set_aside();
    return bench.telemetry().ledger(up->id(SpoolId::telemetry)).set_aside == 1;
  }));
  flow::Requeue desk(*bench.stores, today(), bench.clock);
  REQUIRE(desk.letters().size() == 1);
  CHECK(desk.requeue(desk.letters()).letters == 1);
  CHECK(desk.letters().empty());
  const auto again = Bench::take(*up);
  REQUIRE(again.size() == 1);
  CHECK(again[0].identity == poison[0].identity);
  CHECK(again[0].record.body == "1");

  const auto topic_of = [&](const DeadLetter& content) {
    const Sequence letter = bench.letter(content);
    const flow::Requeue::Done done = desk.requeue({letter, letter});
    CHECK(done.letters == 1);
    CHECK(done.records == 1);
    CHECK(done.errors.empty());
    CHECK(desk.letters().empty());
    const auto records = Bench::take(*up);
    REQUIRE(records.size() == 1);
    return records[0].record.topic;
  };
  CHECK(topic_of(about_reading(2, "alone")) == "of one");  // the others are not asked
  CHECK(topic_of(about_reading(1, "gone")) == "today");
  CHECK(topic_of(about_reading(1)) == "today");
  CHECK(topic_of(unread("1")) == "today");
}

TEST_CASE("what cannot be requeued says why and stays; it can be dropped") {
  Bench bench;
  flow::Requeue desk(*bench.stores, today(), bench.clock);
  const auto refusal = [&](flow::Requeue& by, const DeadLetter& letter) {
    const flow::Requeue::Done done = by.requeue({bench.letter(letter)});
    CHECK(done.letters == 0);
    CHECK(done.records == 0);
    REQUIRE(done.errors.size() == 1);
    return done.errors[0];
  };
  const auto why = [&](const DeadLetter& letter) { return refusal(desk, letter); };
  CHECK(why(about_reading(2)).find("rule 'r' fails on it again: no such key") != std::string::npos);
  CHECK(why(about_reading(3)).find("window") != std::string::npos);
  CHECK(why(about_reading(4)).find("window") != std::string::npos);  // whoever else makes records of it
  CHECK(why(about_reading(5)).find("no record") != std::string::npos);
  CHECK(why(unread("\xff")).find("still does not read it: not a number") != std::string::npos);
  CHECK(why(unread("23")).find("fails on it again") != std::string::npos);
  DeadLetter cut = unread("1");
  cut.cut = true;
  CHECK(why(cut).find("beginning") != std::string::npos);
  flow::Requeue without(*bench.stores, {}, bench.clock);
  CHECK(refusal(without, about_reading(1)).find("configuration") != std::string::npos);
  CHECK(refusal(without, unread("1")).find("configuration") != std::string::npos);
  REQUIRE(desk.letters().size() == 9);
  CHECK(bench.telemetry().ledger(bench.telemetry().lane("up")).accepted == 0);
  CHECK(desk.drop(desk.letters(), [] { return true; }).letters == 0);
  CHECK(desk.drop(desk.letters()).letters == 9);
  CHECK(desk.letters().empty());
  CHECK(desk.drop({Sequence(1)}).errors.size() == 1);
  const status::LaneLedger ledger = bench.stores->of(SpoolId::dead).lanes().at(0).ledger;
  CHECK(ledger.dropped == 9);
  CHECK(ledger.adds_up());
}
