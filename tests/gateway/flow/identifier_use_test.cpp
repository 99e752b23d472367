#include "gateway/flow/identifier_use.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace railhead::flow {
namespace {

using namespace std::chrono_literals;

// Identifiers and when they were seen.
bool counts_through(const std::vector<std::pair<std::uint16_t, Duration>>& messages) {
  IdentifierUse use;
  for (const auto& [packet_id, at] : messages) use.saw({.session = 1, .packet_id = packet_id}, Time{1h + at});
  CHECK_FALSE(use.counts_through(2));
  return use.counts_through(1);
}

TEST_CASE("a broker counts its identifiers through if it passes over free ones, or goes beyond what is under way") {
  CHECK(counts_through({{1, 0s}, {2, 1s}}));
  CHECK(counts_through({{7, 0s}, {8, 0s}, {9, 1500ms}}));
  CHECK(counts_through({{5000, 0s}}));
  CHECK(counts_through({{65'535, 0s}, {1, 0s}, {2, 0s}}));
}

TEST_CASE("it does not where it takes the lowest free one, and nobody knows while all are under way at once") {
  CHECK_FALSE(counts_through({{1, 0s}}));
  CHECK_FALSE(counts_through({{1, 0s}, {2, 0s}, {3, 10ms}, {4, 900ms}}));
  CHECK_FALSE(counts_through({{1, 0s}, {1, 5s}}));
  CHECK_FALSE(counts_through({{1, 0s}, {2, 0s}, {1, 5s}, {2, 5s}, {3, 5s}}));
  CHECK_FALSE(counts_through({{4999, 0s}, {5000, 0s}, {4999, 1s}}));
  // The frames of one message.
  CHECK_FALSE(counts_through({{1, 0s}, {1, 0s}}));
}

}  // namespace
}  // namespace railhead::flow
