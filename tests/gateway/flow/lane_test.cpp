// A lane over real spools: destinations that wait, records that are done once.
#include "gateway/flow/lane.h"

#include <doctest/doctest.h>
#include <malloc.h>
#include <poll.h>

#include <filesystem>
#include <map>

#include "tests/gateway/flow/open_stores.h"
#include "tests/support/crash_disk.h"
#include "tests/support/process.h"

using namespace railhead;
using namespace std::chrono_literals;
using flow::Lane;
using ports::SpoolId;

namespace {

// The spools and the lane "up" of one gateway in a directory.
struct Bench : test::OpenStores {
  explicit Bench(const std::string& directory, const Setting& setting = Setting{}) : OpenStores(directory, setting) {
    REQUIRE(started->recover());
    lane = std::make_unique<Lane>("up", Lane::Shared{gateway, *stores, *letters, *started, clock});
  }

  // Appends numbered records and waits until they are durable.
  void append(const std::string& topic, int from, int through, std::size_t fill = 0, SpoolId id = SpoolId::telemetry) {
    spool::Spool& spool = stores->of(id);
    for (int n = from; n <= through; ++n) {
      Record record;
      record.sink = "up";
      record.topic = topic;
      record.body = std::to_string(n) + std::string(fill, ' ');
      std::string payload;
      encode(record, payload);
      const spool::Entry entry{.lane = lane->id(id), .payload = payload};
      while (!spool.append({&entry, 1})) std::this_thread::sleep_for(1ms);
    }
    const Sequence last(spool.next().value() - 1);
    REQUIRE(test::eventually(10s, [&] { return spool.durable() >= last; }));
  }
  void set_aside(const std::vector<ports::Outgoing>& many) {
    for (const ports::Outgoing& one : many) lane->set_aside(one, {Errc::refused, "message too large"});
  }
  // What next() gives until it gives nothing.
  std::vector<ports::Outgoing> take(bool settle = true, std::size_t records = 1000) {
    std::vector<ports::Outgoing> all;
    for (int quiet = 0; quiet < 20;) {
      const auto batch = lane->next({.records = records, .bytes = 1 << 20, .wait = 0s}, {});
      quiet = batch.empty() ? quiet + 1 : 0;
      for (const ports::Outgoing& outgoing : batch) {
        all.push_back(outgoing);
        if (settle) lane->settle(outgoing.place);
      }
    }
    return all;
  }
  status::LaneLedger ledger(SpoolId id = SpoolId::telemetry) { return stores->of(id).ledger(lane->id(id)); }

