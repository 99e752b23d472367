// Percentile: of the values of a window; exact to kExactMax values, then within 1 % of the value (S28).
// Exact: the value at rank p/100 * (n - 1), between two values the straight line (as numpy and Excel's PERCENTILE do).
// Beyond: values are counted in bins whose bounds grow by kGrowth, one set for each sign; the bins are those of the
// DDSketch algorithm (Masson, Rim, Lee 2019). Memory: at most kExactMax doubles or kBinsMax bins a sign.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gateway/base/bytes.h"

namespace railhead::routing {

class Percentile {
 public:
  static constexpr std::size_t kExactMax = 4096;
  static constexpr std::size_t kBinsMax = 4096;
  static constexpr double kError = 0.009;  // of a value, relative

  void add(double value);
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // REQUIRES count() > 0. `percent` 0..100.
  [[nodiscard]] double at(double percent) const;

  void write(std::string& out) const;
  [[nodiscard]] bool read(base::ByteReader& reader);

 private:
  using Bins = std::map<std::int32_t, std::uint64_t>;
  void count_in_bin(double value);
  [[nodiscard]] double at_rank(std::uint64_t rank) const;

  std::uint64_t count_ = 0;
  double least_ = 0;
  double greatest_ = 0;
  std::vector<double> exact_;
  Bins negative_;  // by the magnitude
  std::uint64_t zeros_ = 0;
  Bins positive_;
};

}  // namespace railhead::routing
