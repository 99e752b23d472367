#include "gateway/spool/inspect.h"

#include <fstream>
#include <sstream>
#include <string>

#include "gateway/spool/format.h"
#include "tests/gateway/spool/spool_harness.h"

namespace railhead::spool {
namespace {

struct Inspected {
  Inspected() {
    h.open();
    static_cast<void>(h.spool->lane("kafka"));  // both before the first segment is made, so that one is enough
    static_cast<void>(h.spool->lane("amqp"));
    for (int i = 1; i <= 6; ++i) h.put(i % 2 == 0 ? "amqp" : "kafka", {"payload " + std::to_string(i)});
    h.flush();
    h.spool->settle(h.spool->lane("kafka"), Sequence(1), Outcome::delivered);
    h.flush();
  }
  std::string dumped(const DumpOptions& options) {
    std::ostringstream out;
    const Result<void> done = dump(
        *h.disk, h.options.path, options,
        [](std::string_view payload, std::string& json) { json += ",\"body\":\"" + std::string(payload) + "\""; }, out);
    REQUIRE(done.has_value());
    return out.str();
  }
  SpoolHarness h;
};

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST_CASE("verify says whole, beside the running process and after it") {
  Inspected i;
  for (const bool running : {true, false}) {
    if (!running) i.h.spool.reset();
    std::ostringstream out;
    CHECK(verify(*i.h.disk, i.h.options.path, out) == Condition::whole);
    CHECK(out.str().find("5 records owed, next sequence 7") != std::string::npos);
    CHECK(out.str().find("lane kafka: carried over 0 + accepted 3 = delivered 1 + spooled 2") != std::string::npos);
    CHECK((out.str().find("in use") != std::string::npos) == running);
  }
}

TEST_CASE("dump shows what is owed, one JSON a line; settled records and one lane on request") {
  Inspected i;
  CHECK(lines(i.dumped({})) == 5);
  const std::string first = i.dumped({}).substr(0, i.dumped({}).find('\n'));
  CHECK(first.find("{\"sequence\":2,\"epoch\":\"") == 0);
  CHECK(first.find("\"lane\":\"amqp\"") != std::string::npos);
  CHECK(first.find(",\"settled\":false,\"body\":\"payload 2\"}") != std::string::npos);
  DumpOptions options;
  options.settled = true;
  CHECK(lines(i.dumped(options)) == 6);
  options.lane = "kafka";
  CHECK(lines(i.dumped(options)) == 3);
  options.from = Sequence(4);
  CHECK(lines(i.dumped(options)) == 1);
}

TEST_CASE("looking changes nothing on disk, not even where a start would mend") {
  Inspected i;
  i.h.spool.reset();
  const std::string path = i.h.options.path + "/" + segment_name(1);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1100);
    file.put('?');
  }
  const std::string before = test::read_file(path);
  std::ostringstream out;
  CHECK(verify(*i.h.disk, i.h.options.path, out) == Condition::damaged);
  CHECK(out.str().find("damaged, but usable") != std::string::npos);
  CHECK(out.str().find("0000000000000001.seg: bytes 1") != std::string::npos);
  CHECK(lines(i.dumped({})) == 4);
  CHECK(test::read_file(path) == before);
  CHECK_FALSE(i.h.disk->exists(i.h.options.path + "/damaged"));
}

TEST_CASE("whoever looks is told how far it has come, up to the end") {
  SpoolHarness h(1 << 20);
  h.open();
  for (int i = 0; i < 200; ++i) h.put("sink", {std::string(1000, 'x')});
  h.flush();
  std::vector<std::uint64_t> told;
  std::uint64_t most = 0;
  const ReadProgress progress = [&](std::uint64_t done, std::uint64_t all) {
    told.push_back(done);
    most = all;
  };
  std::ostringstream out;
  CHECK(verify(*h.disk, h.options.path, out, progress) == Condition::whole);
  REQUIRE(told.size() >= 3);
  CHECK(std::is_sorted(told.begin(), told.end()));
  CHECK(told.back() == most);
  CHECK(most > 200'000);
}

TEST_CASE("stats print sizes and ledgers") {
  Inspected i;
  std::ostringstream out;
  REQUIRE(stats(*i.h.disk, i.h.options.path, out).has_value());
  CHECK(out.str().find("records 6, owed 5") != std::string::npos);
  CHECK(out.str().find("lane amqp:") != std::string::npos);
}

// Error paths

TEST_CASE("what is no spool, or one of a newer format, is unusable") {
  SpoolHarness h;
  REQUIRE(h.disk->make_directories(h.options.path).has_value());
  std::ostringstream out;
  CHECK(verify(*h.disk, h.options.path, out) == Condition::unusable);
  CHECK(verify(*h.disk, h.options.path + "/missing", out) == Condition::unusable);
  CHECK_FALSE(dump(*h.disk, h.options.path, {}, {}, out).has_value());
  CHECK_FALSE(h.disk->exists(h.options.path + "/lock"));
}

}  // namespace
}  // namespace railhead::spool