  std::unique_ptr<Lane> lane;
};

std::map<std::string, std::vector<int>> by_topic(const std::vector<ports::Outgoing>& outgoing) {
  std::map<std::string, std::vector<int>> numbers;
  for (const ports::Outgoing& one : outgoing) numbers[one.record.topic].push_back(std::stoi(one.record.body));
  return numbers;
}

std::vector<int> count_up(int from, int through) {
  std::vector<int> numbers;
  for (int n = from; n <= through; ++n) numbers.push_back(n);
  return numbers;
}

std::size_t allocated() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace

TEST_CASE("a held topic waits with 50,000 records while others flow; let out, it comes in order and once") {
  test::TemporaryDirectory directory;
  Bench bench(directory.path());
  bench.append("held", 1, 1);
  const std::vector<ports::Outgoing> refused = bench.take(false);
  REQUIRE(refused.size() == 1);
  bench.lane->hold("held");
  bench.append("free", 1, 100, 200);
  CHECK(bench.take().size() == 100);
  const std::size_t before = allocated();
  for (int part = 0; part < 50; ++part) {
    bench.append("held", 2 + part * 1000, 1001 + part * 1000, 200);
    bench.append("free", 101 + part * 10, 110 + part * 10, 200);
    CHECK(by_topic(bench.take()) ==
          std::map<std::string, std::vector<int>>{{"free", count_up(101 + part * 10, 110 + part * 10)}});
  }
  // 14 MB wait. Of that are in memory: the tail (2 MiB), buffers kept for another use (1 MiB), the batch that is
  // gathered and the one that is written, the lane's reading, and a bit for each record.
  constexpr std::size_t kBound = std::size_t{6} << 20;
  CHECK(allocated() < before + kBound);
  status::LaneLedger ledger = bench.ledger();
  CHECK(ledger.held == 50'000);
  CHECK(ledger.spooled == 1);  // the one that was given
  CHECK(ledger.adds_up());

  SUBCASE("let out") {
    bench.lane->release("held");
    bench.append("held", 50'002, 50'010);
    bench.append("free", 601, 610);
    auto numbers = by_topic(bench.take());
    CHECK(numbers["held"] == count_up(1, 50'010));
    CHECK(numbers["free"] == count_up(601, 610));
    ledger = bench.ledger();
    CHECK(ledger.held == 0);
    CHECK(ledger.spooled == 0);
    CHECK(ledger.repeats == 1);
    CHECK(ledger.adds_up());
    bench.append("held", 50'011, 50'020);
    CHECK(by_topic(bench.take())["held"] == count_up(50'011, 50'020));
    numbers.clear();
    CHECK(allocated() < before + kBound);
  }
  SUBCASE("killed meanwhile, nothing is lost") {
    bench.lane->release("held");
    const auto some = bench.lane->next({.records = 500, .bytes = 1 << 20, .wait = 0s}, {});
    REQUIRE(some.size() > 100);
    for (std::size_t i = 0; i < 100; ++i) bench.lane->settle(some[i].place);
    // What the disk holds at this moment is what a kill leaves.
    test::TemporaryDirectory killed;
    std::filesystem::copy(directory.path(), killed.path(), std::filesystem::copy_options::recursive);
    Bench again(killed.path());
    const status::LaneLedger found = again.ledger();
    CHECK(found.held == 0);
    CHECK(found.adds_up());
    const std::vector<int> numbers = by_topic(again.take())["held"];
    REQUIRE(!numbers.empty());
    CHECK(numbers.front() <= 101);
    CHECK(numbers == count_up(numbers.front(), 50'001));
  }
}

TEST_CASE("a probe lets one record out; refused, it waits again and comes marked late") {
  test::TemporaryDirectory directory;
  Bench bench(directory.path());
  bench.append("a", 1, 5);
  bench.append("b", 1, 2);
  for (const ports::Outgoing& outgoing : bench.take(false)) {
    if (outgoing.record.topic == "b") {
      bench.lane->settle(outgoing.place);
    } else {
      bench.lane->hold("a");
      bench.lane->retry(outgoing, {Errc::unavailable, "no such topic"});
    }
  }
  CHECK(bench.ledger().held == 5);
  CHECK(bench.take().empty());
  bench.append("a", 6, 9);
  CHECK(bench.take().empty());
  for (int round = 0; round < 3; ++round) {
    bench.lane->probe("a");
    const std::vector<ports::Outgoing> probe = bench.take(false);
    REQUIRE(probe.size() == 1);
    CHECK(probe[0].record.body == "1");
    CHECK(probe[0].late);
    bench.lane->retry(probe[0], {Errc::unavailable, "no such topic"});
  }
  bench.lane->probe("a");
  const std::vector<ports::Outgoing> probe = bench.take();
  REQUIRE(probe.size() == 1);
  bench.lane->release("a");
  const std::vector<ports::Outgoing> rest = bench.take();
  CHECK(by_topic(rest)["a"] == count_up(2, 9));
  for (const ports::Outgoing& outgoing : rest) CHECK(outgoing.late == (std::stoi(outgoing.record.body) <= 5));
  CHECK(bench.ledger().held == 0);
  CHECK(bench.ledger().delivered == 11);
  CHECK(bench.ledger().adds_up());
}

TEST_CASE("a probe asked of a destination that owes nothing is the next record that comes") {
  test::TemporaryDirectory directory;
  Bench bench(directory.path());
  bench.append("a", 1, 1);
  const auto first = bench.take(false);
  bench.lane->hold("a");
  bench.lane->settle(first.at(0).place);
  bench.lane->probe("a");
  CHECK(bench.take().empty());
  bench.append("a", 2, 4);
  CHECK(by_topic(bench.take())["a"] == count_up(2, 2));
}

TEST_CASE("a rewind leaves held destinations held, and begins the others again") {
  test::TemporaryDirectory directory;
  Bench bench(directory.path());
  bench.append("a", 1, 3);
  bench.append("b", 1, 3);
  bench.append("alarm", 1, 1, 0, SpoolId::alarms);
  CHECK(bench.take(false).size() == 7);
  bench.lane->hold("a");
  bench.lane->rewind();
  auto again = by_topic(bench.take(false));
  CHECK(again.size() == 2);
  CHECK(again["b"] == count_up(1, 3));
  bench.lane->release("a");
  bench.lane->rewind();
  again = by_topic(bench.take());
  CHECK(again["a"] == count_up(1, 3));
  CHECK(again["b"] == count_up(1, 3));
  CHECK(again["alarm"] == count_up(1, 1));
  CHECK(bench.ledger().spooled == 0);
  CHECK(bench.ledger().held == 0);
}

TEST_CASE("what the upstream keeps refusing is bounded in memory and does not stop the others") {
  test::TemporaryDirectory directory;
  Bench bench(directory.path());
  const int refused = static_cast<int>(3 * flow::kRetriesMax);
  bench.append("bad", 1, refused, 500);
  bench.append("good", 1, 1000);
  const std::size_t before = allocated();
  std::size_t good = 0;
  for (int round = 0; round < 40; ++round) {
    for (const ports::Outgoing& outgoing : bench.lane->next({.records = 500, .bytes = 1 << 20, .wait = 0s}, {})) {
      if (outgoing.record.topic == "good") {
        bench.lane->settle(outgoing.place);
        ++good;
      } else {
        bench.lane->retry(outgoing, {Errc::unavailable, "queue is full"});
      }
    }
  }
  CHECK(good == 1000);
  CHECK(allocated() < before + (6u << 20));
  CHECK(bench.ledger().held > 0);
  CHECK(bench.ledger().adds_up());
  // It is let out by itself, from the first one on.
  REQUIRE(test::eventually(10s, [&] {
    const auto batch = bench.lane->next({.records = 1, .bytes = 1 << 20, .wait = 50ms}, {});
    return !batch.empty() && std::stoi(batch[0].record.body) == 1 && batch[0].late;
  }));
}

TEST_CASE("what was started and not settled is given with started_before in the next life, until it is settled") {
  test::TemporaryDirectory directory;
  for (const SpoolId id : {SpoolId::telemetry, SpoolId::alarms}) {
    CAPTURE(static_cast<int>(id));
    {
      Bench bench(directory.path());
      bench.append("command", 1, 3, 0, id);
      const std::vector<ports::Outgoing> given = bench.take(false);
      REQUIRE(given.size() == 3);
      CHECK_FALSE(given[0].started_before);
      REQUIRE(bench.lane->started(given[0].place));
      REQUIRE(bench.lane->started(given[1].place));
      REQUIRE(bench.lane->started(given[1].place));
      bench.lane->settle(given[0].place);
      test::TemporaryDirectory killed;
      std::filesystem::copy(directory.path(), killed.path(), std::filesystem::copy_options::recursive);
      Bench again(killed.path());
      std::map<std::string, bool> before;
      for (const ports::Outgoing& outgoing : again.take()) before[outgoing.record.body] = outgoing.started_before;
      CHECK(before["2"]);
      CHECK_FALSE(before["3"]);
      for (const auto& info : again.stores->of(id).lanes()) CHECK(info.ledger.spooled == 0);
      bench.lane->rewind();
      bench.take();
    }
    Bench settled(directory.path());
    CHECK(settled.take().empty());
    for (const auto& info : settled.stores->of(id).lanes()) CHECK(info.ledger.spooled == 0);
  }
}

TEST_CASE("a poisonous record larger than any letter leaves its lane; the beginning of it is kept") {
  test::TemporaryDirectory directory;
  Bench bench(directory.path(), {.change = [](spool::SpoolOptions& options) {
                if (options.name == "dead") options.limit = 1 << 20;
              }});
  bench.append("poison", 1, 1, 200'000);
  bench.set_aside(bench.take(false));
  REQUIRE(test::eventually(10s, [&] {
    bench.lane->finish_set_aside();
    return bench.ledger().set_aside == 1;
  }));
  CHECK(bench.ledger().spooled == 0);
  CHECK(bench.reporter.count(status::Event::dead_letter) == 1);
}

TEST_CASE("while no dead letter can be written, poison is bounded in memory, is not given again, and is told once") {
  test::TemporaryDirectory directory;
  test::CrashDisk dead;
  Bench bench(directory.path(), {.disks = {nullptr, nullptr, &dead},
                                 .change = [](spool::SpoolOptions& options) { options.retry_interval = 5ms; }});
  const auto id = bench.stores->of(SpoolId::dead).lane("other");
  dead.fail_writes(Errc::io);
  const spool::Entry entry{.lane = id, .payload = "x"};
  REQUIRE(test::eventually(10s, [&] { return !bench.stores->of(SpoolId::dead).append({&entry, 1}); }));

  bench.append("worse", 1, 10);  // not held: below the bound
  bench.append("bad", 1, 3'000, 4'000);
  bench.append("good", 1, 100);
  const std::size_t before = allocated();
  const auto round = [&] {
    std::map<std::string, std::size_t> given;
    for (int quiet = 0; quiet < 20;) {
      const auto batch = bench.lane->next({.records = 100, .bytes = 1 << 20, .wait = 0s}, {});
      quiet = batch.empty() ? quiet + 1 : 0;
      for (const ports::Outgoing& outgoing : batch) {
        ++given[outgoing.record.topic];
        if (outgoing.record.topic == "good") {
          bench.lane->settle(outgoing.place);
        } else {
          bench.lane->set_aside(outgoing, {Errc::refused, "schema"});
        }
      }
    }
    return given;
  };
  CHECK(round()["good"] == 100);
  CHECK(allocated() < before + flow::kSetAsideBytesMax + (4u << 20));
  const std::uint64_t held = bench.ledger().held;
  CHECK(held > 500);
  CHECK(held < 2'500);
  // What waits for its letter is on its way.
  bench.lane->rewind();
  CHECK(round()["worse"] == 0);
  CHECK(bench.reporter.count(status::Event::dead_letter) == 0);

  dead.heal();
  REQUIRE(test::eventually(20s, [&] {
    round();
    return bench.ledger().set_aside == 3'010;
  }));
  CHECK(bench.ledger().adds_up());
  CHECK(bench.ledger().spooled == 0);
  CHECK(bench.reporter.count(status::Event::dead_letter) == 3'010);
  CHECK(bench.stores->of(SpoolId::dead).ledger(bench.stores->of(SpoolId::dead).lane(flow::kDeadLane)).accepted ==
        3'010);
}

TEST_CASE("a sink that waits by itself knows when to ask again, and is told when that changes") {
  const auto readable = [](int fd) {
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&ready, 1, 0) == 1;
  };
  test::TemporaryDirectory directory;
  Bench bench(directory.path());
  CHECK(bench.take().empty());
  CHECK_FALSE(bench.lane->next_due().has_value());
  bench.append("a", 1, 1);
  REQUIRE(readable(bench.lane->ready_fd()));
  const std::vector<ports::Outgoing> given = bench.take(false);
  REQUIRE(given.size() == 1);
  REQUIRE(test::eventually(10s, [&] { return bench.take().empty() && !readable(bench.lane->ready_fd()); }));
  const BootTime before = bench.clock.boot_now();
  bench.lane->retry(given[0], {Errc::unavailable, "full"});
  CHECK(readable(bench.lane->ready_fd()));
  CHECK(bench.take().empty());
  REQUIRE(bench.lane->next_due().has_value());
  CHECK(*bench.lane->next_due() >= before + flow::kRetryAfter);
  CHECK(*bench.lane->next_due() <= bench.clock.boot_now() + flow::kRetryAfter);
  CHECK(bench.lane->next({.records = 10, .bytes = 1 << 20, .wait = 1min}, {}).size() == 1);
  CHECK_FALSE(bench.lane->next_due().has_value());
}

TEST_CASE("what waits to be given again is held with its destination, and counted so") {
  test::TemporaryDirectory directory;
  Bench bench(directory.path());
  bench.append("a", 1, 5);
  for (const ports::Outgoing& outgoing : bench.take(false)) bench.lane->retry(outgoing, {Errc::unavailable, "full"});
  bench.lane->hold("a");
  CHECK(bench.ledger().held == 5);
  CHECK(bench.ledger().spooled == 0);
  bench.lane->release("a");
  CHECK(by_topic(bench.take())["a"] == count_up(1, 5));
  CHECK(bench.ledger().held == 0);
  CHECK(bench.ledger().delivered == 5);
}

TEST_CASE("a stop does not wait long for a start that the disk does not take") {
  test::TemporaryDirectory directory;
  test::CrashDisk disk;
  Bench bench(directory.path(), {.disks = {&disk, nullptr, nullptr}});
  bench.append("command", 1, 1);
  std::stop_source stop;
  const auto given = bench.lane->next({.wait = 5s}, stop.get_token());
  REQUIRE(given.size() == 1);
  disk.fail_writes(Errc::io);
  stop.request_stop();
  const BootTime began = bench.clock.boot_now();
  CHECK_FALSE(bench.lane->started(given[0].place));
  CHECK(bench.clock.boot_now() - began < 8s);
}
