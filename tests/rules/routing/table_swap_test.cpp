// A table's new version takes the place of the old one as a whole, or not at all.
#include <doctest/doctest.h>

#include "rules/routing/routing.h"
#include "tests/rules/routing/case_support.h"
#include "tests/support/process.h"

using namespace railhead;
using namespace railhead::test;

namespace {

constexpr std::string_view kRules = R"(
sources: { sensors: { mqtt: { url: "mqtt://localhost" } } }
sinks: { audit: { file: { path: "-" } } }
tables:
  assets: { file: assets.csv, key: device }
  zones: { file: zones.json }
  shifts: { file: shifts.yaml }
rules:
  - name: owners
    on_change: { value.n: 1 }
    send: { to: audit, body: "[tables.assets[device].owner, tables.assets[device].limit * 2, tables.zones.a, tables.shifts.early]" }
)";

struct Swap {
  Swap() {
    files.write("assets.csv", "device,owner,limit\na,Ann,1\n");
    files.write("zones.json", R"({"a":"north"})");
    files.write("shifts.yaml", "early: 6\n");
    built = build_rules(kRules, files.path() + "/railhead.yaml");
    REQUIRE_MESSAGE(built->router, built->diagnostics.render());
    router = built->router;
  }
  // Empty: taken; else why not.
  std::string renew(const std::string& table) {
    config::Diagnostics diagnostics = built->diagnostics.beside(std::make_shared<config::FileStore>());
    auto fresh = routing::with_table_read_anew(*router, built->input, table, diagnostics);
    if (!fresh) return diagnostics.render();
    router = fresh;
    return {};
  }
  std::string body() const {
    const std::string line = try_text(*router, R"({"source":"sensors","device":"a","value":{"n":1}})"
                                               "\n");
    const std::size_t at = line.find("\"body\":");
    return at == std::string::npos ? line : line.substr(at + 7, line.find('}', at) - at - 7);
  }

  TemporaryDirectory files;
  std::unique_ptr<Built> built;
  std::shared_ptr<const ports::Router> router;
};

}  // namespace

TEST_CASE("a new version of a table is taken whole: CSV, JSON and YAML") {
  Swap swap;
  CHECK(swap.body() == R"(["Ann",2,"north",6])");
  swap.files.write("assets.csv", "device,limit,owner,more\na,2.5,Bo,x\nb,1,Cy,y\n");
  swap.files.write("zones.json", R"({"a":"south","b":1})");
  CHECK(swap.body() == R"(["Ann",2,"north",6])");
  CHECK(swap.renew("assets") == "");
  // The others are as they were, though their files changed.
  CHECK(swap.body() == R"(["Bo",5.0,"north",6])");
  CHECK(swap.renew("zones") == "");
  swap.files.write("shifts.yaml", "early: 5\nlate: 13\n");
  CHECK(swap.renew("shifts") == "");
  CHECK(swap.body() == R"(["Bo",5.0,"south",5])");
}

// Error paths

TEST_CASE("a bad version of a table is refused with its reason, and the old one stays") {
  struct Row {
    const char* table;
    const char* file;
    const char* text;
    const char* why;
  };
  const Row rows[] = {
      {"assets", "assets.csv", "device,owner,limit\na,Ann,1\na,Bo,2\n", "key 'a' again"},
      {"assets", "assets.csv", "device,owner,limit\na,Ann\n", "line 2"},
      {"assets", "assets.csv", "device,owner\na,Ann\n", "has no member 'limit'"},
      {"assets", "assets.csv", "device,owner,limit\na,Ann,high\n", "'*' does not work between a string and an int"},
      {"assets", "assets.csv", "device,owner,limit\nb,Bo,7\na,Ann,high\n",
       "assets.csv: line 3: 'high' in column 'limit' is not an int, as all were before"},
      {"zones", "zones.json", "{\"a\":\"x\",\n\"b\":{\"c\":1},\"d\":[{\"c\":1}],\n\"a\":\"y\"}",
       "zones.json: line 3: key 'a' again, it stands already in line 1"},
      {"zones", "zones.json", "{\"a\":\"x\",\"b\":{\"c\":1,\"c\\\"\":2,\"c\":\"a\"}}", "key 'c' again"},
      {"assets", "assets.csv", "", "assets.csv"},
      {"zones", "zones.json", "{\"a\":", "zones.json"},
      {"zones", "zones.json", "{\"a\":1} x", "zones.json"},
      {"shifts", "shifts.yaml", "early: [", "shifts.yaml:1"},
      {"shifts", "shifts.yaml", "just a text\n", "a table is a map of rows"},
  };
  Swap swap;
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const std::string good = read_file(swap.files.path() + "/" + row.file);
    swap.files.write(row.file, row.text);
    const std::string why = swap.renew(row.table);
    CHECK_MESSAGE(why.find(row.why) != std::string::npos, why);
    CHECK(swap.body() == R"(["Ann",2,"north",6])");
    swap.files.write(row.file, good);
    CHECK(swap.renew(row.table) == "");
  }
}

TEST_CASE("what rules remember outlives a table's new version") {
  Swap swap;
  const std::unique_ptr<ports::RuleState> before = swap.router->open();
  Reading reading;
  reading.source = "sensors";
  reading.device = "a";
  reading.value = Value::map({{Value::text("n"), Value::integer(1)}});
  ports::Routed routed;
  before->route(reading, BootTime{}, routed);
  CHECK(routed.records.size() == 1);
  swap.files.write("assets.csv", "device,owner,limit\na,Bo,1\n");
  REQUIRE(swap.renew("assets") == "");
  const std::unique_ptr<ports::RuleState> after = swap.router->open();
  std::vector<ports::Group> closed;
  after->take_over(*before, BootTime{}, closed);
  after->route(reading, BootTime{}, routed);
  CHECK(routed.verdict == ports::Verdict::filtered);  // on_change still knows what was sent
}
