// The judge itself must be able to say no.
#include "tests/end_to_end/arrivals.h"

#include <doctest/doctest.h>

using railhead::test::Arrival;
using railhead::test::judge;

TEST_CASE("the judge finds losses, disorder and unmarked surplus, and forgives repeats and marked surplus") {
  const std::vector<Arrival> good{
      {"g/1/1", "a", 0, false}, {"g/1/2", "a", 1, false}, {"g/1/1", "a", 0, false}, {"g/1/3", "a", 1, true}};
  CHECK(judge(good, 1, 2).faults.empty());
  CHECK(judge(good, 1, 2).repeats == 1);
  CHECK(judge(good, 1, 2).surplus == 1);
  CHECK_FALSE(judge(good, 1, 3).faults.empty());
  CHECK_FALSE(judge(good, 2, 2).faults.empty());
  CHECK_FALSE(judge({{"g/1/1", "a", 1, false}, {"g/1/2", "a", 0, false}}, 1, 2).faults.empty());
  CHECK_FALSE(judge({{"g/1/1", "a", 0, false}, {"g/1/2", "a", 0, false}}, 1, 1).faults.empty());
}
