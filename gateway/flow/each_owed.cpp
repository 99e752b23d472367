#include "gateway/flow/each_owed.h"

#include <vector>

namespace railhead::flow {

Result<void> each_owed(spool::Spool& spool, spool::LaneId lane, const std::function<void(const spool::Frame&)>& visit) {
  constexpr std::size_t kReadRecords = 1'000;
  constexpr std::size_t kReadBytes = 1024 * 1024;
  std::vector<spool::Frame> frames;
  for (Sequence from;;) {
    frames.clear();
    const Result<Sequence> next = spool.read(lane, from, kReadRecords, kReadBytes, frames);
    if (!next) return fail(next.error());
    for (const spool::Frame& frame : frames) visit(frame);
    if (*next == from) return {};
    from = *next;
  }
}

}  // namespace railhead::flow
