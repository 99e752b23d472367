// What a spool makes of a directory that is not as it was left.
#include "gateway/spool/recovery.h"

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/crc32c.h"
#include "gateway/spool/format.h"
#include "gateway/spool/lane_state.h"
#include "tests/gateway/spool/spoilt.h"

namespace railhead::spool {
namespace {

using test::CrashDisk;
using test::DiskImage;

TEST_CASE("a torn tail is cut, was never acknowledged, and begins a new epoch") {
  Spoilt s;
  s.open();
  s.fill("sink", 5);
  const Epoch epoch = s.spool->epoch();
  s.kill();
  std::string& bytes = s.image.files.at(s.segment(0));
  const std::uint64_t last = s.offset_of(s.segment(0), 5);
  const std::size_t behind = static_cast<std::size_t>(last) + frame_bytes(1001);
  std::memcpy(bytes.data() + behind, "garbage that is no frame", 24);
  s.open();
  CHECK(s.owed("sink") == numbers(1, 5));
  CHECK(s.spool->epoch() != epoch);
  CHECK(s.reporter->count(status::Event::spool_tail_cut) == 1);
  CHECK(s.reporter->count(status::Event::spool_damaged) == 0);
  CHECK(s.ledger("sink").adds_up());
  s.fill("sink", 1);
  s.close();
  s.open();
  CHECK(s.owed("sink") == numbers(1, 6));
  CHECK(s.reporter->count(status::Event::spool_epoch_begun) == 0);
}

TEST_CASE("a preallocated rest of zeros is the end, and the epoch goes on") {
  Spoilt s;
  s.open();
  s.fill("sink", 5);
  const Epoch epoch = s.spool->epoch();
  s.kill();
  s.open();
  CHECK(s.owed("sink") == numbers(1, 5));
  CHECK(s.spool->epoch() == epoch);
  CHECK(s.reporter->count(status::Event::spool_tail_cut) == 0);
  CHECK(s.spool->next() == Sequence(6));
}

TEST_CASE("a flipped bit damages one record; its bytes are kept, the rest is delivered, the ledger says so") {
  for (const bool counted : {false, true}) {  // were the records counted in the lane states?
    INFO(counted);
    Spoilt s;
    s.open();
    if (counted) {
      s.fill("sink", 10);
      s.close();
    } else {  // each durable before the next, without saving the lane states
      for (std::uint64_t i = 1; i <= 10; ++i) {
        s.put("sink", {std::to_string(i) + std::string(1000, 'x')});
        REQUIRE(test::eventually(std::chrono::seconds{10}, [&] { return s.spool->durable() == Sequence(i); }));
      }
      s.kill();
    }
    const std::string path = s.segment(0);
    s.image.files.at(path)[static_cast<std::size_t>(s.offset_of(path, 4)) + 100] ^= 1;
    s.open();
    CHECK(s.owed("sink") == numbers(1, 10, {4}));
    const status::LaneLedger ledger = s.ledger("sink");
    CHECK(ledger.accepted == 10);
    CHECK(ledger.damaged == 1);
    CHECK(ledger.spooled == 9);
    CHECK(ledger.adds_up());
    CHECK(s.reporter->count(status::Event::spool_damaged) == 1);
    CHECK(s.damaged_files() == 1);
    s.close();
    s.open();  // reported once
    CHECK(s.owed("sink") == numbers(1, 10, {4}));
    CHECK(s.ledger("sink").damaged == 1);
    CHECK(s.ledger("sink").adds_up());
    CHECK(s.reporter->count(status::Event::spool_damaged) == 0);
    CHECK(s.damaged_files() == 1);
  }
}

TEST_CASE("damage inside a group drops the whole group") {
  Spoilt s;
  s.open();
  s.put("sink", {"before"});
  s.put("sink", {"group 1", "group 2", "group 3"});
  s.put("sink", {"behind"});
  REQUIRE(s.spool->flush(kPatience).has_value());
  s.close();
  const std::string path = s.segment(0);
  s.image.files.at(path)[static_cast<std::size_t>(s.offset_of(path, 3)) + kFrameHeaderBytes] ^= 4;
  s.open();
  CHECK(s.owed("sink") == std::vector<std::uint64_t>{1, 5});
  CHECK(s.ledger("sink").damaged == 3);
  CHECK(s.ledger("sink").adds_up());
  s.close();
  s.open();
  CHECK(s.owed("sink") == std::vector<std::uint64_t>{1, 5});
  CHECK(s.ledger("sink").damaged == 3);
  CHECK(s.ledger("sink").adds_up());
}

TEST_CASE("damage in the last record is damage when the lane states prove that it was durable") {
  Spoilt s;
  s.open();
  s.fill("sink", 5);
  const Epoch epoch = s.spool->epoch();
  s.close();
  const std::string path = s.segment(0);
  s.image.files.at(path)[static_cast<std::size_t>(s.offset_of(path, 5)) + 100] ^= 1;
  s.open();
  CHECK(s.owed("sink") == numbers(1, 4));
  CHECK(s.spool->next() == Sequence(6));  // 5 was seen outside: not used again
  CHECK(s.spool->epoch() == epoch);
  CHECK(s.ledger("sink").damaged == 1);
  CHECK(s.ledger("sink").adds_up());
  CHECK(s.damaged_files() == 1);
}

TEST_CASE("damaged bytes are never lost, also when power fails while they are set aside") {
  Spoilt s;
  s.open();
  s.fill("sink", 5);
  s.put("sink", {"a last record that will be damaged"});
  REQUIRE(s.spool->flush(kPatience).has_value());
  s.close();
  const std::string path = s.segment(0);
  s.image.files.at(path)[static_cast<std::size_t>(s.offset_of(path, 6)) + 30] ^= 1;
  s.disk = std::make_unique<CrashDisk>(s.image);
  std::mt19937_64 random(1);
  std::vector<DiskImage> images;
  s.disk->on_operation([&](test::DiskOperation) {
    images.push_back(s.disk->crash(CrashDisk::Survival::nothing, random));
    images.push_back(s.disk->crash(CrashDisk::Survival::everything, random));
    for (int i = 0; i < 8; ++i) images.push_back(s.disk->crash(CrashDisk::Survival::random, random));
  });
  s.open();
  s.disk->on_operation({});
  REQUIRE(images.size() > 50);
  CHECK(s.disk->contents().files.at(path).find("a last record") == std::string::npos);
  for (const DiskImage& image : images) {
    bool found = false;
    for (const auto& [name, bytes] : image.files)
      found = found || bytes.find("a last record that will be") != std::string::npos;
    CHECK(found);
  }
}

TEST_CASE("a bit flipped anywhere in a segment costs at most what it hits, and never the start") {
  Spoilt s;
  s.open();
  for (int i = 0; i < 20; ++i) {
    s.put("sink", {"record " + std::to_string(i)});
    REQUIRE(s.spool->flush(kPatience).has_value());
  }
  s.close();
  const DiskImage whole = s.image;
  const std::string path = s.segment(0);
  for (std::size_t at = 0; at < whole.files.at(path).size(); at += at < 1024 ? 13 : 3) {
    INFO("byte ", at);
    s.image = whole;
    s.image.files.at(path)[at] ^= static_cast<char>(1 << (at % 8));
    s.open();
    const std::size_t owed = s.owed("sink").size();
    CHECK(owed >= 19);
    CHECK(s.ledger("sink").accepted == 20);
    CHECK(s.ledger("sink").damaged == 20 - owed);
    CHECK(s.ledger("sink").adds_up());
    s.fill("sink", 1);
    s.close();
    s.open();
    CHECK(s.owed("sink").size() == owed + 1);
    CHECK(s.ledger("sink").adds_up());
    s.close();
  }
}

TEST_CASE("a missing segment is counted, the others are delivered") {
  Spoilt s;
  s.open();
  s.fill("sink", 200);
  s.close();
  const std::string path = s.segment(1);
  s.image.files.erase(path);
  s.open();
  const std::size_t owed = s.owed("sink").size();
  CHECK(owed > 100);
  CHECK(owed < 200);
  CHECK(s.ledger("sink").damaged == 200 - owed);
  CHECK(s.ledger("sink").adds_up());
  CHECK(s.reporter->count(status::Event::spool_damaged) == 1);
}

TEST_CASE("a truncated segment keeps what is in front of the cut") {
  Spoilt s;
  s.open();
  s.fill("sink", 200);
  s.close();
  std::string& bytes = s.image.files.at(s.segment(1));
  bytes.resize(bytes.size() / 2);
  s.open();
  const std::size_t owed = s.owed("sink").size();
  CHECK(owed > 150);
  CHECK(s.ledger("sink").damaged == 200 - owed);
  CHECK(s.ledger("sink").adds_up());
  CHECK(s.spool->next() == Sequence(201));
}

TEST_CASE("foreign files are left alone, copies of segments are set aside, a stranger's segment does not hide ours") {
  Spoilt other;
  other.open();
  other.fill("sink", 3);
  other.close();
  Spoilt s;
  s.open();
  s.fill("sink", 100);
  s.close();
  s.image.files["/spool/notes.txt"] = "hello";
  s.image.files["/spool/000000000000ffff.seg"] = s.image.files.at(s.segment(0));
  s.image.files["/spool/00000000000000ff.seg"] = std::string(4096, 'z');
  const std::string stranger = other.segment(0);
  s.image.files["/spool/0000000000000001.seg"] = other.image.files.at(stranger);
  REQUIRE(stranger == "/spool/0000000000000001.seg");
  s.open();
  const std::size_t owed = s.owed("sink").size();
  CHECK(owed > 30);  // the stranger lies where our first segment was
  CHECK(owed < 100);
  CHECK(s.ledger("sink").damaged == 100 - owed);
  CHECK(s.ledger("sink").adds_up());
  const DiskImage after = s.disk->contents();
  CHECK(after.files.count("/spool/notes.txt") == 1);
  CHECK(after.files.count("/spool/damaged/000000000000ffff.seg") == 1);
  CHECK(after.files.count("/spool/damaged/00000000000000ff.seg") == 1);
  CHECK(after.files.count("/spool/damaged/0000000000000001.seg") == 1);
}

TEST_CASE("lost or damaged lane states repeat what was settled, carry the rest over and begin a new epoch") {
  for (const bool lost : {true, false}) {
    INFO(lost);
    Spoilt s;
    s.open();
    s.fill("sink", 10);
    const Epoch epoch = s.spool->epoch();
    s.spool->settle(s.spool->lane("sink"), Sequence(1), Outcome::delivered);
    s.close();
    if (lost) {
      s.image.files.erase("/spool/lanes");
    } else {
      s.image.files.at("/spool/lanes")[40] ^= 1;
    }
    s.open();
    CHECK(s.owed("sink") == numbers(1, 10));
    CHECK(s.spool->epoch() != epoch);
    CHECK(s.spool->next() == Sequence(11));
    const status::LaneLedger ledger = s.ledger("sink");
    CHECK(ledger.carried_over == 10);
    CHECK(ledger.accepted == 0);
    CHECK(ledger.adds_up());
    s.fill("sink", 1);
    CHECK(s.owed("sink") == numbers(1, 11));
  }
}

TEST_CASE("lane states from the future decide the next sequence") {
  Spoilt s;
  s.open();
  s.fill("sink", 10);
  const DiskImage early = [&] {
    s.close();
    return s.image;
  }();
  s.open();
  s.fill("sink", 10);
  s.close();
  const std::string future = s.image.files.at("/spool/lanes");
  s.image = early;
  s.image.files.at("/spool/lanes") = future;
  s.open();
  CHECK(s.owed("sink") == numbers(1, 10));
  CHECK(s.spool->next() == Sequence(21));
  CHECK(s.ledger("sink").damaged == 10);
  CHECK(s.ledger("sink").adds_up());
}

TEST_CASE("a directory from another machine begins a new epoch and loses nothing") {
  Spoilt s;
  s.open();
  s.fill("sink", 3);
  const Epoch epoch = s.spool->epoch();
  s.close();
  StoredState state = *decode_state(s.image.files.at("/spool/lanes"));
  state.machine ^= 1;
  s.image.files.at("/spool/lanes") = encode_state(state);
  s.open();
  CHECK(s.spool->epoch() != epoch);
  CHECK(s.owed("sink") == numbers(1, 3));
  CHECK(s.spool->next() == Sequence(4));
  CHECK(s.reporter->count(status::Event::spool_epoch_begun) == 1);
  s.fill("sink", 1);
  const Epoch second = s.spool->epoch();
  s.close();
  s.open();
  CHECK(s.spool->epoch() == second);
  CHECK(s.owed("sink") == numbers(1, 4));
}

TEST_CASE("a directory that was copied or restored on the same machine begins a new epoch and loses nothing") {
  SpoolHarness h;
  h.open();
  const Epoch epoch = h.spool->epoch();
  h.put("sink", {"one"});
  h.flush();
  h.put("sink", {"two"});
  h.reopen();
  CHECK(h.spool->epoch() == epoch);  // the original knows itself
  h.spool.reset();
  const std::string copy = h.directory.path() + "/copy";
  REQUIRE(std::system(("cp -a '" + h.options.path + "' '" + copy + "'").c_str()) == 0);
  h.options.path = copy;
  h.open();
  CHECK(h.spool->epoch() != epoch);
  CHECK(h.payloads("sink") == std::vector<std::string>{"one", "two"});
  for (const Frame& frame : h.get("sink")) CHECK(frame.epoch == epoch);  // identities are kept
  CHECK(h.reporter.count(status::Event::spool_epoch_begun) == 1);
  const Epoch second = h.spool->epoch();
  h.reopen();
  CHECK(h.spool->epoch() == second);
}

TEST_CASE("a newer format is refused and nothing is touched") {
  Spoilt s;
  s.open();
  s.fill("sink", 3);
  s.close();
  const DiskImage whole = s.image;
  for (const bool in_state : {true, false}) {
    INFO(in_state);
    DiskImage newer = whole;
    if (in_state) {
      std::string& bytes = newer.files.at("/spool/lanes");
      bytes[8] = 3;
      bytes.resize(24 + base::load_le<std::uint32_t>(bytes.data() + 16));
      base::store_le(bytes.data() + 20, base::crc32c(std::string_view(bytes).substr(24),
                                                     base::crc32c(std::string_view(bytes).substr(8, 12))));
    } else {
      std::string& bytes = newer.files.at(s.segment(0));
      for (const std::size_t copy : {std::size_t{0}, std::size_t{512}}) {
        bytes[copy + 8] = 3;
        std::string head = bytes.substr(copy, 512);
        std::memset(head.data() + 20, 0, 4);
        base::store_le(bytes.data() + copy + 20, base::crc32c(head));
      }
    }
    CrashDisk disk(newer);
    test::CapturingReporter reporter;
    const auto opened = Spool::open(disk, s.clock, s.options, reporter);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == Errc::unsupported);
    CHECK(opened.error().what.find("version 3") != std::string::npos);
    CHECK(disk.contents().hash() == newer.hash());
  }
}

TEST_CASE("a second process is told that the spool is in use") {
  SpoolHarness h;
  h.open();
  const auto second = Spool::open(*h.disk, h.clock, h.options, h.reporter);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Errc::unavailable);
  CHECK(second.error().what.find("in use by another process") != std::string::npos);
}

