// What is written differently in two versions of a part of a configuration: a line for each field, with its path and
// what stood and stands there. Layout and comments do not count. Threads: pure functions.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/document.h"

namespace railhead::config {

struct WrittenChange {
  std::string path;    // "modbus.devices.boiler-1.unit_id", "send.0.topic"; empty: the part itself
  std::string before;  // on one line, long ones cut; empty: nothing stood there
  std::string now;
  // The last name of the path.
  [[nodiscard]] std::string_view field() const;
  // "unit_id: 7, was 1"; "throttle: 10 s is new"; "on_change: { x: 1 } is gone".
  [[nodiscard]] std::string text() const;
};

// In the order of `now`, what is gone behind it. Values of fields named in `secret`, and passwords in URLs, are not
// shown.
[[nodiscard]] std::vector<WrittenChange> written_difference(const Node& before, const Node& now,
                                                            const std::set<std::string>& secret);

}  // namespace railhead::config
