// SpoolWatch: what one spool's status needs beside a look at this moment: when it dropped or lost records last, and how
// fast it fills. Threads: any.
#pragma once

#include <cstdint>
#include <optional>

#include "gateway/base/mutex.h"
#include "gateway/base/time.h"
#include "gateway/spool/spool.h"
#include "gateway/status/forecast.h"
#include "gateway/status/snapshot.h"

namespace railhead::app {

class SpoolWatch {
 public:
  // About once a second.
  void look(BootTime now, const spool::Spool& spool) RAILHEAD_EXCLUDES(mutex_);
  // Adds what was seen to a status that has its limit already.
  void tell(BootTime now, status::SpoolStatus& status) const RAILHEAD_EXCLUDES(mutex_);

 private:
  struct Seen {
    std::uint64_t count = 0;
    std::optional<BootTime> last;  // when it rose
  };
  static void see(Seen& seen, std::uint64_t count, bool first, BootTime now);

  mutable base::Mutex mutex_;
  bool looked_ RAILHEAD_GUARDED_BY(mutex_) = false;
  Seen dropped_ RAILHEAD_GUARDED_BY(mutex_);
  Seen damaged_ RAILHEAD_GUARDED_BY(mutex_);
  status::FillForecast forecast_ RAILHEAD_GUARDED_BY(mutex_);
};

}  // namespace railhead::app
