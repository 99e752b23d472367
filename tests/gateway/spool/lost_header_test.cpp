// Segments neither copy of whose header verifies: what is behind it is read all the same where that can be done with
// certainty, and is damage, not an unfinished write, where anything proves that it was durable.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/gateway/spool/spoilt.h"

namespace railhead::spool {
namespace {

using test::CrashDisk;
using test::DiskImage;

constexpr std::uint64_t kRecords = 150;  // in three segments

// Records of two lanes in turn, ten of them durable before the next; the lane states know them all, or none.
struct Headless : Spoilt {
  explicit Headless(bool known) {
    options.state_interval = std::chrono::hours{1};
    open();
    static_cast<void>(spool->lane("odd"));
    static_cast<void>(spool->lane("even"));
    for (std::uint64_t i = 1; i <= kRecords; ++i) {
      put(i % 2 == 0 ? "even" : "odd", {std::to_string(i) + std::string(1000, 'x')});
      if (i % 10 != 0) continue;
      REQUIRE(test::eventually(std::chrono::seconds{10}, [&] { return spool->durable() == Sequence(i); }));
    }
    epoch = spool->epoch();
    known ? close() : kill();
    REQUIRE(segment(3).empty());
  }
  void garble(const std::string& path, std::size_t bytes) {
    std::mt19937_64 random(1);
    std::string& all = image.files.at(path);
    for (std::size_t at = 0; at < std::min(bytes, all.size()); ++at) all[at] = static_cast<char>(random());
  }
  std::vector<std::uint64_t> all_owed() {
    std::vector<std::uint64_t> all = owed("odd");
    const std::vector<std::uint64_t> even = owed("even");
    all.insert(all.end(), even.begin(), even.end());
    std::sort(all.begin(), all.end());
    return all;
  }
  std::uint64_t damaged() {
    CHECK(ledger("odd").adds_up());
    CHECK(ledger("even").adds_up());
    return ledger("odd").damaged + ledger("even").damaged;
  }
  Epoch epoch;
};

TEST_CASE("a segment without its header gives its records, its lost bytes are damage, and it is told once") {
  for (const bool known : {true, false}) {
    for (const std::size_t place : {0, 1, 2}) {
      for (const std::size_t bytes : {1024, 4096}) {  // the header; a block of the disk, with the first records
        INFO("known ", known, ", segment ", place, ", bytes ", bytes);
        Headless h(known);
        h.garble(h.segment(place), bytes);
        h.open();
        const std::vector<std::uint64_t> owed = h.all_owed();
        const std::uint64_t lost = bytes == 1024 ? 0 : 3;
        CHECK(owed.size() == kRecords - lost);
        CHECK(h.damaged() == lost);
        CHECK(h.spool->epoch() == h.epoch);
        CHECK(h.spool->next() == Sequence(kRecords + 1));
        CHECK(h.reporter->count(status::Event::spool_tail_cut) == 0);
        CHECK(h.reporter->count(status::Event::spool_damaged) == 1);
        h.put("odd", {"goes on"});
        REQUIRE(h.spool->flush(kPatience).has_value());
        CHECK(h.damaged_files() == (lost == 0 ? 1 : 2));
        h.close();
        h.open();  // told once, and whole again
        CHECK(h.all_owed().size() == owed.size() + 1);
        CHECK(h.damaged() == lost);
        CHECK(h.reporter->count(status::Event::spool_damaged) == 0);
        CHECK(h.reporter->count(status::Event::spool_epoch_begun) == 0);
      }
    }
  }
}

TEST_CASE("power cut at any step of finding a header again: each record once, and the damaged bytes are kept") {
  Headless h(true);
  h.garble(h.segment(1), 1024);
  const std::string garbled = h.image.files.at(h.segment(1)).substr(0, 1024);
  h.disk = std::make_unique<CrashDisk>(h.image);
  std::mt19937_64 random(1);
  std::vector<DiskImage> images;
  h.disk->on_operation([&](test::DiskOperation) {
    for (const auto survival : {CrashDisk::Survival::nothing, CrashDisk::Survival::everything,
                                CrashDisk::Survival::torn_last, CrashDisk::Survival::random}) {
      images.push_back(h.disk->crash(survival, random));
    }
  });
  h.open();
  h.disk->on_operation({});
  h.spool.reset();
  REQUIRE(images.size() > 20);
  for (const DiskImage& image : images) {
    bool kept = false;
    for (const auto& [name, bytes] : image.files) kept = kept || bytes.substr(0, 1024) == garbled;
    CHECK(kept);
    h.disk = std::make_unique<CrashDisk>(image);
    h.open();
    CHECK(h.all_owed() == numbers(1, kRecords));
    CHECK(h.damaged() == 0);
    h.spool.reset();
  }
}

// Error paths

TEST_CASE("a file in the middle of which nothing is readable is damage, kept whole, and the epoch goes on") {
  for (const bool known : {true, false}) {
    INFO(known);
    Headless h(known);
    const std::string path = h.segment(1);
    h.garble(path, h.image.files.at(path).size());
    const std::string garbled = h.image.files.at(path);
    h.open();
    const std::size_t owed = h.all_owed().size();
    CHECK(owed < kRecords);
    CHECK(h.damaged() == kRecords - owed);
    CHECK(h.spool->epoch() == h.epoch);
    CHECK(h.reporter->count(status::Event::spool_tail_cut) == 0);
    CHECK(h.reporter->count(status::Event::spool_damaged) == 1);
    CHECK(h.disk->contents().files.at("/spool/damaged" + path.substr(6)) == garbled);
    h.close();
    h.open();
    CHECK(h.reporter->count(status::Event::spool_damaged) == 0);
    CHECK(h.damaged() == kRecords - owed);
  }
}

TEST_CASE("a compacted file without its header is damage: it was whole before it had its name") {
  Headless h(true);
  const std::string path = "/spool/" + segment_name(1, 1);
  h.image.files[path] = std::string(5000, 'z');
  h.open();
  CHECK(h.all_owed() == numbers(1, kRecords));
  CHECK(h.reporter->count(status::Event::spool_tail_cut) == 0);
  CHECK(h.reporter->count(status::Event::spool_damaged) == 1);
  CHECK(h.spool->epoch() == h.epoch);
}

TEST_CASE("a youngest file of which nothing is readable is damage as far as its records are known, and else a cut") {
  for (const bool known : {true, false}) {
    INFO(known);
    Headless h(known);
    const std::string path = h.segment(2);
    h.garble(path, h.image.files.at(path).size());
    h.open();
    const std::size_t owed = h.all_owed().size();
    CHECK(h.damaged() == (known ? kRecords - owed : 0));
    CHECK(h.spool->epoch() != h.epoch);  // what else was in it may have been seen
    CHECK(h.reporter->count(status::Event::spool_tail_cut) == (known ? 0 : 1));
    CHECK(h.reporter->count(status::Event::spool_damaged) == (known ? 1 : 0));
  }
}

TEST_CASE("the lanes of records whose header is lost are not guessed: where the order is not certain they are kept") {
  Headless h(true);
  // As if another process had named them in another order.
  const std::string behind = h.segment(2);
  Result<SegmentHeader> header = decode_header(h.image.files.at(behind));
  REQUIRE(header.has_value());
  std::swap(header->lanes[0], header->lanes[1]);
  const std::string again = encode_header(*header);
  h.image.files.at(behind).replace(0, again.size(), again);
  h.garble(h.segment(1), 1024);
  const std::string path = h.segment(1);
  h.open();
  CHECK(h.all_owed().size() < kRecords);
  CHECK(h.disk->contents().files.count("/spool/damaged" + path.substr(6)) == 1);
  CHECK(h.reporter->count(status::Event::spool_damaged) == 1);
}

}  // namespace
}  // namespace railhead::spool
