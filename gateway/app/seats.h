// Seats: one for each source or sink that runs, with what it says of itself.
// Threads: put and drop by the thread that makes the parts; the rest by any.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/mutex.h"
#include "gateway/base/time.h"
#include "gateway/status/link.h"

namespace railhead::app {

struct Seat {
  std::string name;
  std::string kind;
  BootTime since{};
  status::LinkStatus link;
};

class Seats {
 public:
  // A new one, in the place of an old one of this name, whose part must have ended. It lives until drop or the next
  // put.
  Seat& put(std::string_view name, std::string_view kind, BootTime now) RAILHEAD_EXCLUDES(mutex_);
  void drop(std::string_view name) RAILHEAD_EXCLUDES(mutex_);
  // In the order they were put. `look` must not come back here.
  void each(const std::function<void(const Seat&)>& look) const RAILHEAD_EXCLUDES(mutex_);

 private:
  mutable base::Mutex mutex_;
  std::vector<std::unique_ptr<Seat>> seats_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::app
