// The pipeline on a real disk: what is offered becomes durable, is given to the sink once, and both ledgers add up
// across restarts.
#include "gateway/flow/pipeline.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>

#include "gateway/message/json.h"
#include "tests/support/capturing_reporter.h"
#include "tests/support/process.h"

using namespace railhead;
using namespace std::chrono_literals;
using flow::Pipeline;
using ports::SpoolId;
using ports::Verdict;

namespace {

// Runs what the test gives it on the source's thread, with the intake in hand.
class TestSource final : public ports::Source {
 public:
  void run(ports::Intake& intake, std::stop_token stop) override {
    const std::stop_callback waker(stop, [this] {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      if (task_) {
        task_(intake);
        task_ = nullptr;
        changed_.notify_all();
      } else {
        changed_.wait(lock);
      }
    }
  }
  void with_intake(std::function<void(ports::Intake&)> task) {
    std::unique_lock lock(mutex_);
    task_ = std::move(task);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !task_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::function<void(ports::Intake&)> task_;
};

// Settles everything, or nothing, or does what the test says with each record.
class TestSink final : public ports::Sink {
 public:
  using OnRecord = std::function<void(ports::Outlet&, const ports::Outgoing&)>;
  explicit TestSink(OnRecord on_record) : on_record_(std::move(on_record)) {}
  void run(ports::Outlet& outlet, std::stop_token stop) override {
    while (!stop.stop_requested()) {
      for (const ports::Outgoing& outgoing : outlet.next({}, stop)) {
        {
          const std::lock_guard lock(mutex_);
          seen_.push_back(outgoing);
        }
        on_record_(outlet, outgoing);
      }
    }
  }
  std::vector<ports::Outgoing> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  OnRecord on_record_;
  mutable std::mutex mutex_;
  std::vector<ports::Outgoing> seen_;
};

std::atomic<std::int64_t> readings_routed{0};

// value.n % 4: 0 one record, 1 record and alarm, 2 filtered, 3 set aside.
class TestRules final : public ports::RuleState {
 public:
  void route(const Reading& reading, const ports::Now&, ports::Routed& out) override {
    out = {};
    ++readings_routed;
    const std::int64_t n = reading.value.find("n")->as_integer();
    Record record;
    record.sink = "up";
    record.topic = "t";
    record.key = reading.device;
    record.source = reading.source;
    record.device = reading.device;
    record.flags = reading.maybe_repeat ? kMaybeRepeat : 0;
    record.body = to_json(reading.value);
    switch (n % 4) {
      case 0: out.records.add(record); break;
      case 1:
        out.records.add(record);
        record.priority = Priority::alarm;
        out.records.add(record);
        break;
      case 2: out.verdict = Verdict::filtered; return;
      default:
        out.verdict = Verdict::set_aside;
        out.set_aside.assign(5, {"rule", "no such key"});  // one letter
        return;
    }
    out.verdict = Verdict::routed;
  }
};

Reading numbered(std::int64_t n, std::optional<FieldToken> token = std::nullopt) {
  Reading reading;
  reading.source = "field";
  reading.device = "d" + std::to_string(n % 3);
  reading.value = Value::map({{Value::text("n"), Value::integer(n)}});
  reading.token = token;
  return reading;
}

FieldToken token(std::uint16_t packet_id, bool dup, std::uint8_t qos = 1) {
  return {.session = 1, .packet_id = packet_id, .content_hash = packet_id + 1000u, .qos = qos, .dup = dup};
}

void settle_all(ports::Outlet& outlet, const ports::Outgoing& outgoing) { outlet.settle(outgoing.place); }
void ignore_all(ports::Outlet&, const ports::Outgoing&) {}

// A machine on which `step` passes between any two looks at boot time.
class SlowClock final : public system::Clock {
 public:
  explicit SlowClock(Duration step) : step_(step) {}
  [[nodiscard]] Time now() const override { return clock_.now(); }
  [[nodiscard]] BootTime boot_now() const override { return clock_.boot_now() + looks_++ * step_; }
  [[nodiscard]] bool trusted() const override { return clock_.trusted(); }

 private:
  system::SystemClock clock_;
  Duration step_;
  mutable std::atomic<std::int64_t> looks_{0};
};

// One life of a gateway.
struct Gateway {
  explicit Gateway(const std::string& directory, TestSink::OnRecord on_record = settle_all,
                   std::function<void(flow::PipelineOptions&)> change = {}, Duration slow = {})
      : clock(slow) {
    flow::PipelineOptions options;
    options.gateway = "g";
    options.directory = directory;
    options.telemetry.limit = 16 << 20;
    options.telemetry.commit = 1ms;
    options.alarms_limit = options.dead_limit = 2 << 20;
    if (change) change(options);
    Result<std::unique_ptr<Pipeline>> opened = Pipeline::open(*disk, clock, options, reporter);
    REQUIRE(opened);
    pipeline = std::move(*opened);
    auto owned_source = std::make_unique<TestSource>();
    auto owned_sink = std::make_unique<TestSink>(std::move(on_record));
    source = owned_source.get();
    sink = owned_sink.get();
    pipeline->add_source("field", std::move(owned_source), std::make_unique<TestRules>());
    pipeline->add_sink("up", std::move(owned_sink));
    pipeline->start();
  }
  // Offers and waits until it may be acknowledged.
  ports::Ticket offer(const std::vector<Reading>& batch) {
    ports::Ticket ticket;
    source->with_intake([&](ports::Intake& intake) {
      const Result<ports::Ticket> offered = intake.offer(batch);
      REQUIRE(offered);
      ticket = *offered;
    });
    REQUIRE(test::eventually(5s, [&] { return pipeline->stores().durable().covers(ticket); }));
    return ticket;
  }
  status::LaneLedger lane(SpoolId spool = SpoolId::telemetry, std::string_view name = "up") {
    for (const spool::LaneInfo& info : pipeline->stores().of(spool).lanes()) {
      if (info.name == name) return info.ledger;
    }
    return {};
  }
  status::ReadingLedger readings() { return pipeline->readings()["field"]; }

  std::unique_ptr<system::Disk> disk = system::posix_disk();
  SlowClock clock;
  test::CapturingReporter reporter;
  std::unique_ptr<Pipeline> pipeline;
  TestSource* source = nullptr;
  TestSink* sink = nullptr;
};

}  // namespace

TEST_CASE("every reading counts once, every record arrives once, and both ledgers add up") {
  test::TemporaryDirectory directory;
  Gateway gateway(directory.path());
  std::vector<Reading> batch;
  for (int n = 0; n < 400; ++n) batch.push_back(numbered(n));
  gateway.offer(batch);
  CHECK(test::eventually(
      5s, [&] { return gateway.lane().delivered == 200 && gateway.lane(SpoolId::alarms).delivered == 100; }));
  CHECK(gateway.sink->seen().size() == 300);
  const status::ReadingLedger readings = gateway.readings();
  CHECK(readings.in == 400);
  CHECK(readings.routed == 200);
  CHECK(readings.filtered == 100);
  CHECK(readings.set_aside == 100);
  CHECK(readings.adds_up());
  CHECK(gateway.lane().adds_up());
  CHECK(gateway.lane(SpoolId::alarms).adds_up());
  CHECK(gateway.lane(SpoolId::dead, "dead").spooled == 100);
}

TEST_CASE("what no sink confirmed is given again after a restart, with the same identity, and counts go on") {
  test::TemporaryDirectory directory;
  std::vector<std::string> before;
  {
    Gateway gateway(directory.path(), ignore_all);
    gateway.offer({numbered(0), numbered(4), numbered(8)});
    REQUIRE(test::eventually(5s, [&] { return gateway.sink->seen().size() == 3; }));
    for (const ports::Outgoing& outgoing : gateway.sink->seen()) before.push_back(outgoing.identity);
    gateway.pipeline->stop(0s);
  }
  Gateway gateway(directory.path());
  REQUIRE(test::eventually(5s, [&] { return gateway.lane().delivered == 3; }));
  std::vector<std::string> after;
  for (const ports::Outgoing& outgoing : gateway.sink->seen()) after.push_back(outgoing.identity);
  CHECK(before == after);
  CHECK(gateway.readings().in == 3);
  gateway.offer({numbered(12)});
  CHECK(gateway.readings().in == 4);
  CHECK(gateway.lane().adds_up());
}

TEST_CASE("a redelivery is recognised, also after a restart; one that was acknowledged is marked instead") {
  test::TemporaryDirectory directory;
  {
    Gateway gateway(directory.path(), ignore_all);
    gateway.offer({numbered(0, token(5001, false)), numbered(4, token(5002, false))});
    gateway.offer({numbered(0, token(5001, true))});
    CHECK(gateway.readings().redelivered == 1);
    gateway.source->with_intake([](ports::Intake& intake) {
      const std::uint16_t id = 5002;
      intake.deliveries().acknowledged(1, {&id, 1});
    });
    gateway.offer({numbered(4, token(5002, true))});
    CHECK(gateway.readings().redelivered == 1);
    REQUIRE(test::eventually(5s, [&] { return gateway.sink->seen().size() == 3; }));
    CHECK((gateway.sink->seen()[2].record.flags & kMaybeRepeat) != 0);
    CHECK((gateway.sink->seen()[0].record.flags & kMaybeRepeat) == 0);
    gateway.pipeline->stop(0s);
  }
  Gateway gateway(directory.path());
  gateway.offer({numbered(0, token(5001, true))});
  CHECK(gateway.readings().redelivered == 2);
  CHECK(gateway.readings().adds_up());
}

TEST_CASE("a broker that gives identifiers anew at once is not suspected of a repeat after a restart") {
  test::TemporaryDirectory directory;
  std::vector<std::uint16_t> before;
  SUBCASE("it uses the lowest free one") { before = {1, 2, 1}; }
  SUBCASE("not enough was seen of it") { before = {1}; }
  SUBCASE("it has counted up, but no further than may be under way at once") { before = {1, 4095, 4096}; }
  {
    Gateway gateway(directory.path());
    for (const std::uint16_t id : before) gateway.offer({numbered(0, token(id, false))});
    gateway.pipeline->stop(5s);
  }
  Gateway gateway(directory.path(), ignore_all);
  gateway.offer({numbered(0, token(1, true))});  // perhaps a new message with the old one's content
  CHECK(gateway.readings().redelivered == 0);
  REQUIRE(test::eventually(5s, [&] { return gateway.sink->seen().size() == 1; }));
  CHECK((gateway.sink->seen()[0].record.flags & kMaybeRepeat) != 0);
}

TEST_CASE("after a kill between two spools a QoS 2 delivery brings what is missing, and no more") {
  test::TemporaryDirectory directory;
  // As the kill leaves it: one spool has its part, the other had not written yet.
  const auto lose = [&](SpoolId spool) {
    std::filesystem::remove_all(std::filesystem::path(directory.path()) / ports::name_of(spool));
  };
  SUBCASE("an unreadable payload's letter") {
    const auto refuse = [](Gateway& gateway, bool dup) {
      gateway.source->with_intake([&](ports::Intake& intake) {
        const ports::RawInput raw{"field", "d", "t", "no JSON", token(7, dup, 2)};
        REQUIRE(intake.refuse(raw, {Errc::invalid, "not JSON"}));
      });
    };
    for (const SpoolId lost : {SpoolId::dead, SpoolId::telemetry}) {
      {
        Gateway gateway(directory.path());
        refuse(gateway, false);
        refuse(gateway, true);
        CHECK(gateway.readings().redelivered == 1);
        gateway.pipeline->stop(1s);
      }
      lose(lost);
      Gateway gateway(directory.path());
      gateway.source->with_intake(
          [](ports::Intake& intake) { CHECK_FALSE(intake.deliveries().is_open(token(7, true, 2))); });
      refuse(gateway, true);
      CHECK(test::eventually(5s, [&] { return gateway.lane(SpoolId::dead, "dead").spooled == 1; }));
      gateway.source->with_intake([](ports::Intake& intake) { CHECK(intake.deliveries().is_open(token(7, true, 2))); });
      gateway.pipeline->stop(1s);
      for (const SpoolId spool : ports::kAllSpools) lose(spool);
    }
  }
  SUBCASE("a message that became several readings, each with an alarm") {
    const auto parts = [](bool dup) {
      std::vector<Reading> readings{numbered(1, token(7, dup, 2)), numbered(5, token(7, dup, 2)),
                                    numbered(9, token(7, dup, 2))};
      readings[0].token->leads = readings[1].token->leads = true;
      return readings;
    };
    {
      Gateway gateway(directory.path(), ignore_all);
      gateway.offer(parts(false));
      CHECK(gateway.readings().routed == 3);
      gateway.pipeline->stop(1s);
    }
    lose(SpoolId::telemetry);
    Gateway gateway(directory.path(), ignore_all);
    gateway.offer(parts(true));
    CHECK(gateway.lane(SpoolId::alarms).accepted == 3);
    CHECK(gateway.lane().accepted == 3);
    gateway.source->with_intake([](ports::Intake& intake) { CHECK(intake.deliveries().is_open(token(7, true, 2))); });
  }
}

TEST_CASE("a QoS 2 identifier stays open across a restart until its PUBREL, also when the rules made nothing of it") {
  test::TemporaryDirectory directory;
  {
    Gateway gateway(directory.path());
    gateway.offer({numbered(0, token(1, false, 2)), numbered(2, token(2, false, 2)), numbered(4, token(3, false, 2))});
    ports::Ticket closed;
    gateway.source->with_intake([&](ports::Intake& intake) { closed = *intake.deliveries().close(1, 3); });
    REQUIRE(test::eventually(5s, [&] { return gateway.pipeline->stores().durable().covers(closed); }));
    gateway.pipeline->stop(1s);
  }
  Gateway gateway(directory.path());
  gateway.source->with_intake([](ports::Intake& intake) {
    CHECK(intake.deliveries().is_open(token(1, false, 2)));
    CHECK(intake.deliveries().is_open(token(2, true, 2)));
    CHECK_FALSE(intake.deliveries().is_open(token(3, true, 2)));
  });
}

TEST_CASE("what was under an identifier before does not undo what a start knows of its newer message, in any spool") {
  test::TemporaryDirectory directory;
  bool loses = false;
  std::int64_t first = 1;  // a record and an alarm
  SUBCASE("closed by PUBREL, the same content") {}
  SUBCASE("closed by PUBREL, another kind of message") { first = 0; }
  SUBCASE("the session was lost") { loses = true; }
  {
    Gateway gateway(directory.path());
    gateway.offer({numbered(first, token(5, false, 2))});
    gateway.source->with_intake([&](ports::Intake& intake) {
      if (loses) return intake.deliveries().session_lost(1);
      REQUIRE(intake.deliveries().close(1, 5));
    });
    gateway.offer({numbered(1, token(5, false, 2))});
    gateway.pipeline->stop(5s);
  }
  // However long the start takes from one spool to the next.
  Gateway gateway(directory.path(), settle_all, {}, 1s);
  gateway.source->with_intake([](ports::Intake& intake) { CHECK(intake.deliveries().is_open(token(5, true, 2))); });
  const std::uint64_t alarms = gateway.lane(SpoolId::alarms).accepted;
  CHECK(alarms == static_cast<std::uint64_t>(first) + 1);
  gateway.offer({numbered(1, token(5, true, 2))});
  CHECK(gateway.lane(SpoolId::alarms).accepted == alarms);
  CHECK(gateway.readings().redelivered == 1);
}

TEST_CASE("an open QoS 2 identifier outlives its delivered records' segments; a lost session closes it for good") {
  test::TemporaryDirectory directory;
  const auto is_open = [](Gateway& gateway) {
    bool open = false;
    gateway.source->with_intake([&](ports::Intake& intake) { open = intake.deliveries().is_open(token(1, true, 2)); });
    return open;
  };
  {
    Gateway gateway(directory.path());
    gateway.offer({numbered(0, token(1, false, 2))});
    gateway.pipeline->stop(5s);
  }
  for (int start = 0; start < 2; ++start) {
    Gateway gateway(directory.path());
    CHECK(is_open(gateway));
    gateway.offer({numbered(4)});  // a new segment: the earlier one is owed nothing but the identifier
    gateway.pipeline->stop(5s);
  }
  {
    Gateway gateway(directory.path());
    CHECK(is_open(gateway));
    gateway.source->with_intake([](ports::Intake& intake) { intake.deliveries().session_lost(1); });
    CHECK_FALSE(is_open(gateway));
    gateway.pipeline->stop(5s);
  }
  Gateway gateway(directory.path());
  CHECK_FALSE(is_open(gateway));
}

TEST_CASE("a source's note and the sessions with open identifiers are there after a restart, the newest note alone") {
  test::TemporaryDirectory directory;
  for (int life = 0; life < 3; ++life) {
    CAPTURE(life);
    Gateway gateway(directory.path());
    gateway.source->with_intake([&](ports::Intake& intake) {
      CHECK(intake.deliveries().note() == (life == 0 ? "" : "of life " + std::to_string(life - 1)));
      CHECK(intake.deliveries().open_sessions() == std::vector<std::uint64_t>(life == 0 ? 0 : 1, 1));
      REQUIRE(intake.deliveries().keep_note("earlier"));
      const Sequence before = gateway.pipeline->stores().of(SpoolId::telemetry).next();
      REQUIRE(intake.deliveries().keep_note("earlier"));
      CHECK(gateway.pipeline->stores().of(SpoolId::telemetry).next() == before);
      REQUIRE(intake.deliveries().keep_note("of life " + std::to_string(life)));
    });
    if (life == 0) gateway.offer({numbered(0, token(1, false, 2))});
    gateway.pipeline->stop(1s);
  }
}

TEST_CASE("poison is set aside with its reason and its neighbours go on; a refusal is given again, marked late") {
  test::TemporaryDirectory directory;
  Gateway gateway(directory.path(), [](ports::Outlet& outlet, const ports::Outgoing& outgoing) {
    if (outgoing.record.body.find(":4}") != std::string::npos) {
      outlet.set_aside(outgoing, {Errc::refused, "message too large"});
    } else if (outgoing.record.body.find(":8}") != std::string::npos && !outgoing.late) {
      outlet.retry(outgoing, {Errc::unavailable, "nack"});
    } else {
      outlet.settle(outgoing.place);
    }
  });
  gateway.offer({numbered(0), numbered(4), numbered(8), numbered(12)});
  CHECK(test::eventually(10s, [&] { return gateway.lane().delivered == 3 && gateway.lane().set_aside == 1; }));
  const std::vector<ports::Outgoing> seen = gateway.sink->seen();
  REQUIRE(seen.size() == 5);
  CHECK(seen.back().late);
  CHECK(seen.back().identity == seen[2].identity);
  CHECK(gateway.lane().repeats == 1);
  CHECK(gateway.lane().adds_up());
  CHECK(gateway.lane(SpoolId::dead, "dead").spooled == 1);
  CHECK(gateway.reporter.count(status::Event::dead_letter) == 1);
}

TEST_CASE("a record whose ttl is over expires instead of leaving") {
  test::TemporaryDirectory directory;
  struct Expiring final : ports::RuleState {
    void route(const Reading& reading, const ports::Now& now, ports::Routed& out) override {
      rules.route(reading, now, out);
      Record hasty = out.records.at(0);
      hasty.ttl = 1ns;
      out.records.clear();
      out.records.add(hasty);
    }
    TestRules rules;
  };
  Gateway gateway(directory.path());
  gateway.pipeline->stop(0s);
  auto owned = std::make_unique<TestSource>();
  TestSource* source = owned.get();
  gateway.pipeline->add_source("hasty", std::move(owned), std::make_unique<Expiring>());
  gateway.pipeline->start();
  source->with_intake([](ports::Intake& intake) {
    const Reading reading = numbered(0);
    REQUIRE(intake.offer({&reading, 1}));
  });
  CHECK(test::eventually(5s, [&] { return gateway.lane().expired == 1; }));
  CHECK(gateway.lane().adds_up());
}

TEST_CASE("a full spool that blocks takes nothing, and the same batch goes through the rules once") {
  test::TemporaryDirectory directory;
  Gateway gateway(directory.path(), ignore_all, [](flow::PipelineOptions& options) {
    options.telemetry.limit = 1 << 20;
    options.telemetry.when_full = spool::SpoolOptions::WhenFull::block;
  });
  std::int64_t taken = 0;
  bool full = false;
  readings_routed = 0;
  REQUIRE(test::eventually(30s, [&] {
    std::vector<Reading> batch;
    for (std::int64_t i = 0; i < 20; ++i) {
      Reading reading = numbered(0);
      reading.value = Value::map({{Value::text("n"), Value::integer(4 * (taken + i))},
                                  {Value::text("fill"), Value::text(std::string(200, 'x'))}});
      batch.push_back(reading);
    }
    gateway.source->with_intake([&](ports::Intake& intake) {
      Result<ports::Ticket> offered = intake.offer(batch);
      if (!offered) offered = intake.offer(batch);
      if (offered) {
        taken += 20;
        return;
      }
      full = offered.error().code == Errc::full && gateway.pipeline->stores().of(SpoolId::telemetry).usage().full;
    });
    return full;
  }));
  CHECK(gateway.readings().in == static_cast<std::uint64_t>(taken));
  CHECK(readings_routed == taken + 20);
  CHECK(gateway.lane().dropped == 0);
  CHECK(test::eventually(5s, [&] { return gateway.lane().accepted == static_cast<std::uint64_t>(taken); }));
}

TEST_CASE("a reading too large for the spool is set aside, and a batch larger than its buffer goes in parts") {
  test::TemporaryDirectory directory;
  Gateway gateway(directory.path(), settle_all,
                  [](flow::PipelineOptions& options) { options.telemetry.limit = 4 << 20; });
  const auto filled = [](std::int64_t n, std::size_t bytes) {
    Reading reading = numbered(n, token(static_cast<std::uint16_t>(n + 1), false));
    reading.value = Value::map(
        {{Value::text("n"), Value::integer(n)}, {Value::text("fill"), Value::text(std::string(bytes, 'x'))}});
    return reading;
  };
  gateway.offer({filled(0, 10), filled(4, 3 << 20), filled(8, 10)});
  CHECK(test::eventually(5s, [&] { return gateway.lane().delivered == 2; }));
  CHECK(gateway.readings().set_aside == 1);
  CHECK(gateway.lane(SpoolId::dead, "dead").spooled == 1);
  std::vector<Reading> large;
  for (std::int64_t n = 0; n < 20; ++n) large.push_back(filled(4 * n + 100, 100'000));
  // Part of it may have to wait for the disk: the source offers the same batch again.
  CHECK(test::eventually(5s, [&] {
    bool taken = false;
    gateway.source->with_intake([&](ports::Intake& intake) { taken = intake.offer(large).has_value(); });
    return taken;
  }));
  CHECK(test::eventually(5s, [&] { return gateway.lane().delivered == 22; }));
  CHECK(gateway.readings().adds_up());
  CHECK(gateway.lane().adds_up());
}

TEST_CASE("records of a sink that is no longer configured wait, are reported, and are delivered when it returns") {
  test::TemporaryDirectory directory;
  {
    Gateway gateway(directory.path(), ignore_all);
    gateway.offer({numbered(0), numbered(4)});
    gateway.pipeline->stop(0s);
  }
  {
    const std::unique_ptr<system::Disk> disk = system::posix_disk();
    const system::SystemClock clock;
    test::CapturingReporter reporter;
    flow::PipelineOptions options;
    options.gateway = "g";
    options.directory = directory.path();
    options.telemetry.limit = 16 << 20;
    options.alarms_limit = options.dead_limit = 2 << 20;
    auto pipeline = Pipeline::open(*disk, clock, options, reporter);
    REQUIRE(pipeline);
    (*pipeline)->start();
    CHECK(reporter.count(status::Event::lane_orphaned) == 1);
    (*pipeline)->stop(0s);
  }
  Gateway gateway(directory.path());
  CHECK(test::eventually(5s, [&] { return gateway.lane().delivered == 2; }));
}
