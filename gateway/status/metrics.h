// The metrics: a Snapshot in Prometheus' text exposition format 0.0.4. Names are a contract with dashboards: add, never
// rename. docs/metrics.md is made from the table. Threads: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "gateway/status/snapshot.h"

namespace railhead::status {

struct MetricRow {
  std::string_view name;
  std::string_view type;    // counter, gauge
  std::string_view labels;  // comma separated
  std::string_view sentence;
};
[[nodiscard]] std::span<const MetricRow> metric_rows();

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";
[[nodiscard]] std::string to_prometheus(const Snapshot& snapshot);

}  // namespace railhead::status
