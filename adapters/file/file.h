// The catalogue's row of the file sink.
#pragma once

#include "gateway/ports/adapter.h"

namespace railhead::file {

[[nodiscard]] const ports::SinkKind& sink_kind();

}  // namespace railhead::file
