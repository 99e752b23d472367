// Rules that remember (windows, dedup, reorder buffers, snapshots) over a power cut after every single disk operation:
// what left in the end is what leaves without a cut, each record once (S7, S11).
//
// The field is a broker with QoS 1: it sends again, with the same packet identifiers, what was not acknowledged.
// Deterministic but for epochs: the clock stands, every batch is waited for.
#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gateway/config/diagnostics.h"
#include "gateway/config/document.h"
#include "gateway/flow/ingest.h"
#include "gateway/message/record.h"
#include "rules/routing/routing.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/crash_disk.h"
#include "tests/support/effort.h"
#include "tests/support/manual_clock.h"

using namespace railhead;
using namespace std::chrono_literals;
using ports::SpoolId;
using test::CrashDisk;

namespace {

// clang-format off
constexpr std::string_view kRules = R"yaml(
- name: averages
  window: { every: 10 s, by: device, late: 2 s }
  send:
    - { to: up, topic: averages, body: { from: window.start, of: device, n: count(), mean: mean(value.t), p: "percentile(value.t, 90)" } }
    - { to: up, topic: hot, when: max(value.t) > 60, priority: alarm, body: { hot: device, at: window.start } }
- name: once
  dedup: { by: value.id, for: 1 h }
  send: { to: up, topic: once, body: value.id }
- name: in order
  expect_sequence: { by: device, number: value.seq, reorder: { wait: 1 h } }
  send: { to: up, topic: ordered, body: { d: device, seq: value.seq } }
- name: as they are
  snapshot: { every: 20 s }
  send: { to: up, topic: points, body: { d: device, at: time, v: value } }
)yaml";
// clang-format on

constexpr std::uint64_t kCuts = test::effort(250, 25);
constexpr int kBatches = 40;
constexpr int kBatch = 8;

std::shared_ptr<const ports::Router> build_rules() {
  config::Diagnostics diagnostics;
  const config::Document document = config::Document::parse(kRules, "rules.yaml", diagnostics);
  routing::RoutingInput input;
  input.gateway = "g";
  input.rules = document.root();
  input.sources.push_back({"field"});
  input.sinks.push_back({"up", "kafka", true, false});
  auto router = routing::build(input, diagnostics);
  INFO(diagnostics.render());
  REQUIRE(router != nullptr);
  return router;
}

// Two devices; values, repeated identifiers, numbers that are swapped in pairs.
std::vector<std::vector<Reading>> readings() {
  std::vector<std::vector<Reading>> batches(kBatches);
  std::mt19937 random(7);
  std::int64_t n = 0;
  for (auto& batch : batches) {
    for (int i = 0; i < kBatch; ++i, ++n) {
      Reading reading;
      reading.source = "field";
      const bool even = n % 2 == 0;
      reading.device = even ? "a" : "b";
      reading.time = *parse_rfc3339("2026-06-01T00:00:00Z") + n * 400ms;
      const std::int64_t turn = n / 2;
      const std::int64_t number = turn % 2 == 0 ? turn + 1 : turn - 1;
      reading.value = Value::map({{Value::text("t"), Value::real(static_cast<double>(random() % 700) / 10)},
                                  {Value::text("id"), Value::integer(static_cast<std::int64_t>(random() % 100))},
                                  {Value::text("seq"), Value::integer(number)}});
      reading.token = FieldToken{.session = 1,
                                 .packet_id = static_cast<std::uint16_t>(n + 5000),  // of a broker that counts through
                                 .content_hash = static_cast<std::uint64_t>(n) + 1000,
                                 .qos = 1};
      batch.push_back(std::move(reading));
    }
  }
  return batches;
}

