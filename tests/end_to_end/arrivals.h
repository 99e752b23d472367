// What an independent consumer found upstream, and what the delivery contract says of it. The consumers print one JSON
// object a record: {"headers": {"ce_id": ..., "rh-dup": ...}, "key": ..., "body": "..."}.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace railhead::test {

struct Arrival {
  std::string identity;
  std::string device;
  std::int64_t n = -1;
  bool marked = false;  // rh-dup
};

struct Judgement {
  std::size_t arrivals = 0;
  std::size_t repeats = 0;          // same identity again
  std::size_t surplus = 0;          // same number under another identity
  std::vector<std::string> faults;  // lost, out of order, surplus without mark
};

// `per_device`: numbers 0..per_device-1 are due for each of `devices`. Arrivals stand in the order of each device.
[[nodiscard]] Judgement judge(const std::vector<Arrival>& arrivals, std::size_t devices, std::int64_t per_device);

}  // namespace railhead::test
