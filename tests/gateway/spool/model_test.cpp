// Random sequences of everything one can do to a spool, each step held against a small account of what it owes: append,
// commit, settle, hold, release, rewind, compact and trim (by filling it), drop a lane, lose power, flip bits, cut and
// lose files. A seed repeats its run, but for epochs; one that fails belongs into tests/cases/spool/seeds.txt.
#include <array>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gateway/spool/format.h"
#include "gateway/spool/spool.h"
#include "tests/gateway/spool/owed.h"
#include "tests/gateway/spool/spool_harness.h"
#include "tests/support/crash_disk.h"
#include "tests/support/effort.h"
#include "tests/support/places.h"

namespace railhead::spool {
namespace {

using test::CrashDisk;
using test::FrozenDisk;

constexpr int kSeeds = test::effort(60, 2);
constexpr int kActions = 150;
constexpr std::uint64_t kWholeSegment = 1'000'000;  // groups: more than any has
const std::array<std::string, 3> kLanes{"kafka", "amqp", "audit"};

class Run {
 public:
  explicit Run(std::uint64_t seed) : seed_(seed), random_(seed) {
    options_.path = "/spool";
    options_.limit = 1 << 20;
    options_.when_full = random_() % 2 == 0 ? SpoolOptions::WhenFull::drop_oldest : SpoolOptions::WhenFull::block;
    options_.commit = std::chrono::hours{1000};  // only flush() commits: a seed repeats its run
    options_.commit_bytes = std::size_t{1} << 30;
    options_.state_interval = std::chrono::hours{1000};
    options_.tail_bytes = random_() % 2 == 0 ? 0 : 32 * 1024;
    disk_ = std::make_unique<CrashDisk>();
    open();
  }

