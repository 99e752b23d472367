#include "tests/end_to_end/arrivals.h"

namespace railhead::test {

Judgement judge(const std::vector<Arrival>& arrivals, std::size_t devices, std::int64_t per_device) {
  Judgement judgement;
  judgement.arrivals = arrivals.size();
  std::set<std::string> identities;
  std::map<std::string, std::set<std::int64_t>> seen;
  std::map<std::string, std::int64_t> next;  // greatest first occurrence so far + 1
  for (const Arrival& arrival : arrivals) {
    if (!identities.insert(arrival.identity).second) {
      ++judgement.repeats;
      continue;
    }
    const std::string what = arrival.device + " number " + std::to_string(arrival.n);
    if (!seen[arrival.device].insert(arrival.n).second) {
      ++judgement.surplus;
      if (!arrival.marked) judgement.faults.push_back(what + " arrived twice under two identities without rh-dup");
      continue;
    }
    if (arrival.n < next[arrival.device]) judgement.faults.push_back(what + " arrived out of order");
    next[arrival.device] = std::max(next[arrival.device], arrival.n + 1);
  }
  if (seen.size() != devices) judgement.faults.push_back(std::to_string(seen.size()) + " devices arrived");
  for (const auto& [device, numbers] : seen) {
    for (std::int64_t n = 0; n < per_device; ++n) {
      if (!numbers.contains(n)) judgement.faults.push_back(device + " number " + std::to_string(n) + " is lost");
    }
  }
  return judgement;
}

}  // namespace railhead::test
