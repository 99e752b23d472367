#include <algorithm>
#include <vector>

#include <simdjson.h>

#include "tests/bench/support/measure.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::bench {

namespace {

class Parses {
 public:
  Parses() : padded_(trimmed(test::read_file(test::source_directory() + "/tests/bench/sensor.json"))) {}
  // Seconds of one parse; 0 when there is nothing to parse.
  double round() {
    constexpr int kParses = 5'000;
    std::size_t members = 0;
    const double begin = thread_cpu_seconds();
    for (int i = 0; i < kParses; ++i) {
      simdjson::dom::element document;
      if (parser_.parse(padded_).get(document) != simdjson::SUCCESS) return 0;
      members += document.get_object().value_unsafe().size();
    }
    return members == 0 ? 0 : (thread_cpu_seconds() - begin) / kParses;
  }

 private:
  static std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }
  const simdjson::padded_string padded_;
  simdjson::dom::parser parser_;
};

}  // namespace

Yardstick yardstick() {
  Yardstick found;
  found.kernel = simdjson::get_active_implementation()->name();
  Parses parses;
  std::vector<double> rounds;
  for (int round = 0; round < 60; ++round) rounds.push_back(parses.round());
  found.seconds = median(std::move(rounds));
#if defined(__x86_64__)
  found.fallback = found.kernel == "fallback";
#endif
  return found;
}

InYardsticks in_yardsticks(const std::function<void()>& once) {
  constexpr int kRounds = 101;
  constexpr int kTimes = 2'000;
  Parses parses;
  std::vector<double> ratios;
  std::vector<double> seconds;
  for (int round = 0; round < kRounds; ++round) {
    const double before = parses.round();
    const double begin = thread_cpu_seconds();
    for (int i = 0; i < kTimes; ++i) once();
    seconds.push_back((thread_cpu_seconds() - begin) / kTimes);
    ratios.push_back(seconds.back() / ((before + parses.round()) / 2));
  }
  return {median(std::move(seconds)), median(std::move(ratios))};
}

}  // namespace railhead::bench