  // A sentence when the spool and the account differ.
  std::string run() {
    for (int i = 0; i < kActions; ++i) {
      const std::string action = act();
      std::string problem = problem_;
      if (problem.empty()) problem = compare();
      if (!problem.empty()) return "action " + std::to_string(i) + " (" + action + "): " + problem;
    }
    return {};
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  const std::string& some_lane() { return kLanes[static_cast<std::size_t>(below(kLanes.size()))]; }

  void open() {
    auto opened = Spool::open(*disk_, clock_, options_, reporter_);
    if (!opened) {
      problem_ = "does not open: " + opened.error().what;
      return;
    }
    spool_ = std::move(*opened);
    owed_.epoch = spool_->epoch();
    for (const std::string& lane : kLanes) static_cast<void>(spool_->lane(lane));
  }

  std::string act() {
    clock_.advance(std::chrono::seconds{1});
    switch (below(20)) {
      case 0:
      case 1: flush(); return "commit";
      case 2:
      case 3:
      case 4: settle(8); return "settle";
      case 5: settle(40); return "settle nearly all";
      case 6: hold(true); return "hold";
      case 7: hold(false); return "release";
      case 8: fill(); return "fill";
      case 9:
        if (below(4) == 0) drop();
        return "drop a lane";
      case 10: power_cut(); return "power cut";
      case 11:
        if (below(2) == 0) corrupt();
        return "corrupt";
      default: append(below(9) == 0 ? 20'000 : 500); return "append";
    }
  }

  void append(std::uint64_t payload_bytes_max) {
    std::vector<OwedRecord> records(static_cast<std::size_t>(1 + (below(3) == 0 ? below(4) : 0)));
    std::vector<Entry> entries;
    ++group_;
    for (OwedRecord& record : records) {
      record.lane = some_lane();
      record.klass = static_cast<std::uint8_t>(below(3));
      record.payload.assign(static_cast<std::size_t>(below(payload_bytes_max)), static_cast<char>(random_()));
      record.payload += "#" + std::to_string(seed_) + "." + std::to_string(group_);
      record.group = group_;
      record.group_size = records.size();
      record.epoch = owed_.epoch;
      entries.push_back({spool_->lane(record.lane), record.klass, false, false, record.payload});
    }
    entries.back().ends_group = true;
    const Result<Sequence> last = spool_->append(entries);
    if (!last) {
      if (last.error().code != Errc::full) problem_ = "append: " + last.error().what;
      flush();  // the committer looks for room: let it be done with that
      return;
    }
    const std::uint64_t first = last->value() - records.size() + 1;
    for (std::size_t i = 0; i < records.size(); ++i) owed_.records[first + i] = records[i];
  }
  void flush() {
    if (const Result<void> flushed = spool_->flush(kPatience); !flushed) {
      problem_ = "flush: " + flushed.error().what;
      return;
    }
    owed_.saved = owed_.settled;
    if (spool_->durable().value() + 1 != spool_->next().value()) problem_ = "flushed, and not durable";
  }
  // Past the limit: trims, compacts, drops or refuses.
  void fill() {
    for (int i = 0; i < 40 && problem_.empty(); ++i) {
      append(20'000);
      if (i % 8 == 7) flush();
    }
  }
  std::vector<Frame> read(const std::string& lane) {
    std::vector<Frame> frames;
    for (Sequence at(1);;) {
      const Result<Sequence> next = spool_->read(spool_->lane(lane), at, 1 + below(200), 1 + below(50'000), frames);
      if (!next) {
        problem_ = "read: " + next.error().what;
        return {};
      }
      if (*next == at) return frames;
      at = *next;
    }
  }
  void settle(std::uint64_t most_of_ten) {
    const std::string lane = some_lane();
    std::vector<Frame> frames = read(lane);
    std::shuffle(frames.begin(), frames.end(), random_);
    if (most_of_ten < 10) frames.resize(static_cast<std::size_t>(below(frames.size() + 1)));
    for (const Frame& frame : frames) {
      static constexpr std::array kOutcomes{Outcome::delivered, Outcome::delivered, Outcome::delivered,
                                            Outcome::expired, Outcome::set_aside};
      owed_.settled.insert(frame.sequence.value());
      ++owed_.settled_count[lane];
      spool_->settle(spool_->lane(lane), frame.sequence, kOutcomes[static_cast<std::size_t>(below(kOutcomes.size()))]);
    }
  }
  void hold(bool hold) {
    const std::string lane = some_lane();
    std::vector<Sequence> some;
    for (const Frame& frame : read(lane)) {
      if (below(3) == 0) some.push_back(frame.sequence);
    }
    hold ? spool_->hold(spool_->lane(lane), some) : spool_->release(spool_->lane(lane), some);
  }
  void drop() {
    flush();
    const std::string lane = some_lane();
    const std::size_t owed = read(lane).size();
    const Result<std::uint64_t> dropped = spool_->drop_lane(lane);
    if (!dropped) {
      problem_ = "drop: " + dropped.error().what;
      return;
    }
    if (*dropped != owed) problem_ = "dropped " + std::to_string(*dropped) + " of " + std::to_string(owed);
    for (const auto& [sequence, record] : owed_.records) {
      if (record.lane == lane) owed_.settled.insert(sequence);
    }
    owed_.before[lane].dropped += *dropped;  // a bound dropped none of these
    flush();
  }

  void power_cut() {
    const auto survival = static_cast<CrashDisk::Survival>(below(6));
    owed_.acknowledged = spool_->durable().value();
    restart(disk_->crash_frozen(survival, random_));
  }
  // The account becomes what the spool makes of this disk, if that is allowed.
  void restart(const FrozenDisk& image) {
    spool_.reset();
    owed_.may_drop = options_.when_full == SpoolOptions::WhenFull::drop_oldest;
    Owed survived;
    problem_ = owed_.problem_of(image, owed_.acknowledged, options_, survived);
    if (!problem_.empty()) return;
    owed_ = std::move(survived);
    disk_ = std::make_unique<CrashDisk>(image);
    open();
  }

  // Bits flipped, sectors zeroed, files cut or lost while the spool was closed: it starts, what it gives was once
  // appended, and what a flipped bit takes with it is at most the group it hits, or the segment of which it hits both
  // headers.
  void corrupt() {
    flush();
    spool_.reset();
    FrozenDisk image = disk_->frozen();
    std::vector<std::string> segments;
    for (const auto& [path, bytes] : image.files) {
      if (path.ends_with(".seg") && path.find("damaged") == std::string::npos) segments.push_back(path);
    }
    if (segments.empty()) return open();
    std::uint64_t groups_lost_most = 0;
    for (std::uint64_t times = 1 + below(3); times > 0; --times) {
      const std::string& path = segments[static_cast<std::size_t>(below(segments.size()))];
      const std::uint64_t kind = below(12);
      if (kind == 0 || image.files.count(path) == 0) {
        image.files.erase(path);
        groups_lost_most = ~std::uint64_t{0};
        continue;
      }
      if (kind == 1) {
        image.files.erase("/spool/lanes");
        groups_lost_most = ~std::uint64_t{0};
        continue;
      }
      std::string& bytes = image.files.at(path).change();
      if (bytes.empty()) continue;
      const std::size_t at = static_cast<std::size_t>(below(bytes.size()));
      if (kind == 2) {
        bytes.resize(at);
        groups_lost_most = ~std::uint64_t{0};
      } else if (kind == 3) {
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), std::min<std::size_t>(512, bytes.size() - at),
                    '\0');
        groups_lost_most = ~std::uint64_t{0};
      } else {
        const Result<SegmentHeader> header = decode_header(bytes);
        const bool in_header = !header || at < header->frames_begin();
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        // Without both copies of its header no frame of a segment can be judged.
        const std::uint64_t lost = !in_header ? 1 : decode_header(bytes) ? 0 : kWholeSegment;
        if (groups_lost_most != ~std::uint64_t{0}) groups_lost_most += lost;
      }
    }
    disk_ = std::make_unique<CrashDisk>(image);
    open();
    if (!problem_.empty()) return;
    Owed left;
    left.epoch = spool_->epoch();
    std::set<std::uint64_t> groups_lost;
    std::vector<Frame> frames;
    if (problem_ = read_everything(*spool_, frames); !problem_.empty()) return;
    for (const Frame& frame : frames) {
      const auto known = owed_.records.find(frame.sequence.value());
      if (known == owed_.records.end()) {
        if (groups_lost_most == ~std::uint64_t{0}) {  // settled long ago: the lane states that said so are lost
          OwedRecord record;
          for (const LaneInfo& lane : spool_->lanes()) {
            if (lane.id == frame.lane) record.lane = lane.name;
          }
          record.payload = frame.payload;
          record.group = std::strtoull(frame.payload.c_str() + frame.payload.rfind('.') + 1, nullptr, 10);
          record.klass = frame.klass;
          record.epoch = frame.epoch;
          left.records.emplace(frame.sequence.value(), record);
          continue;
        }
        problem_ = "record " + std::to_string(frame.sequence.value()) + " is invented";
        return;
      }
      if (known->second.payload != frame.payload) {
        problem_ = "record " + std::to_string(frame.sequence.value()) + " has another payload";
        return;
      }
      left.records.emplace(frame.sequence.value(), known->second);
    }
    for (const auto& [sequence, record] : owed_.records) {
      if (left.records.count(sequence) == 0 && owed_.settled.count(sequence) == 0) groups_lost.insert(record.group);
    }
    if (options_.when_full == SpoolOptions::WhenFull::block && groups_lost.size() > groups_lost_most) {
      problem_ =
          std::to_string(groups_lost_most) + " flipped bits cost " + std::to_string(groups_lost.size()) + " groups";
      return;
    }
    left.acknowledged = spool_->durable().value();
    for (const LaneInfo& lane : spool_->lanes()) left.before[lane.name] = lane.ledger;
    owed_ = std::move(left);
  }

  // Every lane gives what it owes and no more, and its ledger says so. The committer may be writing or making room
  // meanwhile: what differs must differ still when it has nothing left to do.
  std::string compare() {
    if (compare_once().empty() || !problem_.empty()) return problem_;
    flush();
    return problem_.empty() ? compare_once() : problem_;
  }
  std::string compare_once() {
    const std::uint64_t durable = spool_->durable().value();
    owed_.acknowledged = durable;
    for (const std::string& name : kLanes) {
      const std::vector<Frame> frames = read(name);
      if (!problem_.empty()) return problem_;
      auto at = frames.begin();
      std::uint64_t dropped = 0;
      for (const auto& [sequence, record] : owed_.records) {
        if (sequence > durable) break;
        if (record.lane != name || owed_.settled.count(sequence) != 0) continue;
        if (at != frames.end() && at->sequence.value() == sequence) {
          if (at->payload != record.payload) return "record " + std::to_string(sequence) + " changed";
          ++at;
          continue;
        }
        if (options_.when_full == SpoolOptions::WhenFull::block) {
          return "lane " + name + " does not give record " + std::to_string(sequence);
        }
        ++dropped;  // by the bound; the ledger must say so
      }
      if (at != frames.end()) return "lane " + name + " gives record " + std::to_string(at->sequence.value());
      const status::LaneLedger ledger = spool_->ledger(spool_->lane(name));
      if (!ledger.adds_up()) return "the ledger of lane " + name + " does not add up";
      if (ledger.spooled + ledger.held != frames.size()) return "lane " + name + " counts other than it gives";
      const std::uint64_t before = owed_.before.count(name) != 0 ? owed_.before.at(name).dropped : 0;
      if (dropped > ledger.dropped - before) return "lane " + name + " dropped more than it counts";
    }
    return {};
  }

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  test::ManualClock clock_;
  test::CapturingReporter reporter_;
  SpoolOptions options_;
  std::unique_ptr<CrashDisk> disk_;
  std::unique_ptr<Spool> spool_;
  Owed owed_;
  std::uint64_t group_ = 0;
  std::string problem_;
};

void run(std::uint64_t seed) {
  const std::string problem = Run(seed).run();
  CHECK_MESSAGE(problem.empty(), "seed ", seed, ": ", problem);
}

TEST_CASE("whatever is done to a spool, it gives what it owes: seeds that once failed") {
  std::istringstream lines(test::read_file(test::source_directory() + "/tests/cases/spool/seeds.txt"));
  int seeds = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    run(std::strtoull(line.c_str(), nullptr, 10));
    ++seeds;
    if (test::kSanitized) break;
  }
  CHECK(seeds > 0);
}

TEST_CASE("whatever is done to a spool, it gives what it owes: new seeds") {
  std::random_device device;
  const char* const given = std::getenv("RAILHEAD_MODEL_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : device();
  const int seeds = kSeeds * (std::getenv("RAILHEAD_LONG_TESTS") != nullptr ? 10 : 1);
  std::cout << "spool model: seeds " << first << " to " << first + static_cast<std::uint64_t>(seeds) - 1 << "\n";
  for (int i = 0; i < seeds; ++i) run(first + static_cast<std::uint64_t>(i));
}

}  // namespace
}  // namespace railhead::spool
