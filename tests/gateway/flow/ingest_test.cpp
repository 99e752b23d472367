// An intake whose spools refuse: nothing is forgotten that is not on disk.
#include "gateway/flow/ingest.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/gateway/flow/open_stores.h"
#include "tests/support/crash_disk.h"
#include "tests/support/process.h"

using namespace railhead;
using namespace std::chrono_literals;
using ports::SpoolId;

namespace {

// Every reading becomes one record.
class OneRecord final : public ports::RuleState {
 public:
  void route(const Reading& reading, const ports::Now&, ports::Routed& out) override {
    out = {};
    Record record;
    record.sink = "up";
    record.topic = "t";
    record.source = reading.source;
    record.device = reading.device;
    out.records.add(record);
    out.verdict = ports::Verdict::routed;
  }
};

// What outlives a gateway: a disk for each spool.
struct Disks {
  test::CrashDisk& of(SpoolId id) { return all[static_cast<std::size_t>(id)]; }
  std::array<test::CrashDisk, ports::kSpools> all;
};

// One life of a gateway's intake, without threads of its own.
struct Life : test::OpenStores {
  explicit Life(Disks& on, std::uint64_t dead_limit = 4 << 20, const std::string& letters_to = {})
      : OpenStores("/spool", setting(on, dead_limit, letters_to)), disks(on) {
    open_state = std::make_unique<flow::OpenState>(*stores, clock);
    REQUIRE(open_state->recover(deliveries));
    notes = std::make_unique<flow::SourceNotes>(*stores, *open_state);
    ingest = std::make_unique<flow::Ingest>(
        "field",
        flow::Ingest::Shared{gateway, *stores, *letters, deliveries, *open_state, *notes, counts, clock, reporter},
        std::make_unique<OneRecord>());
  }
  static Setting setting(Disks& on, std::uint64_t dead_limit, const std::string& letters_to) {
    Setting setting;
    setting.letters.sink = letters_to;
    for (const SpoolId id : ports::kAllSpools) setting.disks[static_cast<std::size_t>(id)] = &on.of(id);
    setting.change = [dead_limit](spool::SpoolOptions& options) {
      options.limit = options.name == "dead" ? dead_limit : 4 << 20;
      options.retry_interval = 5ms;
    };
    return setting;
  }
  Result<ports::Ticket> offer(std::optional<FieldToken> token = std::nullopt) {
    Reading reading;
    reading.source = "field";
    reading.device = "d";
    reading.token = token;
    return ingest->offer({&reading, 1});
  }
  void wait_for(const ports::Ticket& ticket) {
    REQUIRE(test::eventually(10s, [&] { return stores->durable().covers(ticket); }));
  }
  Result<ports::Ticket> refuse(std::string_view payload, std::string_view topic = "t") {
    return ingest->refuse({"field", "d", topic, payload, {}}, {Errc::invalid, "not JSON"});
  }
  status::LaneLedger lane(SpoolId id, std::string_view name) {
    return stores->of(id).ledger(stores->of(id).lane(name));
  }
  // The newest of a lane that is durable.
  std::string newest(SpoolId id, std::string_view name) {
    REQUIRE(stores->of(id).flush(10s));
    std::vector<spool::Frame> frames;
    REQUIRE(stores->of(id).read(stores->of(id).lane(name), {}, 1000, 64 << 20, frames));
    return frames.empty() ? std::string() : frames.back().payload;
  }
  // From now on the spool refuses what is appended.
  void fail(SpoolId id) {
    disks.of(id).fail_writes(Errc::io);
    const spool::Entry entry{.lane = stores->of(id).lane("other"), .payload = "x"};
    REQUIRE(test::eventually(10s, [&] { return !stores->of(id).append({&entry, 1}); }));
  }
  void heal(SpoolId id) {
    disks.of(id).heal();
    REQUIRE(test::eventually(10s, [&] { return !stores->of(id).usage().failing; }));
  }

  Disks& disks;
  flow::DeliveryTable deliveries;
  flow::ReadingCounts counts;
  std::unique_ptr<flow::OpenState> open_state;
  std::unique_ptr<flow::SourceNotes> notes;
  std::unique_ptr<flow::Ingest> ingest;
};

// A line of /proc/self/status, in KiB.
std::size_t memory(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stoul(line.substr(name.size() + 1));
  }
  return 0;
}

FieldToken exactly_once(std::uint16_t packet_id) {
  return {.session = 1, .packet_id = packet_id, .content_hash = packet_id + 1000u, .qos = 2};
}

}  // namespace

TEST_CASE("a PUBREL that the spool refuses closes its identifier when it is taken, and for good") {
  Disks disks;
  {
    Life life(disks);
    life.wait_for(*life.offer(exactly_once(7)));
    life.fail(SpoolId::telemetry);
    for (int again = 0; again < 2; ++again) {
      CHECK_FALSE(life.ingest->deliveries().close(1, 7));
      CHECK(life.ingest->deliveries().is_open(exactly_once(7)));
    }
    life.heal(SpoolId::telemetry);
    const Result<ports::Ticket> closed = life.ingest->deliveries().close(1, 7);
    REQUIRE(closed);
    CHECK(*closed != ports::Ticket{});
    CHECK_FALSE(life.ingest->deliveries().is_open(exactly_once(7)));
  }
  Life next(disks);
  CHECK_FALSE(next.ingest->deliveries().is_open(exactly_once(7)));
}

