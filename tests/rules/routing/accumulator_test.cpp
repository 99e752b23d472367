// Window functions: what they give, and that writing and reading their state in between changes nothing.
#include "rules/routing/accumulator.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <vector>

using namespace railhead;
using routing::Accumulator;
using routing::Percentile;
using routing::WindowFunction;

namespace {

constexpr WindowFunction kAll[] = {WindowFunction::count, WindowFunction::sum,    WindowFunction::mean,
                                   WindowFunction::min,   WindowFunction::max,    WindowFunction::first,
                                   WindowFunction::last,  WindowFunction::stddev, WindowFunction::percentile};

Value result(WindowFunction function, const std::vector<Value>& values, double percent = 50) {
  Accumulator accumulator(function, percent);
  Time time{};
  for (const Value& value : values) accumulator.add(value, time += Duration{1});
  return accumulator.result();
}

Value i(std::int64_t n) { return Value::integer(n); }
Value d(double n) { return Value::real(n); }

double exact(std::vector<double> values, double percent) {
  std::sort(values.begin(), values.end());
  const double rank = percent / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const double above = values[std::min(below + 1, values.size() - 1)];
  return values[below] + (above - values[below]) * (rank - std::floor(rank));
}

}  // namespace

TEST_CASE("window functions give what their names say") {
  const std::vector<Value> values{i(4), i(1), Value{}, i(7)};
  CHECK(result(WindowFunction::count, values) == i(3));
  CHECK(result(WindowFunction::sum, values) == i(12));
  CHECK(result(WindowFunction::sum, values).is(Kind::integer));
  CHECK(result(WindowFunction::mean, values) == d(4));
  CHECK(result(WindowFunction::min, values) == i(1));
  CHECK(result(WindowFunction::max, values) == i(7));
  CHECK(result(WindowFunction::first, values) == i(4));
  CHECK(result(WindowFunction::last, values) == i(7));
  CHECK(result(WindowFunction::stddev, values) == d(3));
  CHECK(result(WindowFunction::percentile, values, 75) == d(5.5));
  CHECK(result(WindowFunction::sum, {i(1), d(0.5)}) == d(1.5));
  CHECK(result(WindowFunction::count, {Value::boolean(true), Value::boolean(false)}) == i(1));
  CHECK(result(WindowFunction::max, {Value::text("a"), Value::text("b")}) == Value::text("b"));
  // 1e16 + 1 - 1e16, ten times over: rounding is carried along.
  std::vector<Value> rounding;
  for (int n = 0; n < 10; ++n) rounding.insert(rounding.end(), {d(1e16), d(1), d(-1e16)});
  CHECK(result(WindowFunction::sum, rounding) == d(10));
}

TEST_CASE("a sum of whole numbers is exact, or an error where no int holds it") {
  const auto u = [](std::uint64_t number) { return Value::uinteger(number); };
  const auto sum = [](const std::vector<Value>& values) { return result(WindowFunction::sum, values); };
  CHECK(sum({i(INT64_MAX), i(1)}) == Value::error("sum: integer overflow"));
  CHECK(sum({i(INT64_MIN), i(-1)}) == Value::error("sum: integer overflow"));
  CHECK(sum({i(INT64_MAX), i(INT64_MAX), i(2)}).is(Kind::error));  // exactly 2^64: gone round to 0
  CHECK(sum({u(UINT64_MAX)}).is(Kind::error));
  CHECK(sum({u(std::uint64_t{1} << 63)}).is(Kind::error));
  // In between it may be beyond.
  CHECK(sum({i(INT64_MAX), i(5), i(-5)}) == i(INT64_MAX));
  CHECK(sum({u(UINT64_MAX), i(INT64_MIN), i(-7)}) == i(INT64_MAX - 7));
  // Energy counters are uint: no digit is lost.
  CHECK(sum({u(9007199254740993), u(1)}) == i(9007199254740994));
  CHECK(sum({u(9007199254740993)}).is(Kind::integer));
  CHECK(sum({i(INT64_MAX), d(1)}) == d(9223372036854775808.0));
}

TEST_CASE("a window function without values is null, count and sum are 0") {
  for (const WindowFunction function : kAll) {
    const Value nothing = result(function, {Value{}});
    if (function == WindowFunction::count || function == WindowFunction::sum) {
      CHECK(nothing == i(0));
    } else {
      CHECK(nothing.is(Kind::null));
    }
  }
  CHECK(result(WindowFunction::stddev, {i(1)}).is(Kind::null));
  CHECK(Accumulator::fault(WindowFunction::mean, Value::text("x")) == "mean: string is not a number");
  CHECK_FALSE(Accumulator::fault(WindowFunction::min, Value::map({})).empty());
  CHECK(Accumulator::fault(WindowFunction::last, Value::map({})).empty());
}

TEST_CASE("percentiles are exact to 4,096 values, then within 1 %, whatever is distributed how") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<std::function<double()>> sources{
      [&] { return std::normal_distribution<double>(20, 5)(random); },
      [&] { return std::normal_distribution<double>(0, 100)(random); },
      [&] { return std::lognormal_distribution<double>(0, 6)(random); },
      [&] { return static_cast<double>(std::uniform_int_distribution<int>(0, 9)(random)); }};
  for (std::size_t source = 0; source < sources.size(); ++source) {
    CAPTURE(source);
    Percentile percentile;
    std::vector<double> values;
    for (std::size_t n = 1; n <= 20'000; ++n) {
      values.push_back(sources[source]());
      percentile.add(values.back());
      if (n != 7 && n != 4096 && n != 4097 && n != 20'000) continue;
      for (const double percent : {0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
        CAPTURE(percent);
        const double wanted = exact(values, percent);
        const double got = percentile.at(percent);
        if (n <= 4096) {
          CHECK(got == wanted);
        } else {
          // Near 0 the straight line between a value below and one above it is what matters.
          CHECK(std::fabs(got - wanted) <= 0.01 * std::max(std::fabs(wanted), 1e-2) + 1e-12);
        }
      }
    }
  }
}

TEST_CASE("state that is written and read in between changes no result") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  for (const WindowFunction function : kAll) {
    for (const int count : {0, 1, 50, 5000}) {
      CAPTURE(count);
      Accumulator whole(function, 95);
      auto restored = std::make_unique<Accumulator>(function, 95);
      for (int n = 0; n < count; ++n) {
        const Value value = random() % 3 == 0 ? i(static_cast<std::int64_t>(random() % 1000))
                                              : d(static_cast<double>(random() % 997) / 7);
        const Time time{Duration{static_cast<std::int64_t>(random() % 100)}};
        whole.add(value, time);
        restored->add(value, time);
        if (n % 97 != 0) continue;
        std::string bytes;
        restored->write(bytes);
        restored = std::make_unique<Accumulator>(function, 95);
        base::ByteReader reader(bytes);
        REQUIRE(restored->read(reader));
        CHECK(reader.at_end());
      }
      CHECK((whole.result() == restored->result() || whole.result().is(Kind::null)));
    }
  }
}
