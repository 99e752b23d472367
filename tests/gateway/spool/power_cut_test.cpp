// Power is cut after every single disk operation of random workloads. From each cut several disks are made up of what
// could have survived, and a spool is opened on each of them.
#include <atomic>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gateway/spool/spool.h"
#include "tests/gateway/spool/spool_harness.h"
#include "tests/support/crash_disk.h"

namespace railhead::spool {
namespace {

using test::CrashDisk;
using test::DiskImage;

constexpr std::uint64_t kLimit = 1 << 20;  // segments of 64 KiB

struct Known {
  std::string lane;
  std::string payload;
  std::uint64_t group = 0;  // 0: from an earlier round
  std::size_t group_size = 1;
};

// What the test knows of the spool. The workload changes it only while it holds the mutex, the cuts look while they do.
struct Model {
  base::Mutex mutex;
  std::map<std::uint64_t, Known> records;
  std::set<std::uint64_t> settled;
  Epoch epoch;
  std::atomic<Spool*> spool{nullptr};
};

SpoolOptions options() {
  SpoolOptions options;
  options.path = "/spool";
  options.limit = kLimit;
  options.when_full = SpoolOptions::WhenFull::block;
  options.commit = Duration{0};
  options.state_interval = Duration{0};
  options.tail_bytes = 16 * 1024;
  return options;
}

std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::vector<Frame> everything(Spool& spool) {
  std::vector<Frame> frames;
  for (const LaneInfo& lane : spool.lanes()) {
    Sequence before;
    for (Sequence at(1);;) {
      const std::size_t known = frames.size();
      const Result<Sequence> next = spool.read(lane.id, at, 50, 20000, frames);
      REQUIRE(next.has_value());
      for (std::size_t i = known; i < frames.size(); ++i) {
        REQUIRE(before < frames[i].sequence);
        before = frames[i].sequence;
      }
      if (*next == at) break;
      at = *next;
    }
  }
  return frames;
}

// Opens a spool on the image and holds it against the model. Returns the spool's image afterwards.
DiskImage check(const Model& model, std::uint64_t acknowledged, const DiskImage& image, bool again_too) {
  CrashDisk disk(image);
  system::SystemClock clock;
  test::CapturingReporter reporter;
  std::map<std::uint64_t, std::string> found;
  Epoch epoch;
  std::uint64_t next = 0;
  {
    const auto opened = Spool::open(disk, clock, options(), reporter);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().what));
    Spool& spool = **opened;
    INFO(text_of(reporter.lines()));
    epoch = spool.epoch();
    next = spool.next().value();
    REQUIRE_FALSE(spool.usage().failing);
    for (const Frame& frame : everything(spool)) {
      const auto known = model.records.find(frame.sequence.value());
      REQUIRE(known != model.records.end());  // nothing invented
      REQUIRE(frame.payload == known->second.payload);
      REQUIRE(spool.lane(known->second.lane) == frame.lane);
      REQUIRE(found.emplace(frame.sequence.value(), frame.payload).second);
    }
    for (const auto& [sequence, record] : model.records) {
      if (sequence > acknowledged) break;
      INFO("record ", sequence, " acknowledged ", acknowledged);
      REQUIRE((found.count(sequence) == 1 || model.settled.count(sequence) == 1));
    }
    std::map<std::uint64_t, std::size_t> groups;
    REQUIRE(spool
                .for_each(Sequence(1),
                          [&](const Frame& frame) {
                            const auto known = model.records.find(frame.sequence.value());
                            if (known != model.records.end()) ++groups[known->second.group];
                          })
                .has_value());
    for (const auto& [sequence, record] : model.records) {
      if (record.group != 0 && groups.count(record.group) != 0) REQUIRE(groups[record.group] == record.group_size);
    }
    for (const LaneInfo& lane : spool.lanes()) {
      INFO("lane ", lane.name);
      REQUIRE(lane.ledger.adds_up());
      REQUIRE(lane.ledger.damaged == 0);  // a power cut on an honest disk damages nothing
      std::vector<Frame> owed;
      Sequence at(1);
      for (Result<Sequence> reached = spool.read(lane.id, at, 100000, 1 << 24, owed); *reached != at;
           reached = spool.read(lane.id, at, 100000, 1 << 24, owed)) {
        at = *reached;
      }
      REQUIRE(lane.ledger.spooled == owed.size());
    }
    REQUIRE(reporter.count(status::Event::spool_damaged) == 0);
    REQUIRE((next > acknowledged || epoch != model.epoch));  // no identity twice (S1)
  }
  const DiskImage once = disk.contents();
  if (again_too) {
    CrashDisk again(once);
    test::CapturingReporter quiet;
    const auto opened = Spool::open(again, clock, options(), quiet);
    REQUIRE(opened.has_value());
    INFO(text_of(quiet.lines()));
    REQUIRE((*opened)->epoch() == epoch);
    REQUIRE((*opened)->next().value() == next);
    std::map<std::uint64_t, std::string> found_again;
    for (const Frame& frame : everything(**opened)) found_again.emplace(frame.sequence.value(), frame.payload);
    REQUIRE(found_again == found);
    REQUIRE(again.contents().hash() == once.hash());  // a second recovery changes nothing
  }
  return once;
}

struct Explored {
  std::set<std::uint64_t> images;
  std::map<std::string, std::size_t> cuts;
  std::size_t partial = 0;
};

