// The status page: a Snapshot as one HTML page without script that loads itself anew. Threads: a pure function.
#pragma once

#include <string>

#include "gateway/status/snapshot.h"

namespace railhead::panel {

[[nodiscard]] std::string status_page(const status::Snapshot& snapshot);

}  // namespace railhead::panel
