// ./dev bench rules: what rules cost per reading, in yardsticks; that scalar expressions allocate nothing; that rules
// which do not match cost nothing; and the same expressions by an implementation of CEL from npm, where npm is.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "gateway/base/assert.h"
#include "gateway/base/text.h"
#include "gateway/message/json.h"
#include "rules/expression/expression.h"
#include "rules/routing/routing.h"
#include "tests/bench/support/measure.h"
#include "tests/bench/support/report.h"
#include "tests/rules/expression/allocations.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::bench {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr int kRounds = 9;

// Seconds of one call, the median of rounds.
double seconds_of(const std::function<void()>& once, int times) {
  for (int i = 0; i < times; ++i) once();
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = thread_cpu_seconds();
    for (int i = 0; i < times; ++i) once();
    rounds.push_back((thread_cpu_seconds() - begin) / times);
  }
  return median(std::move(rounds));
}

// The sample of the manual: a condition, two computed fields, a table look-up, a topic and a key from templates.
std::string sample_rule(const std::string& format) {
  return R"(
  - name: boiler telemetry
    from: { source: sensors, device: "boiler-*" }
    when: value.status == "ok" && value.temperature > 0
    let:
      asset: tables.assets[device]
    send:
      to: plant-kafka
      topic: telemetry.${labels.site}
      key: ${device}
      format: )" +
         format + R"(
      body: { fahrenheit: value.temperature * 1.8 + 32, load: value.pressure / asset.limit, owner: asset.owner }
)";
}

std::shared_ptr<const ports::Router> rules_of(const std::string& rules, const std::string& directory) {
  config::Diagnostics diagnostics;
  const config::Document document =
      config::Document::parse("tables: { assets: { file: assets.csv, key: device } }\nrules:" + rules,
                              directory + "/railhead.yaml", diagnostics);
  routing::RoutingInput input;
  input.gateway = "plant-7";
  input.labels = {{"site", "north"}};
  input.rules = document.root().find("rules");
  input.tables = document.root().find("tables");
  input.sources = {{.name = "sensors"}};
  input.sinks = {{.name = "plant-kafka", .kind = "kafka", .needs_topic = true},
                 {.name = "k", .kind = "kafka", .needs_topic = true}};
  auto router = routing::build(input, diagnostics);
  if (diagnostics.has_errors()) std::fputs(diagnostics.render().c_str(), stderr);
  RAILHEAD_ASSERT(router != nullptr && !diagnostics.has_errors());
  return router;
}