TEST_CASE("after kill -9 the ledger counts what came after the last lane states") {
  Spoilt s;
  s.options.state_interval = std::chrono::hours{1};
  s.open();
  s.fill("a", 5);
  s.spool->settle(s.spool->lane("a"), Sequence(1), Outcome::delivered);
  REQUIRE(s.spool->flush(kPatience).has_value());  // saved here
  s.put("a", {"6"});
  s.put("b", {"7"});
  const Sequence wanted(7);
  REQUIRE(test::eventually(std::chrono::seconds{10}, [&] { return wanted <= s.spool->durable(); }));
  s.spool->settle(s.spool->lane("a"), Sequence(2), Outcome::delivered);  // forgotten: repeated
  s.kill();
  s.open();
  CHECK(s.owed("a") == numbers(2, 6));
  CHECK(s.ledger("a").accepted == 6);
  CHECK(s.ledger("a").delivered == 1);
  CHECK(s.ledger("a").spooled == 5);
  CHECK(s.ledger("a").adds_up());
  CHECK(s.ledger("b").accepted == 1);
  CHECK(s.ledger("b").adds_up());
}

TEST_CASE("damage met while reading is stepped over and counted, its neighbours are delivered") {
  Spoilt s;
  s.options.tail_bytes = 0;
  s.open();
  s.fill("sink", 20);
  s.put("other", {"one"});
  REQUIRE(s.spool->flush(kPatience).has_value());
  s.image = s.disk->contents();
  const std::string path = s.segment(0);
  s.disk->flip_bit(path, s.offset_of(path, 7) + 60, 3);
  CHECK(s.owed("sink") == numbers(1, 20, {7}));
  CHECK(s.owed("other") == numbers(21, 21));
  CHECK(s.ledger("sink").damaged == 1);
  CHECK(s.ledger("sink").adds_up());
  CHECK(s.reporter->count(status::Event::spool_damaged) == 1);
  REQUIRE(s.spool->flush(kPatience).has_value());
  CHECK(s.damaged_files() == 1);
  s.close();
  s.open();
  CHECK(s.owed("sink") == numbers(1, 20, {7}));
  CHECK(s.ledger("sink").damaged == 1);
  CHECK(s.ledger("sink").adds_up());
}

}  // namespace
}  // namespace railhead::spool
