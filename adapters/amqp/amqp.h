// The catalogue's row of the AMQP 0-9-1 sink.
#pragma once

#include "gateway/ports/adapter.h"

namespace railhead::amqp {

[[nodiscard]] const ports::SinkKind& sink_kind();

}  // namespace railhead::amqp
