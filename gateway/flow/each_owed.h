// Every record that a lane is owed, in order, to rebuild what stands in it at a start. Threads: the caller's.
#pragma once

#include <functional>

#include "gateway/base/result.h"
#include "gateway/spool/spool.h"

namespace railhead::flow {

// Errors: as Spool::read; what came before was visited.
[[nodiscard]] Result<void> each_owed(spool::Spool& spool, spool::LaneId lane,
                                     const std::function<void(const spool::Frame&)>& visit);

}  // namespace railhead::flow
