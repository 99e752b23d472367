// A benchmark's table: a figure, what it is compared with in the same run, the ratio, the target, reached or not.
// Exit code: 0 every target reached, 1 one is not, 2 something could not be measured.
// Threads: one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace railhead::bench {

enum class Wanted : std::uint8_t { at_least, at_most };

struct Row {
  std::string figure;  // "append 200 B"
  double ours = 0;     // in `unit`
  double theirs = 0;   // the rival's, in the same unit; 0: the target is on `ours` itself
  std::string unit;    // "records/s", "Y", "us"
  std::string rival;   // "plain loop"
  double target = 0;   // of the ratio ours / theirs, or of `ours`
  Wanted wanted = Wanted::at_least;
  // Ratios ours / theirs of pairs measured side by side: their median counts, their spread is printed. Empty: one
  // ratio.
  std::vector<double> pairs = {};

  [[nodiscard]] double measured() const;
  [[nodiscard]] bool reached() const {
    return wanted == Wanted::at_least ? measured() >= target : measured() <= target;
  }
};

class Report {
 public:
  // Reads --json FILE from the arguments. `name` is the benchmark's.
  Report(std::string name, int argc, char** argv);

  void add(Row row);
  // For information: it has no target.
  void note(std::string text);
  // The benchmark is worth nothing: the peers did not do the same, or a part could not run.
  void invalid(std::string why);
  // Prints the table, writes the file, gives the exit code.
  [[nodiscard]] int finish();

 private:
  const std::string name_;
  std::string json_;
  std::vector<Row> rows_;
  std::vector<std::string> notes_;
  std::vector<std::string> invalid_;
};

// "12.3 M", "4.56 k", "0.123"
[[nodiscard]] std::string shown(double value);

}  // namespace railhead::bench