// One life of a gateway's inside on a disk.
struct Life {
  Life(system::Disk& disk, const ports::Router& router) {
    flow::Stores::All all;
    for (const auto& [id, name] : {std::pair{SpoolId::telemetry, "telemetry"}, std::pair{SpoolId::alarms, "alarms"},
                                   std::pair{SpoolId::dead, "dead"}}) {
      spool::SpoolOptions options;
      options.path = std::string("/spool/") + name;
      options.name = name;
      options.limit = 2 << 20;
      options.commit = 0ms;
      auto opened = spool::Spool::open(disk, clock, options, reporter);
      REQUIRE(opened);
      all[static_cast<std::size_t>(id)] = std::move(*opened);
    }
    stores = std::make_unique<flow::Stores>(std::move(all));
    dead = std::make_unique<flow::DeadLetters>(*stores, flow::DeadLetters::Options{"g", "", ""}, reporter);
    open_state = std::make_unique<flow::OpenState>(*stores, clock);
    REQUIRE(open_state->recover(deliveries));
    notes = std::make_unique<flow::SourceNotes>(*stores, *open_state);
    REQUIRE(notes->recover());
    ingest = std::make_unique<flow::Ingest>(
        "field",
        flow::Ingest::Shared{gateway, *stores, *dead, deliveries, *open_state, *notes, counts, clock, reporter},
        router.open());
  }
  // False if the disk is gone.
  bool flush() const {
    for (const SpoolId id : {SpoolId::alarms, SpoolId::telemetry, SpoolId::dead}) {
      if (!stores->of(id).flush(5s)) return false;
    }
    return true;
  }
  // All that left, and how often: "topic body" by the spool.
  std::map<std::string, int> left() const {
    std::map<std::string, int> out;
    for (const SpoolId id : {SpoolId::telemetry, SpoolId::alarms}) {
      REQUIRE(stores->of(id).for_each(Sequence(1), [&](const spool::Frame& frame) {
        if (frame.internal) return;
        const Result<Record> record = decode_record(frame.payload);
        REQUIRE(record);
        ++out[record->topic + " " + record->body];
      }));
    }
    REQUIRE(stores->of(SpoolId::dead).usage().first == stores->of(SpoolId::dead).next());
    return out;
  }
  void close_all() {
    for (int i = 0; i < 10; ++i) {
      clock.advance(1h);
      REQUIRE(ingest->offer({}));
    }
    REQUIRE(flush());
  }

  const std::string gateway = "g";
  test::ManualClock clock;
  test::CapturingReporter reporter;
  std::unique_ptr<flow::Stores> stores;
  std::unique_ptr<flow::DeadLetters> dead;
  flow::DeliveryTable deliveries;
  std::unique_ptr<flow::OpenState> open_state;
  std::unique_ptr<flow::SourceNotes> notes;
  flow::ReadingCounts counts;
  std::unique_ptr<flow::Ingest> ingest;
};

}  // namespace

TEST_CASE("what rules remember outlives a power cut after any operation of the disk") {
  const auto router = build_rules();
  const auto batches = readings();
  const auto seed = static_cast<std::uint64_t>(std::random_device{}());
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);

  std::map<std::string, int> wanted;
  std::uint64_t operations = 0;
  {
    CrashDisk disk;
    Life life(disk, *router);
    for (const auto& batch : batches) {
      REQUIRE(life.ingest->offer(batch));
      REQUIRE(life.flush());
    }
    operations = disk.operations();
    life.close_all();
    wanted = life.left();
  }
  CHECK(wanted.size() > 100);
  std::size_t alarms = 0;
  for (const auto& [record, count] : wanted) {
    CHECK(count == 1);
    if (record.starts_with("hot ")) ++alarms;
  }
  CHECK(alarms > 10);

  const std::uint64_t step = std::max<std::uint64_t>(1, operations / kCuts);
  std::size_t cuts = 0;
  for (std::uint64_t cut = 1 + random() % step; cut < operations; cut += step) {
    CAPTURE(cut);
    test::DiskImage image;
    std::size_t acknowledged = 0;
    {
      CrashDisk disk;
      std::atomic<std::size_t> acked{0};
      std::atomic<bool> is_cut{false};
      disk.on_operation([&](test::DiskOperation) {
        if (disk.operations() < cut || is_cut.exchange(true)) return;
        image = disk.crash(random() % 2 == 0 ? CrashDisk::Survival::random : CrashDisk::Survival::nothing, random);
        acknowledged = acked.load();
      });
      Life life(disk, *router);
      for (const auto& batch : batches) {
        REQUIRE(life.ingest->offer(batch));
        REQUIRE(life.flush());
        if (is_cut) break;
        ++acked;
      }
      if (!is_cut) continue;
    }
    ++cuts;
    CrashDisk disk(image);
    Life life(disk, *router);
    for (std::size_t i = acknowledged; i < batches.size(); ++i) {
      std::vector<Reading> batch = batches[i];
      for (Reading& reading : batch) reading.token->dup = i == acknowledged;
      REQUIRE(life.ingest->offer(batch));
      REQUIRE(life.flush());
    }
    life.close_all();
    const std::map<std::string, int> got = life.left();
    for (const auto& [record, count] : wanted) {
      CAPTURE(record);
      const auto found = got.find(record);
      CHECK((found != got.end() && found->second == 1));
    }
    CHECK(got.size() == wanted.size());
  }
  CHECK(cuts * 2 > kCuts);
}
