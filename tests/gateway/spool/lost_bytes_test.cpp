// Bytes that the disk does not give, that are zeros, or that somebody took away: while the spool is closed, and under
// the running one.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/gateway/spool/spoilt.h"

namespace railhead::spool {
namespace {

TEST_CASE("what the disk cannot read is neither cut nor removed, and a tail that cannot be read begins a new epoch") {
  for (const bool header : {true, false}) {
    INFO("header ", header);
    Spoilt s;
    s.open();
    s.fill("sink", 20);
    const Epoch epoch = s.spool->epoch();
    s.close();
    const std::string path = s.segment(0);
    const std::string whole = s.image.files.at(path);
    s.disk = std::make_unique<test::CrashDisk>(s.image);
    s.disk->fail_reads_of(path, header ? 0 : 12'288, whole.size());
    s.open();
    CHECK(s.owed("sink") == numbers(1, header ? 0 : 10));
    CHECK(s.spool->epoch() != epoch);
    CHECK(s.spool->next() == Sequence(21));  // the lane states know
    CHECK(s.ledger("sink").damaged == (header ? 20 : 10));
    CHECK(s.ledger("sink").adds_up());
    s.put("sink", {"goes on"});
    REQUIRE(s.spool->flush(kPatience).has_value());
    const test::DiskImage after = s.disk->contents();
    const std::string now = header ? "/spool/damaged" + path.substr(6) : path;
    REQUIRE(after.files.count(now) == 1);
    CHECK(after.files.at(now) == whole);
  }
}

TEST_CASE(
    "a last segment that is nothing but zeros: a new epoch begins, and what is known to have been in it is lost") {
  for (const bool known : {false, true}) {
    INFO("the lane states know its records ", known);
    Spoilt s;
    s.options.state_interval = std::chrono::hours{1};
    s.open();
    s.put("sink", {"one", "two"});
    REQUIRE(test::eventually(std::chrono::seconds{10}, [&] { return s.spool->durable() == Sequence(2); }));
    const Epoch epoch = s.spool->epoch();
    known ? s.close() : s.kill();
    const std::string path = s.segment(0);
    std::string& bytes = s.image.files.at(path);
    bytes.assign(bytes.size(), '\0');
    s.open();
    CHECK(s.spool->epoch() != epoch);
    CHECK(s.owed("sink").empty());
    CHECK(s.spool->next() == Sequence(known ? 3 : 1));
    CHECK(s.ledger("sink").damaged == (known ? 2 : 0));
    CHECK(s.ledger("sink").adds_up());
    CHECK(s.reporter->count(status::Event::spool_tail_cut) == 0);  // that says it was never acknowledged
    REQUIRE(s.reporter->count(status::Event::spool_damaged) == (known ? 1 : 0));
    const std::string told = " records=2 bytes=0 what=" + path.substr(7) + " is nothing but zeros";
    const std::vector<std::string> lines = s.reporter->lines();
    CHECK(std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.ends_with(told); }) ==
          known);
    s.close();
    s.open();
    CHECK(s.ledger("sink").damaged == (known ? 2 : 0));
    CHECK(s.reporter->count(status::Event::spool_damaged) == 0);
  }
}

TEST_CASE("the oldest segment missing behind what the lane states know is counted: it was never trimmed") {
  Spoilt s;
  s.options.state_interval = std::chrono::hours{1};
  s.open();
  for (std::uint64_t i = 1; i <= 100; ++i) {
    s.put("sink", {std::string(1000, 'x')});
    REQUIRE(test::eventually(std::chrono::seconds{10}, [&] { return s.spool->durable() == Sequence(i); }));
  }
  s.kill();
  s.image.files.erase(s.segment(0));
  s.open();
  const std::size_t owed = s.owed("sink").size();
  CHECK(owed > 20);
  CHECK(owed < 80);
  CHECK(s.ledger("sink").accepted == 100);
  CHECK(s.ledger("sink").damaged == 100 - owed);
  CHECK(s.ledger("sink").adds_up());
  CHECK(s.reporter->count(status::Event::spool_damaged) == 1);
}

// The running spool.

TEST_CASE("damage met while reading leaves held what is held, but for what is lost") {
  Spoilt s;
  s.options.tail_bytes = 0;
  s.open();
  s.fill("sink", 20);
  s.put("other", {"one"});
  REQUIRE(s.spool->flush(kPatience).has_value());
  const std::vector<Sequence> held{Sequence(3), Sequence(7), Sequence(9)};
  s.spool->hold(s.spool->lane("sink"), held);
  s.spool->hold(s.spool->lane("other"), std::vector<Sequence>{Sequence(21)});
  REQUIRE(s.ledger("sink").held == 3);
  s.image = s.disk->contents();
  const std::string path = s.segment(0);
  s.disk->flip_bit(path, s.offset_of(path, 7) + 60, 3);
  CHECK(s.owed("sink") == numbers(1, 20, {7}));
  CHECK(s.ledger("sink").damaged == 1);
  CHECK(s.ledger("sink").held == 2);
  CHECK(s.ledger("sink").spooled == 17);
  CHECK(s.ledger("sink").adds_up());
  CHECK(s.ledger("other").held == 1);
  s.spool->release(s.spool->lane("sink"), held);
  CHECK(s.ledger("sink").held == 0);
  CHECK(s.ledger("sink").spooled == 19);
  s.spool->settle(s.spool->lane("other"), Sequence(21), Outcome::delivered);
  CHECK(s.ledger("other").delivered == 1);
  CHECK(s.ledger("other").adds_up());
}

TEST_CASE("blocks that cannot be read are stepped over and counted by the running spool, too") {
  Spoilt s;
  s.options.tail_bytes = 0;
  s.open();
  s.fill("sink", 30);
  s.image = s.disk->contents();
  const std::string path = s.segment(0);
  s.disk->fail_reads_of(path, 8192, 12'288);
  const std::size_t owed = s.owed("sink").size();
  CHECK(owed >= 24);
  CHECK(owed < 30);
  CHECK(s.ledger("sink").damaged == 30 - owed);
  CHECK(s.ledger("sink").adds_up());
  CHECK(s.reporter->count(status::Event::spool_damaged) == 1);
}

TEST_CASE("a segment that somebody removes under the running spool is counted, told once, and stops nobody") {
  Spoilt s;
  s.options.tail_bytes = 0;
  s.open();
  s.fill("sink", 100);
  s.image = s.disk->contents();
  const std::string path = s.segment(0);
  s.put("sink", {"late"});
  REQUIRE(s.spool->flush(kPatience).has_value());
  REQUIRE(s.disk->remove(path).has_value());
  const std::size_t owed = s.owed("sink").size();
  CHECK(owed > 20);
  CHECK(owed < 80);
  CHECK(s.ledger("sink").damaged == s.ledger("sink").accepted - owed);
  CHECK(s.ledger("sink").adds_up());
  CHECK(s.reporter->count(status::Event::spool_damaged) == 1);
  s.fill("sink", 1);
  s.close();
  s.open();
  CHECK(s.owed("sink").size() >= owed + 1);
  CHECK(s.reporter->count(status::Event::spool_damaged) == 0);
}

}  // namespace
}  // namespace railhead::spool
