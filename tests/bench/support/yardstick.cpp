#include <algorithm>
#include <vector>

#include <simdjson.h>

#include "tests/bench/support/measure.h"
#include "tests/support/places.h"
#include "tests/support/process.h"

namespace railhead::bench {

Yardstick yardstick() {
  Yardstick found;
  found.kernel = simdjson::get_active_implementation()->name();
  std::string text = test::read_file(test::source_directory() + "/tests/bench/sensor.json");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const simdjson::padded_string padded(text);
  simdjson::dom::parser parser;
  constexpr int kParses = 20'000;
  std::vector<double> rounds;
  std::size_t members = 0;
  for (int round = 0; round < 15; ++round) {
    const double begin = thread_cpu_seconds();
    for (int i = 0; i < kParses; ++i) {
      simdjson::dom::element document;
      if (parser.parse(padded).get(document) != simdjson::SUCCESS) return found;
      members += document.get_object().value_unsafe().size();
    }
    rounds.push_back((thread_cpu_seconds() - begin) / kParses);
  }
  if (members == 0) return found;
  found.seconds = median(rounds);
#if defined(__x86_64__)
  found.fallback = found.kernel == "fallback";
#endif
  return found;
}

}  // namespace railhead::bench
