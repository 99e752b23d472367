// Things that somebody put where a file of the spool belongs. The start never fails, the thing is kept in damaged/, and
// the spool works.
#include <sys/stat.h>
#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gateway/spool/compaction.h"
#include "gateway/spool/format.h"
#include "gateway/spool/lane_state.h"
#include "tests/gateway/spool/spool_harness.h"

namespace railhead::spool {
namespace {

namespace fs = std::filesystem;

enum class Thing { directory, pipe, dangling_link };

void put_in_the_way(Thing thing, const fs::path& at) {
  fs::remove(at);
  switch (thing) {
    case Thing::directory: fs::create_directory(at); break;
    case Thing::pipe: REQUIRE(::mkfifo(at.c_str(), 0600) == 0); break;
    case Thing::dangling_link: fs::create_symlink("/nowhere/at/all", at); break;
  }
}

TEST_CASE("a directory, a pipe or a dangling link under a name of the spool is set aside, and the spool works") {
  const std::string spare = spare_name(7);
  for (const std::string& name :
       {segment_name(255), std::string(kStateName), std::string(kStateNewName), std::string(kCompactNewName), spare}) {
    for (const Thing thing : {Thing::directory, Thing::pipe, Thing::dangling_link}) {
      INFO(name, " ", static_cast<int>(thing));
      SpoolHarness h;
      h.open();
      h.put("sink", {"one", "two"});
      h.flush();
      h.spool.reset();
      const fs::path directory = h.options.path;
      put_in_the_way(thing, directory / name);
      h.open();
      CHECK(h.payloads("sink") == std::vector<std::string>{"one", "two"});
      h.put("sink", {"three"});
      h.flush();
      CHECK_FALSE(h.spool->usage().failing);
      CHECK(fs::exists(fs::symlink_status(directory / "damaged" / name)));
      CHECK(h.reporter.count(status::Event::spool_damaged) == 1);
      h.reopen();
      CHECK(h.payloads("sink") == std::vector<std::string>{"one", "two", "three"});
      CHECK(h.ledger("sink").adds_up());
      CHECK(h.reporter.count(status::Event::spool_damaged) == 1);  // told once
    }
  }
}

TEST_CASE("a file with the name of damaged/ is moved out of the way when something is to be kept there") {
  SpoolHarness h;
  h.open();
  h.put("sink", {"one", "two"});
  h.flush();
  h.spool.reset();
  const fs::path directory = h.options.path;
  std::ofstream(directory / "damaged") << "mine";
  std::ofstream(directory / segment_name(99)) << "no segment";
  h.open();
  h.put("sink", {"three"});
  h.flush();
  CHECK(h.payloads("sink") == std::vector<std::string>{"one", "two", "three"});
  CHECK(test::read_file((directory / "damaged.1").string()) == "mine");
  CHECK(test::read_file((directory / "damaged" / segment_name(99)).string()) == "no segment");
}

TEST_CASE("lane states that do not verify are kept in damaged/, and told once") {
  SpoolHarness h;
  h.open();
  h.put("sink", {"one"});
  h.flush();
  h.spool.reset();
  const std::string lanes = h.options.path + "/" + std::string(kStateName);
  std::string bytes = test::read_file(lanes);
  bytes[40] = static_cast<char>(bytes[40] ^ 1);
  std::ofstream(lanes, std::ios::binary | std::ios::trunc) << bytes;
  h.open();
  CHECK(h.payloads("sink") == std::vector<std::string>{"one"});
  CHECK(h.reporter.count(status::Event::spool_damaged) == 1);
  CHECK(test::read_file(h.options.path + "/damaged/lanes") == bytes);
  h.reopen();
  CHECK(h.reporter.count(status::Event::spool_damaged) == 1);
  CHECK(h.payloads("sink") == std::vector<std::string>{"one"});
}

}  // namespace
}  // namespace railhead::spool