// One workload on `start`, cut after every operation; a random cut's image is left for the next round.
DiskImage explore(std::uint64_t seed, const DiskImage& start, std::size_t images_max, Explored& explored) {
  std::mt19937_64 random(seed);
  std::mt19937_64 cut_random(seed + 1);
  CrashDisk disk(start);
  system::SystemClock clock;
  test::CapturingReporter reporter;
  Model model;
  DiskImage left = start;
  std::size_t seen = 0;
  {
    const auto opened = Spool::open(disk, clock, options(), reporter);
    REQUIRE(opened.has_value());
    Spool& spool = **opened;
    model.epoch = spool.epoch();
    for (const Frame& frame : everything(spool)) {
      for (const LaneInfo& lane : spool.lanes()) {
        if (lane.id == frame.lane) model.records[frame.sequence.value()] = {lane.name, frame.payload};
      }
    }
    model.spool = &spool;
    disk.on_operation([&](test::DiskOperation operation) {
      Spool* const running = model.spool.load();
      if (running == nullptr) return;
      const base::MutexLock lock(model.mutex);
      const std::uint64_t acknowledged = running->durable().value();
      for (int variant = 0; variant < 9; ++variant) {
        const CrashDisk::Survival survival = variant == 0   ? CrashDisk::Survival::nothing
                                             : variant == 1 ? CrashDisk::Survival::everything
                                                            : CrashDisk::Survival::random;
        const DiskImage image = disk.crash(survival, cut_random);
        if (!explored.images.insert(image.hash()).second) continue;
        if (survival == CrashDisk::Survival::random) ++explored.partial;
        ++explored.cuts[std::string(name_of(operation))];
        const DiskImage after = check(model, acknowledged, image, cut_random() % 3 == 0);
        if (cut_random() % ++seen == 0) left = after;
      }
    });
    std::uint64_t group = 0;
    const std::vector<std::string> lanes{"kafka", "amqp", "audit"};
    while (explored.images.size() < images_max) {
      const std::uint64_t action = random() % 10;
      if (action < 6) {
        std::vector<std::string> payloads(static_cast<std::size_t>(random() % 3 == 0 ? 1 + random() % 5 : 1));
        const std::string lane = lanes[static_cast<std::size_t>(random() % 5 < 3 ? 0 : random() % 3)];
        ++group;
        for (std::string& payload : payloads) {
          payload.assign(static_cast<std::size_t>(random() % 8 == 0 ? random() % 9000 : random() % 300),
                         static_cast<char>(random()));
          if (payload.size() > 8) payload.replace(0, 8, reinterpret_cast<const char*>(&group), 8);
        }
        const LaneId id = spool.lane(lane);
        std::vector<Entry> entries;
        for (const std::string& payload : payloads) entries.push_back({id, 1, false, false, payload});
        entries.back().ends_group = true;
        const base::MutexLock lock(model.mutex);
        const Result<Sequence> last = spool.append(entries);
        if (!last) {
          REQUIRE(last.error().code == Errc::full);
          continue;
        }
        for (std::size_t i = 0; i < payloads.size(); ++i) {
          model.records[last->value() - payloads.size() + 1 + i] = {lane, payloads[i], group, payloads.size()};
        }
      } else if (action < 9) {
        const LaneId id = spool.lane(lanes[static_cast<std::size_t>(random() % lanes.size())]);
        std::vector<Frame> frames;
        const Result<Sequence> reached =
            spool.read(id, Sequence(1), static_cast<std::size_t>(1 + random() % 60), 100000, frames);
        REQUIRE(reached.has_value());
        const base::MutexLock lock(model.mutex);
        for (const Frame& frame : frames) {
          if (random() % 4 == 0) continue;  // out of order: this one stays behind
          model.settled.insert(frame.sequence.value());
          spool.settle(id, frame.sequence, random() % 9 == 0 ? Outcome::expired : Outcome::delivered);
        }
      } else {
        REQUIRE(spool.flush(kPatience).has_value());
      }
      if (random() % 12 == 0) {
        const Sequence wanted(spool.next().value() - 1);
        REQUIRE(test::eventually(std::chrono::seconds{10}, [&] { return wanted <= spool.durable(); }));
      }
    }
    {
      const base::MutexLock lock(model.mutex);
      model.spool = nullptr;
    }
    disk.on_operation({});
  }
  return left;
}

#if defined(__SANITIZE_THREAD__)
constexpr bool kTooSlow = true;  // 2,400 recoveries; the rooms' threads are watched by the other tests
#else
constexpr bool kTooSlow = false;
#endif

TEST_CASE(
    "after a power cut at any disk operation every acknowledged record is there once, whole groups, nothing invented" *
    doctest::skip(kTooSlow)) {
  std::random_device device;
  const std::uint64_t seed = device();
  std::cout << "power cut seed " << seed << "\n";
  INFO("seed ", seed);
  Explored explored;
  DiskImage image;
  for (std::uint64_t round = 0; round < 6; ++round) {
    image = explore(seed + round * 2, image, static_cast<std::size_t>(400 * (round + 1)), explored);
  }
  CHECK(explored.images.size() >= 2400);
  CHECK(explored.partial * 3 >= explored.images.size());
  for (const char* operation :
       {"write", "sync", "truncate", "preallocate", "create", "rename", "remove", "sync_directory"}) {
    INFO(operation);
    CHECK(explored.cuts[operation] >= 10);
  }
}

}  // namespace
}  // namespace railhead::spool