TEST_CASE("a lost session whose end the spool refuses is ended at the next offer, before what is new of it") {
  Disks disks;
  {
    Life life(disks);
    life.wait_for(*life.offer(exactly_once(7)));
    life.fail(SpoolId::telemetry);
    life.ingest->deliveries().session_lost(1);
    CHECK_FALSE(life.ingest->deliveries().is_open(exactly_once(7)));
    CHECK(life.ingest->next_due());
    CHECK_FALSE(life.offer(exactly_once(8)));
    life.heal(SpoolId::telemetry);
    REQUIRE(test::eventually(10s, [&] { return life.offer(exactly_once(8)).has_value(); }));
    CHECK_FALSE(life.ingest->next_due());
  }
  Life next(disks);
  CHECK_FALSE(next.ingest->deliveries().is_open(exactly_once(7)));
  CHECK(next.ingest->deliveries().is_open(exactly_once(8)));
}

TEST_CASE("an unreadable payload of any size becomes a letter; of what its spool does not take the beginning is kept") {
  Disks disks;
  std::uint64_t dead_limit = 0;
  SUBCASE("the smallest dead letters' spool") { dead_limit = 1 << 20; }
  SUBCASE("the default one") { dead_limit = 64 << 20; }
  Life life(disks, dead_limit, "up");
  for (const std::size_t size : {1'000u, 120'000u, 200'000u, 9u << 20}) {
    for (const char fill : {'x', '\1', '\xff'}) {  // as it is, \u0001 and base64 in the copy
      CAPTURE(size);
      CAPTURE(static_cast<int>(fill));
      const std::string payload(size, fill);
      REQUIRE(life.refuse(payload, std::string(size < 2'000 ? 65'000 : 1, 't')));
      const Result<DeadLetter> letter = decode_dead_letter(life.newest(SpoolId::dead, flow::kDeadLane));
      REQUIRE(letter);
      CHECK(payload.starts_with(letter->payload));
      const bool whole = letter->payload.size() == payload.size();
      CHECK(whole == (size + 1024 < life.stores->of(SpoolId::dead).group_bytes_max()));
      CHECK(letter->payload.size() >= std::min(size, flow::kOversizedPayloadKept - 1024));
      CHECK((letter->reason == "not JSON") == whole);
      CHECK(letter->reason.starts_with("not JSON"));
      CHECK(decode_record(life.newest(SpoolId::telemetry, "up")));
    }
  }
  CHECK(life.lane(SpoolId::telemetry, "up").accepted == 12);
  CHECK(life.reporter.count(status::Event::dead_letter) == 12);
}

TEST_CASE("a letter that one spool refuses is kept, copied and counted once, however often it is tried") {
  SpoolId failing = SpoolId::dead;
  SUBCASE("the dead letters' spool") {}
  SUBCASE("the one of its copy") { failing = SpoolId::telemetry; }
  Disks disks;
  Life life(disks, 4 << 20, "up");
  life.fail(failing);
  for (int again = 0; again < 3; ++again) {
    CHECK_FALSE(life.refuse("no JSON"));
    CHECK_FALSE(life.offer());
  }
  CHECK(life.reporter.count(status::Event::dead_letter) == 0);
  CHECK(life.counts.all()["field"].in == 0);
  life.heal(failing);
  REQUIRE(test::eventually(10s, [&] { return life.refuse("no JSON").has_value(); }));
  CHECK(life.reporter.count(status::Event::dead_letter) == 1);
  CHECK(life.counts.all()["field"].refused == 1);
  CHECK_FALSE(life.newest(SpoolId::dead, flow::kDeadLane).empty());
  CHECK(decode_record(life.newest(SpoolId::telemetry, "up")));
  CHECK(life.lane(SpoolId::dead, flow::kDeadLane).accepted == 1);
  CHECK(life.lane(SpoolId::telemetry, "up").accepted == 1);
}

TEST_CASE("a start remembers of the latest deliveries which they were, not what they carried") {
  constexpr int kRecords = 20'000;
  test::TemporaryDirectory directory;
  {
    test::OpenStores before(directory.path());
    spool::Spool& spool = before.stores->of(SpoolId::telemetry);
    const spool::LaneId lane = spool.lane("up");
    Record record;
    record.sink = "up";
    record.body = std::string(2'000, 'x');
    for (int n = 1; n <= kRecords; ++n) {
      record.token = exactly_once(static_cast<std::uint16_t>(n));
      record.token->spools = flow::bit_of(SpoolId::telemetry);
      std::string payload;
      encode(record, payload);
      const spool::Entry entry{.lane = lane, .payload = payload};
      REQUIRE(test::eventually(10s, [&] { return spool.append({&entry, 1}).has_value(); }));
    }
  }
  test::OpenStores stores(directory.path());
  flow::DeliveryTable deliveries;
  flow::OpenState state(*stores.stores, stores.clock);
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const std::size_t before = memory("VmRSS");
  REQUIRE(state.recover(deliveries));
  CHECK(deliveries.open(exactly_once(kRecords)));
  CHECK(deliveries.open(exactly_once(1)));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(memory("VmHWM") < before + std::size_t{16} * 1024);
#else
  static_cast<void>(before);
#endif
}
