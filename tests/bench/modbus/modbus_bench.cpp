// ./dev bench modbus: the product's source beside a loop that sends and receives the same bytes without knowing what
// they mean, and beside libmodbus. The poller has core 0, the field core 1; each is a process of its own; they
// alternate within one run. Lateness is measured at the field, the same for all: how much later a request arrives than
// the earliest of its connection on the connection's own grid of one second.
#include <string>
#include <string_view>

#include "tests/bench/modbus/field.h"
#include "tests/bench/modbus/pollers.h"
#include "tests/bench/support/measure.h"
#include "tests/bench/support/report.h"

namespace railhead::bench {
namespace {

constexpr int kRounds = 3;
constexpr int kFlatOutRounds = 9;  // short ones: what else the machine does hits both alike

struct Run {
  Polled polled;
  Tally tally;
};

// One poller against a field of its own; nothing when they do not agree on what was moved.
std::optional<Run> measure(Report& report, const std::string& self, const std::string& kind, Poll poll) {
  Field field(self, 1);
  poll.port = field.port();
  const auto polled = run_poller(self, kind, poll, 0);
  Run run{polled.value_or(Polled{}), field.tally()};
  if (!polled || polled->polls == 0) {
    report.invalid(kind + " did not poll");
    return std::nullopt;
  }
  if (polled->wrong != 0) {
    report.invalid(kind + ": " + std::to_string(polled->wrong) + " values are not what the field holds");
    return std::nullopt;
  }
  return run;
}

struct Pair {
  std::vector<Run> ours;
  std::vector<Run> theirs;
  [[nodiscard]] static double median_of(const std::vector<Run>& runs, double (*figure)(const Run&)) {
    std::vector<double> values;
    for (const Run& run : runs) values.push_back(figure(run));
    return median(std::move(values));
  }
};

// The two alternate. Both must have asked for the same bytes and been given them.
std::optional<Pair> measure_both(Report& report, const std::string& self, const std::string& rival, const Poll& poll,
                                 int rounds = kRounds) {
  Pair pair;
  for (int round = 0; round < rounds; ++round) {
    const auto ours = measure(report, self, "--ours", poll);
    const auto theirs = measure(report, self, rival, poll);
    if (!ours || !theirs) return std::nullopt;
    const auto each = [](std::uint64_t sum, const Tally& tally) {
      return static_cast<double>(sum) / static_cast<double>(tally.requests);
    };
    if (std::abs(each(ours->tally.bytes, ours->tally) - each(theirs->tally.bytes, theirs->tally)) > 1 ||
        std::abs(each(ours->tally.checksum, ours->tally) / each(theirs->tally.checksum, theirs->tally) - 1) > 0.01) {
      report.invalid("the pollers did not move the same bytes");
      return std::nullopt;
    }
    pair.ours.push_back(*ours);
    pair.theirs.push_back(*theirs);
  }
  return pair;
}

double cpu_share(const Run& run) { return run.polled.cpu / run.polled.seconds; }
double cpu_of_point(const Run& run) { return 1e6 * run.polled.cpu / static_cast<double>(run.polled.points); }
double rate(const Run& run) { return static_cast<double>(run.polled.polls) / run.polled.seconds; }
double late(const Run& run) { return 1e3 * run.tally.late_p99; }
double late_median(const Run& run) { return 1e3 * run.tally.late_p50; }

std::string percent(double share) { return shown(100 * share) + " % of a core"; }

void many_devices(Report& report, const std::string& self) {
  const auto pair = measure_both(report, self, "--bare", {.devices = 1000, .points = 10, .seconds = 8, .warm_up = 2});
  if (!pair) return;
  for (const Run& run : pair->ours) {
    if (rate(run) < 990) return report.invalid("1,000 devices: only " + shown(rate(run)) + " polls/s");
  }
  report.add({"1,000 TCP devices x 10 points at 1 Hz: p99 lateness", Pair::median_of(pair->ours, late),
              Pair::median_of(pair->theirs, late), "ms", "bare timer loop", 2.0, Wanted::at_most});
  report.add({"the same: CPU", 100 * Pair::median_of(pair->ours, cpu_share),
              100 * Pair::median_of(pair->theirs, cpu_share), "% of a core", "bare timer loop", 1.5, Wanted::at_most});
  report.note("median lateness " + shown(Pair::median_of(pair->ours, late_median)) + " ms, bare loop " +
              shown(Pair::median_of(pair->theirs, late_median)) + " ms");
}

void many_points(Report& report, const Yardstick& y, const std::string& self) {
  for (const bool scattered : {false, true}) {
    const auto pair = measure_both(
        report, self, "--bare", {.devices = 100, .points = 1000, .scattered = scattered, .seconds = 3, .warm_up = 1.5});
    if (!pair) return;
    const std::string what = scattered ? "scattered" : "contiguous";
    const double ours = Pair::median_of(pair->ours, cpu_of_point);
    report.add({"100,000 float points/s of 100 devices, " + what + ": CPU per point", ours / 1e6 / y.seconds, 0, "Y",
                shown(ours) + " us, " + percent(Pair::median_of(pair->ours, cpu_share)) + "; bare loop " +
                    percent(Pair::median_of(pair->theirs, cpu_share)),
                3.0, Wanted::at_most});
  }
}

void flat_out(Report& report, const std::string& self) {
  const Poll poll{.devices = 100, .points = 10, .every_us = 0, .seconds = 0.8, .warm_up = 0.3};
  if (const auto pair = measure_both(report, self, "--bare", poll, kFlatOutRounds)) {
    report.add({"polls flat out, 100 connections x 10 points", Pair::median_of(pair->ours, rate),
                Pair::median_of(pair->theirs, rate), "polls/s", "loop without protocol", 0.7, Wanted::at_least});
  }
  Poll alone = poll;
  alone.devices = 1;
  if (const auto pair = measure_both(report, self, "--libmodbus", alone, kFlatOutRounds)) {
    report.add({"polls flat out, one connection", Pair::median_of(pair->ours, rate),
                Pair::median_of(pair->theirs, rate), "polls/s", "libmodbus", 1.0, Wanted::at_least});
    report.note("CPU a poll on one connection: " +
                shown(1e6 * Pair::median_of(pair->ours, cpu_share) / Pair::median_of(pair->ours, rate)) +
                " us, libmodbus " +
                shown(1e6 * Pair::median_of(pair->theirs, cpu_share) / Pair::median_of(pair->theirs, rate)) + " us");
  }
}

// System calls a poll, under strace: slower, but their number is the same.
void system_calls(Report& report, const std::string& self) {
  std::string text;
  for (const std::string kind : {"--ours", "--bare"}) {
    Field field(self, 1);
    const Poll poll{.port = field.port(), .devices = 100, .points = 10, .every_us = 0, .seconds = 2, .warm_up = 0.1};
    pin_to({0});
    const auto calls = system_calls_of({kind, poll.text()});
    const Tally tally = field.tally();
    if (!calls || tally.requests == 0) return report.invalid("strace did not count");
    text += (text.empty() ? "" : ", ") + kind.substr(2) + " " + shown(*calls / static_cast<double>(tally.requests));
  }
  report.note("system calls a poll, flat out: " + text);
}

void serial_bus(Report& report) {
  const BusShare share = run_bus(75);
  report.add({"30 units on 19,200 baud, two dead: least share of its rate that another keeps", 100 * share.least, 0,
              "%", "plan uses " + shown(100 * share.planned) + " % of the line", 95, Wanted::at_least});
  if (share.collisions > 0) report.invalid(std::to_string(share.collisions) + " requests went into another's answer");
}

}  // namespace

int main_of(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "--field") return run_field();
  if (argc == 3 && mode == "--ours") return run_ours(Poll::parse(argv[2]));
  if (argc == 3 && mode == "--bare") return run_bare(Poll::parse(argv[2]));
  if (argc == 3 && mode == "--libmodbus") return run_libmodbus(Poll::parse(argv[2]));
  Report report("modbus", argc, argv);
  if (!pin_to({0}) || !pin_to({1})) report.invalid("it needs two cores of its own");
  const Yardstick y = yardstick();
  report.note("1 Y = " + shown(y.seconds * 1e9) + " ns (simdjson " + y.kernel + ")");
  if (y.fallback) report.invalid("simdjson runs without vector instructions: the yardstick is wrong");
  const std::string self = argv[0];
  many_devices(report, self);
  many_points(report, y, self);
  flat_out(report, self);
  system_calls(report, self);
  serial_bus(report);
  return report.finish();
}

}  // namespace railhead::bench

int main(int argc, char** argv) { return railhead::bench::main_of(argc, argv); }
