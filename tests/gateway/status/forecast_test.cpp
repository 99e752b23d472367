#include "gateway/status/forecast.h"

#include <doctest/doctest.h>

using namespace railhead;
using namespace std::chrono_literals;
using status::FillForecast;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr BootTime at(Duration since) { return BootTime{since}; }

}  // namespace

TEST_CASE("a spool that grows by 1 MiB a minute has an hour for 60 MiB") {
  FillForecast forecast;
  for (int second = 0; second <= 300; ++second) {
    forecast.add(at(std::chrono::seconds{second}), static_cast<std::uint64_t>(second) * kMiB / 60);
  }
  const std::optional<Duration> left = forecast.until_full(65 * kMiB);
  REQUIRE(left);
  CHECK(*left > 59min);
  CHECK(*left < 61min);
}

TEST_CASE("nothing is foretold before a minute was seen, nor while the backlog shrinks or stands") {
  FillForecast forecast;
  CHECK_FALSE(forecast.until_full(kMiB));
  for (int second = 0; second < 60; ++second) forecast.add(at(std::chrono::seconds{second}), 1000u * second);
  CHECK_FALSE(forecast.until_full(kMiB));
  FillForecast standing;
  for (int second = 0; second < 600; ++second) standing.add(at(std::chrono::seconds{second}), 5000);
  CHECK_FALSE(standing.until_full(kMiB));
  standing.add(at(601s), 4000);
  CHECK_FALSE(standing.until_full(kMiB));
}

TEST_CASE("only the last ten minutes count") {
  FillForecast forecast;
  for (int minute = 0; minute < 60; ++minute) forecast.add(at(std::chrono::minutes{minute}), 10 * kMiB);
  for (int minute = 60; minute <= 75; ++minute) {
    forecast.add(at(std::chrono::minutes{minute}), (10 + static_cast<std::uint64_t>(minute - 59)) * kMiB);
  }
  const std::optional<Duration> left = forecast.until_full(36 * kMiB);
  REQUIRE(left);
  CHECK(*left == 10min);
}

TEST_CASE("a full spool is full now") {
  FillForecast forecast;
  forecast.add(at(1s), 10);
  CHECK(forecast.until_full(10) == Duration::zero());
}
