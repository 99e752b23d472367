// Accumulator: one window function over the values of one window. The same values in the same order give the same
// result to the last bit, also when the state was written and read in between: a window that survived a crash says what
// it would have said without.
// Absent values (null) count for nothing. sum is an int while all values are whole numbers, else a double (with the
// rounding error carried along); one beyond an int is an error, whatever order the values came in; mean, stddev and
// percentile are doubles; stddev is that of a sample (n - 1). No value at all: count and sum are 0, everything else is
// null; stddev of one value is null. Threads: one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/base/bytes.h"
#include "gateway/message/value.h"
#include "rules/routing/percentile.h"

namespace railhead::routing {

enum class WindowFunction : std::uint8_t { count, sum, mean, min, max, first, last, stddev, percentile };

class Accumulator {
 public:
  explicit Accumulator(WindowFunction function, double percent = 0) : function_(function), percent_(percent) {}

  // Empty if `value` can be taken; else why not: "mean: a string is not a number".
  [[nodiscard]] static std::string fault(WindowFunction function, const Value& value);
  // REQUIRES that fault() has none. `time` is the reading's: first and last go by it.
  void add(const Value& value, Time time);
  [[nodiscard]] Value result() const;

  void write(std::string& out) const;
  [[nodiscard]] bool read(base::ByteReader& reader);

 private:
  void add_number(double number);

  WindowFunction function_;
  double percent_ = 0;
  std::uint64_t count_ = 0;
  bool whole_ = true;           // no double among them
  std::int64_t whole_sum_ = 0;  // modulo 2^64
  double sum_ = 0;
  double carried_ = 0;  // Neumaier: what rounding lost of sum_
  double mean_ = 0;     // Welford: mean and sum of squared distances
  double squares_ = 0;
  Value value_;  // min, max, first, last
  Time time_{};  // of value_
  std::unique_ptr<Percentile> values_;
};

}  // namespace railhead::routing
