#include "tests/bench/support/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <utility>

#include "gateway/message/json.h"
#include "tests/bench/support/measure.h"

namespace railhead::bench {
namespace {

std::string target_of(const Row& row) {
  return (row.wanted == Wanted::at_least ? ">= " : "<= ") + shown(row.target) + (row.theirs > 0 ? " x" : "");
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", std::isfinite(value) ? value : 0.0);
  return text;
}

}  // namespace

std::string shown(double value) {
  char text[32];
  const double size = std::fabs(value);
  if (size >= 1e6) {
    std::snprintf(text, sizeof text, "%.3g M", value / 1e6);
  } else if (size >= 1e4) {
    std::snprintf(text, sizeof text, "%.3g k", value / 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.3g", value);
  }
  return text;
}

double Row::measured() const {
  if (!pairs.empty()) return median(pairs);
  return theirs > 0 ? ours / theirs : ours;
}

Report::Report(std::string name, int argc, char** argv) : name_(std::move(name)) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string_view(argv[i]) == "--json") json_ = argv[i + 1];
  }
}

void Report::add(Row row) {
  std::cerr << "  " << row.figure << ": " << shown(row.ours) << ' ' << row.unit << std::endl;
  if (!row.pairs.empty()) {
    note(row.figure + ": ratio of " + std::to_string(row.pairs.size()) + " pairs: median " + shown(row.measured()) +
         ", half of them " + shown(percentile(row.pairs, 0.25)) + " to " + shown(percentile(row.pairs, 0.75)) +
         ", all " + shown(percentile(row.pairs, 0)) + " to " + shown(percentile(row.pairs, 1)));
  }
  rows_.push_back(std::move(row));
}

void Report::note(std::string text) {
  std::cerr << "  " << text << std::endl;
  notes_.push_back(std::move(text));
}

void Report::invalid(std::string why) {
  std::cerr << "  NOT MEASURED: " << why << std::endl;
  invalid_.push_back(std::move(why));
}

int Report::finish() {
  std::printf("\n%s\n%-46s %16s %34s %8s %10s  %s\n", name_.c_str(), "figure", "measured", "compared with", "ratio",
              "target", "reached");
  bool all = true;
  for (const Row& row : rows_) {
    const std::string theirs = row.theirs > 0 ? row.rival + " " + shown(row.theirs) : row.rival;
    std::printf("%-46s %16s %34s %8s %10s  %s\n", row.figure.c_str(), (shown(row.ours) + " " + row.unit).c_str(),
                theirs.c_str(), row.theirs > 0 ? shown(row.measured()).c_str() : "", target_of(row).c_str(),
                row.reached() ? "yes" : "NO");
    all = all && row.reached();
  }
  for (const std::string& text : notes_) std::printf("  %s\n", text.c_str());
  for (const std::string& why : invalid_) std::printf("NOT MEASURED: %s\n", why.c_str());
  const int code = !invalid_.empty() || rows_.empty() ? 2 : all ? 0 : 1;
  if (!json_.empty()) {
    std::string out = "{\"benchmark\":";
    write_json_text(name_, out);
    out += ",\"exit\":" + std::to_string(code) + ",\"rows\":[";
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Row& row = rows_[i];
      out += i == 0 ? "{\"figure\":" : ",{\"figure\":";
      write_json_text(row.figure, out);
      out += ",\"measured\":" + number(row.ours) + ",\"unit\":";
      write_json_text(row.unit, out);
      out += ",\"rival\":";
      write_json_text(row.rival, out);
      out += ",\"rival_measured\":" + number(row.theirs) + ",\"ratio\":" + number(row.measured()) +
             (row.pairs.empty() ? ""
                                : ",\"ratio_least\":" + number(percentile(row.pairs, 0)) +
                                      ",\"ratio_most\":" + number(percentile(row.pairs, 1))) +
             ",\"target\":" + number(row.target) + ",\"wanted\":\"" +
             (row.wanted == Wanted::at_least ? "at_least" : "at_most") +
             "\",\"reached\":" + (row.reached() ? "true" : "false") + "}";
    }
    out += "],\"notes\":[";
    for (std::size_t i = 0; i < notes_.size(); ++i) {
      if (i > 0) out += ',';
      write_json_text(notes_[i], out);
    }
    out += "],\"not_measured\":[";
    for (std::size_t i = 0; i < invalid_.size(); ++i) {
      if (i > 0) out += ',';
      write_json_text(invalid_[i], out);
    }
    out += "]}\n";
    std::ofstream(json_) << out;
  }
  return code;
}

}  // namespace railhead::bench
