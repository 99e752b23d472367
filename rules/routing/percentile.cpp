#include "rules/routing/percentile.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace railhead::routing {
namespace {

constexpr double kGrowth = (1 + Percentile::kError) / (1 - Percentile::kError);

std::int32_t bin_of(double magnitude) {
  static const double scale = 1 / std::log(kGrowth);
  return static_cast<std::int32_t>(std::ceil(std::log(magnitude) * scale));
}

// The middle of a bin: within kError of all values in it.
double middle_of(std::int32_t bin) { return 2 * std::pow(kGrowth, bin) / (kGrowth + 1); }

}  // namespace

void Percentile::add(double value) {
  if (std::isnan(value)) return;
  least_ = count_ == 0 ? value : std::min(least_, value);
  greatest_ = count_ == 0 ? value : std::max(greatest_, value);
  ++count_;
  if (count_ <= kExactMax) {
    exact_.push_back(value);
    return;
  }
  for (const double one : exact_) count_in_bin(one);
  exact_ = {};
  count_in_bin(value);
}

void Percentile::count_in_bin(double value) {
  if (value == 0) {
    ++zeros_;
    return;
  }
  Bins& bins = value < 0 ? negative_ : positive_;
  const double magnitude = std::min(std::fabs(value), 1e300);
  if (magnitude < 1e-300) {
    ++zeros_;
    return;
  }
  ++bins[bin_of(magnitude)];
  if (bins.size() <= kBinsMax) return;
  // More than e^73 between the smallest and the largest: the smallest lose their precision.
  const auto first = bins.begin();
  std::next(first)->second += first->second;
  bins.erase(first);
}

double Percentile::at_rank(std::uint64_t rank) const {
  for (auto bin = negative_.rbegin(); bin != negative_.rend(); ++bin) {
    if (rank < bin->second) return -middle_of(bin->first);
    rank -= bin->second;
  }
  if (rank < zeros_) return 0;
  rank -= zeros_;
  for (const auto& [bin, count] : positive_) {
    if (rank < count) return middle_of(bin);
    rank -= count;
  }
  return greatest_;
}

double Percentile::at(double percent) const {
  const double rank = std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_ - 1);
  const auto below = static_cast<std::uint64_t>(rank);
  const double part = rank - static_cast<double>(below);
  const auto between = [&](double low, double high) { return part == 0 ? low : low + (high - low) * part; };
  if (count_ <= kExactMax) {
    std::vector<double> sorted = exact_;
    std::sort(sorted.begin(), sorted.end());
    const auto at = static_cast<std::size_t>(below);
    return between(sorted[at], sorted[std::min(at + 1, sorted.size() - 1)]);
  }
  const double value = between(at_rank(below), at_rank(std::min(below + 1, count_ - 1)));
  return std::clamp(value, least_, greatest_);
}

void Percentile::write(std::string& out) const {
  base::ByteWriter writer(out);
  const auto real = [&](double value) { writer.u64(std::bit_cast<std::uint64_t>(value)); };
  writer.varint(count_);
  real(least_);
  real(greatest_);
  writer.varint(exact_.size());
  for (const double value : exact_) real(value);
  writer.varint(zeros_);
  for (const Bins* bins : {&negative_, &positive_}) {
    writer.varint(bins->size());
    for (const auto& [bin, count] : *bins) {
      writer.u32(static_cast<std::uint32_t>(bin));
      writer.varint(count);
    }
  }
}

bool Percentile::read(base::ByteReader& reader) {
  const auto real = [&] { return std::bit_cast<double>(reader.u64()); };
  count_ = reader.varint();
  least_ = real();
  greatest_ = real();
  const std::uint64_t values = reader.varint();
  if (values > kExactMax) return false;
  exact_.clear();
  for (std::uint64_t i = 0; i < values; ++i) exact_.push_back(real());
  if (count_ <= kExactMax && values != count_) return false;
  zeros_ = reader.varint();
  for (Bins* bins : {&negative_, &positive_}) {
    bins->clear();
    const std::uint64_t size = reader.varint();
    if (size > kBinsMax) return false;
    for (std::uint64_t i = 0; i < size; ++i) {
      const auto bin = static_cast<std::int32_t>(reader.u32());
      (*bins)[bin] = reader.varint();
    }
  }
  return reader.ok();
}

}  // namespace railhead::routing
