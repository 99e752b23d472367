#include "gateway/app/spool_watch.h"

namespace railhead::app {

// What the ledger had from before the start is old.
void SpoolWatch::see(Seen& seen, std::uint64_t count, bool first, BootTime now) {
  if (!first && count > seen.count) seen.last = now;
  seen.count = count;
}

void SpoolWatch::look(BootTime now, const spool::Spool& spool) {
  std::uint64_t dropped = 0;
  std::uint64_t damaged = 0;
  std::uint64_t owed = 0;
  for (const spool::LaneInfo& lane : spool.lanes()) {
    dropped += lane.ledger.dropped;
    damaged += lane.ledger.damaged;
    owed += lane.backlog_bytes;
  }
  const base::MutexLock lock(mutex_);
  see(dropped_, dropped, !looked_, now);
  see(damaged_, damaged, !looked_, now);
  looked_ = true;
  forecast_.add(now, owed);
}

void SpoolWatch::tell(BootTime now, status::SpoolStatus& status) const {
  const base::MutexLock lock(mutex_);
  if (dropped_.last) status.last_drop = now - *dropped_.last;
  if (damaged_.last) status.last_damage = now - *damaged_.last;
  status.full_in = forecast_.until_full(status.limit_bytes);
}

}  // namespace railhead::app
