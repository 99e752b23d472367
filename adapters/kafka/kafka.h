// The catalogue's row of the Kafka sink.
#pragma once

#include "gateway/ports/adapter.h"

namespace railhead::kafka {

[[nodiscard]] const ports::SinkKind& sink_kind();

}  // namespace railhead::kafka
