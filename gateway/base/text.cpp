#include "gateway/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace railhead::base {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array<Unit, 7> kDurationUnits{
    {{"ns", 1.0}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
constexpr std::array<Unit, 9> kSizeUnits{{{"B", 1.0},
                                          {"KiB", 1024.0},
                                          {"MiB", 1048576.0},
                                          {"GiB", 1073741824.0},
                                          {"TiB", 1099511627776.0},
                                          {"kB", 1e3},
                                          {"MB", 1e6},
                                          {"GB", 1e9},
                                          {"TB", 1e12}}};

// "<number> <unit>" with optional blanks between; 0 needs no unit.
template <std::size_t N>
std::optional<double> parse_quantity(std::string_view text, const std::array<Unit, N>& units) {
  text = trim(text);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || number < 0) return std::nullopt;
  const std::string_view unit = trim(text.substr(static_cast<std::size_t>(end - text.data())));
  if (unit.empty()) return number == 0 ? std::optional<double>(0.0) : std::nullopt;
  for (const Unit& known : units) {
    if (unit == known.name) return number * known.factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> nearest(std::string_view unknown, std::span<const std::string> known) {
  std::optional<std::string> best;
  std::size_t best_distance = 0;
  for (const std::string& name : known) {
    const std::size_t allowed = std::max<std::size_t>(1, std::max(name.size(), unknown.size()) / 3);
    const std::size_t distance = edit_distance(unknown, name);
    if (distance <= allowed && distance < std::max(name.size(), unknown.size()) &&
        (!best || distance < best_distance)) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

std::optional<Duration> parse_duration(std::string_view text) {
  const std::optional<double> nanoseconds = parse_quantity(text, kDurationUnits);
  if (!nanoseconds || *nanoseconds > 9.2e18) return std::nullopt;
  return Duration{std::llround(*nanoseconds)};
}

std::string format_duration(Duration duration) {
  const double nanoseconds = static_cast<double>(duration.count());
  if (nanoseconds == 0) return "0 s";
  for (auto unit = kDurationUnits.rbegin(); unit != kDurationUnits.rend(); ++unit) {
    const double number = nanoseconds / unit->factor;
    if (std::abs(number) >= 1 || unit + 1 == kDurationUnits.rend()) {
      const double rounded = std::round(number * 100) / 100;
      return shortest(rounded) + " " + std::string(unit->name);
    }
  }
  return "0 s";
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const std::optional<double> bytes = parse_quantity(text, kSizeUnits);
  if (!bytes || *bytes > 9e18) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(*bytes));
}

std::string format_size(std::uint64_t bytes) {
  for (std::size_t i = 4; i > 0; --i) {
    const double number = static_cast<double>(bytes) / kSizeUnits[i].factor;
    if (number >= 1) return shortest(std::round(number * 10) / 10) + " " + std::string(kSizeUnits[i].name);
  }
  return std::to_string(bytes) + " B";
}

std::optional<double> parse_rate(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::optional<double> number = parse_double(trim(text.substr(0, slash)));
  const std::string_view unit = trim(text.substr(slash + 1));
  if (!number || *number < 0) return std::nullopt;
  if (unit == "s") return *number;
  if (unit == "min") return *number / 60;
  if (unit == "h") return *number / 3600;
  return std::nullopt;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool is_identifier(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return std::to_string(count).append(" ").append(noun).append(count == 1 ? "" : "s");
}

namespace {
constexpr double kWholeExact = 9007199254740992;  // 2^53: from here on not every whole number is a double
}  // namespace

std::string shortest(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  std::array<char, 40> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return "NaN";
  // Why: a whole number that takes less room without an exponent is written to its last digit, also those digits that
  // no double of this size can tell apart.
  if (std::fabs(number) >= kWholeExact && std::find(text.data(), end, 'e') == end) {
    std::array<char, 40> scientific{};
    const auto written =
        std::to_chars(scientific.data(), scientific.data() + scientific.size(), number, std::chars_format::scientific);
    const char* digit = scientific.data();
    for (char* at = text.data(); at != end; ++at) {
      if (digit != written.ptr && *digit == '.') ++digit;
      *at = digit != written.ptr && *digit != 'e' ? *digit++ : '0';
    }
  }
  return {text.data(), end};
}

namespace {
template <class T>
std::optional<T> parse_whole(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}
}  // namespace

std::optional<std::int64_t> parse_int(std::string_view text) { return parse_whole<std::int64_t>(text); }
std::optional<std::uint64_t> parse_uint(std::string_view text) { return parse_whole<std::uint64_t>(text); }
std::optional<double> parse_double(std::string_view text) { return parse_whole<double>(text); }

}  // namespace railhead::base