std::string sensor_json() {
  std::string text = test::read_file(test::source_directory() + "/tests/bench/sensor.json");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Reading reading_of(Value value) {
  Reading reading;
  reading.source = "sensors";
  reading.device = "boiler-17";
  reading.time = Time{std::chrono::seconds{1767225600}};
  reading.value = std::move(value);
  return reading;
}

class Area {
 public:
  Area() : path_(test::build_directory() + "/bench-data/rules") {
    fs::create_directories(path_);
    std::ofstream table(path_ + "/assets.csv");
    table << "device,owner,limit\n";
    for (int i = 0; i < 200; ++i) table << "boiler-" << i << ",Ann," << 4.5 << "\n";
  }
  ~Area() { fs::remove_all(path_); }
  Area(const Area&) = delete;
  Area& operator=(const Area&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void sample(Report& report, const Area& area) {
  JsonParser parser;
  const std::string text = sensor_json();
  const Reading reading = reading_of(*parser.parse(text));
  ports::Routed routed;
  const auto route_once = [&](ports::RuleState& state, const Reading& one) {
    state.route(one, BootTime{}, routed);
    RAILHEAD_ASSERT(routed.records.size() == 1);
  };
  const auto told = [&](const std::string& what, const InYardsticks& cost) {
    report.note(what + ": " + shown(cost.seconds * 1e9) + " ns, " + shown(cost.ratio) + " Y");
    return cost.ratio;
  };
  {
    const auto state = rules_of(sample_rule("messagepack"), area.path())->open();
    const double cost = told("the sample rule without JSON", in_yardsticks([&] { route_once(*state, reading); }));
    report.add({"the sample rule, without JSON", cost, 0, "Y", "", 2.0, Wanted::at_most});
  }
  const auto state = rules_of(sample_rule("json"), area.path())->open();
  const double cost = told("with JSON in and out", in_yardsticks([&] {
                             Reading fresh = reading_of(*parser.parse(text));
                             route_once(*state, fresh);
                           }));
  report.note("its body: " + routed.records.at(0).body);
  told("of that, JSON to a value", in_yardsticks([&] { (void)parser.parse(text); }));
  report.add({"the sample rule, JSON parsed and written, 200 B", cost, 0, "Y", "", 7.0, Wanted::at_most});
}

void many_rules(Report& report, const Area& area) {
  const auto cost = [&](int count) {
    std::string rules;  // short ones: a file has at most 1 MiB
    for (int i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      // A third each by device, by topic, by a pattern of device and topic.
      const std::string from = i == 0       ? "device: boiler-17"
                               : i % 3 == 0 ? "device: b" + n
                               : i % 3 == 1 ? "topic: p/" + n
                                            : "device: p*, topic: p/" + n + "/+";
      rules += "\n  - { name: r" + n + ", from: { " + from + " }, send: { to: k, topic: t, body: value.seq } }";
    }
    const auto router = rules_of(rules, area.path());
    const auto state = router->open();
    JsonParser parser;
    Reading reading = reading_of(*parser.parse(sensor_json()));
    reading.attributes = Value::map({{Value::text("topic"), Value::text("plant/hall/telemetry")}});
    ports::Routed routed;
    return seconds_of(
        [&] {
          state->route(reading, BootTime{}, routed);
          RAILHEAD_ASSERT(!routed.records.empty());
        },
        50'000);
  };
  const double ten = cost(10);
  const double many = cost(10'000);
  report.add({"10,000 rules of which one matches", many * 1e9, ten * 1e9, "ns", "10 rules", 2.0, Wanted::at_most});
}

// --- expressions by themselves

class World final : public expression::Bindings {
 public:
  World() {
    const auto add = [&](const char* name, Value value) {
      (void)scope_.declare(name, expression::type_of(value));
      values_.push_back(std::move(value));
    };
    const auto text = [](std::string_view t) { return Value::text(t); };
    add("quality", text("good"));
    add("device", text("boiler-17"));
    add("labels", Value::map({{text("site"), text("north")}, {text("line"), text("A")}}));
    add("value", Value::map({{text("temperature"), Value::real(93.5)},
                             {text("pressure"), Value::real(2.125)},
                             {text("count"), Value::integer(7)},
                             {text("mode"), text("auto")},
                             {text("burner_on"), Value::boolean(true)},
                             {text("steps"), Value::list({Value::integer(3), Value::integer(1), Value::integer(2)})}}));
  }
  const Value& get(std::size_t slot) override { return values_[slot]; }
  [[nodiscard]] std::shared_ptr<const expression::Program> compile(const std::string& text) const {
    std::vector<expression::Problem> problems;
    auto program = expression::compile(text, scope_, problems);
    RAILHEAD_ASSERT(program != nullptr);
    return program;
  }

 private:
  expression::Scope scope_;
  std::vector<Value> values_;
};

std::vector<std::string> expressions() {
  std::vector<std::string> lines;
  std::ifstream file(test::source_directory() + "/tests/bench/rules/expressions.txt");
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

struct Measured {
  std::string text;
  double nanoseconds = 0;
  std::string result;
};

std::vector<Measured> ours(Report& report) {
  World world;
  expression::Evaluator evaluator;
  std::vector<Measured> all;
  std::uint64_t allocated = 0;
  for (const std::string& text : expressions()) {
    const auto program = world.compile(text);
    const double seconds = seconds_of([&] { (void)evaluator.evaluate(*program, world); }, 100'000);
    all.push_back({text, seconds * 1e9, to_json(evaluator.evaluate(*program, world))});
    const std::uint64_t before = test::allocations();
    for (int i = 0; i < 1000; ++i) (void)evaluator.evaluate(*program, world);
    const std::uint64_t here = test::allocations() - before;
    if (here > 0) report.note(std::to_string(here) + " allocations in 1,000 evaluations of " + text);
    // A text of more than 14 bytes is no scalar: it needs a place.
    const expression::Type type = program->result_type();
    if (type != expression::Type::string && type != expression::Type::any) allocated += here;
  }
  report.add({"heap allocations in 1,000 evaluations of each scalar expression", static_cast<double>(allocated), 0, "",
              "", 0.0, Wanted::at_most});
  return all;
}

// Installs the rival once, beside the build. Empty: there is no npm, or no network.
std::string rival_module() {
  if (std::system("command -v npm >/dev/null && command -v node >/dev/null") != 0) return {};
  const std::string place = test::build_directory() + "/bench-data-npm";
  const std::string module = place + "/node_modules/@marcbachmann/cel-js/lib/index.js";
  if (fs::exists(module)) return module;
  fs::create_directories(place);
  (void)test::run(
      {"npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", place, "@marcbachmann/cel-js@8"}, 120s);
  return fs::exists(module) ? module : std::string();
}

void beside_rival(Report& report, const std::vector<Measured>& all) {
  const std::string module = rival_module();
  if (module.empty()) return report.note("npm's CEL is not there: nothing to compare expressions with");
  const std::string here = test::source_directory() + "/tests/bench/rules/";
  const test::Ran ran = test::run({"node", here + "cel.mjs", module, here + "expressions.txt"}, 120s);
  std::istringstream lines(ran.output);
  double product = 1;
  for (const Measured& one : all) {
    double nanoseconds = 0;
    std::string result;
    lines >> nanoseconds;
    std::getline(lines, result);
    if (base::trim(result) != one.result) {
      return report.invalid("npm's CEL gives " + result + " for " + one.text + ", we give " + one.result + " " +
                            ran.output);
    }
    report.note(shown(one.nanoseconds) + " ns, npm " + shown(nanoseconds) + " ns: " + one.text);
    product *= nanoseconds / one.nanoseconds;
  }
  const double mean = std::pow(product, 1.0 / static_cast<double>(all.size()));
  report.add(
      {"expressions beside @marcbachmann/cel-js, geometric mean", mean, 0, "x faster", "node", 1.0, Wanted::at_least});
}

}  // namespace

int main_of(int argc, char** argv) {
  Report report("rules", argc, argv);
  pin_to({1});
  const Yardstick y = yardstick();
  report.note("1 Y = " + shown(y.seconds * 1e9) + " ns (simdjson " + y.kernel + ")");
  if (y.fallback) report.invalid("simdjson runs without vector instructions: the yardstick is wrong");
  const Area area;
  sample(report, area);
  many_rules(report, area);
  beside_rival(report, ours(report));
  return report.finish();
}

}  // namespace railhead::bench

int main(int argc, char** argv) { return railhead::bench::main_of(argc, argv); }
